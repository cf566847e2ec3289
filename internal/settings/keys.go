package settings

import (
	"slices"

	"threetier/components/app"
	"threetier/components/app/images"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// tierKeys are the app's tiers.
func tierKeys(a *app.AppArgs) keys.Table {
	return keys.Table{
		keys.Object("threetier:backend", backendKeys(&a.Backend)).Required().
			Doc("The API: any image that answers HTTP and uses a PostgreSQL database."),
		keys.Optional("threetier:frontend", &a.Frontend, frontendKeys).Otherwise("none: the backend serves / too").
			Doc("The web pages: any image that answers HTTP."),
		keys.ObjectMap("threetier:workers", &a.Workers, workerKeys).Names(app.ProcessesConstraint.Names).
			Doc("Long-running processes of the backend's image, by name. They get the backend's environment, Secrets and network access."),
		keys.ObjectMap("threetier:jobs", &a.Jobs, jobKeys).Names(app.ProcessesConstraint.Names).
			Doc("Processes of the backend's image that end by themselves, by name: scheduled or run by hand. They get the backend's environment, Secrets and network access."),
		keys.Object("threetier:nginx", nginxKeys(&a.Nginx)).
			Doc("The entry point: nginx behind a load balancer."),
	}
}

func clientImageKey(into *string) *keys.Key {
	return keys.Text("clientImage", into).Is(pods.ImageConstraint).Default(images.Client).Example("ghcr.io/acme/psql@sha256:…").
		Doc("An image with a shell and psql 15 or later. It creates the database's roles.")
}

func backendKeys(b *app.BackendArgs) keys.Table {
	workload := workloadKeys(&b.WorkloadArgs, workloadDefaults{
		port: app.DefaultBackendPort, healthPath: app.DefaultBackendHealthPath,
		minReplicas: app.DefaultBackendMinReplicas, maxReplicas: app.DefaultBackendMaxReplicas,
		cpu: app.DefaultBackendCPU, memory: app.DefaultBackendMemory,
	})
	return append(workload, keys.Table{
		egressKey(&b.Egress, app.EgressToConstraint, "", "The migration has the same ways."),
		keys.Objects("permissions", &b.Permissions, permissionKeys).Otherwise("none: no AWS role").Example(`[{actions: [s3:GetObject], resources: ["arn:aws:s3:::acme-uploads/*"]}]`).
			Doc("AWS rights of the pods and the migration. They get their own IAM role by EKS Pod Identity."),
		keys.Text("permissionsBoundary", &b.PermissionsBoundary).Is(app.PermissionsBoundaryConstraint).Otherwise("none").Example("arn:aws:iam::123456789012:policy/apps").
			Doc("Managed policy that limits the role of permissions."),
		keys.Texts("migrate", &b.Migrate).Is(app.MigrateConstraint).Otherwise("none").Example("[alembic, upgrade, head]").
			Doc("Command that updates the database schema. It must succeed before every rollout. It runs with the backend's image and environment."),
		keys.Number("migrateSeconds", &b.MigrateSeconds).Is(app.MigrateSecondsConstraint).Example("3600").
			Doc("Time limit of migrate, in seconds."),
		keys.Object("skipMigration", skipMigrationKeys(&b.SkipMigration)).Otherwise("none: migrate is run").
			Doc("Runs one image without its migrate, for a rollback to an image whose migrate fails on the newer schema."),
		keys.Number("connectionsPerPod", &b.ConnectionsPerPod).Is(app.ConnectionsPerPodConstraint).Example("10").
			Doc("The most database connections that one pod opens: the size of its pool times its processes. A worker's pod counts alike, a job and the migration for one. " +
				"If the pods of a rollout need more connections than the instance class has, the config is refused."),
		keys.TextMap("databaseEnv", &b.DatabaseEnv).Is(app.DatabaseEnvConstraint).Otherwise("DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_SSLMODE, DB_SSLROOTCERT, DATABASE_URL, PGSSLMODE, PGSSLROOTCERT").Example(`{PGHOST: "{host}", PGPASSWORD: "{password}"}`).
			Doc("Environment variables with the database connection, as templates. They replace the whole default set."),
	}...)
}

func skipMigrationKeys(s *app.SkipMigrationArgs) keys.Table {
	return keys.Table{
		keys.Text("image", &s.Image).Required().Example("ghcr.io/acme/app@sha256:…").
			Doc("The image that runs without migrate: the same as backend.image. With another backend.image the config is refused."),
		keys.Text("reason", &s.Reason).Is(app.ReasonConstraint).Required().Example("1.4 fails on the schema of 1.5").
			Doc("Why. Every preview and every up shows it."),
	}
}

func frontendKeys(f *app.FrontendArgs) keys.Table {
	workload := workloadKeys(&f.WorkloadArgs, workloadDefaults{
		port: app.DefaultFrontendPort, healthPath: app.DefaultFrontendHealthPath,
		minReplicas: app.DefaultFrontendMinReplicas, maxReplicas: app.DefaultFrontendMaxReplicas,
		cpu: app.DefaultFrontendCPU, memory: app.DefaultFrontendMemory,
	})
	return append(workload, egressKey(&f.Egress, app.FrontendEgressToConstraint, "the backend's, with to: backend; else required",
		"A frontend that renders pages on the server calls "+app.BackendServiceName+" with to: backend."))
}

// egressKey is the list of a tier's ways out. Ports are required, unless words say what is meant without them.
func egressKey(into *[]app.EgressArgs, to constraint.Text, withoutPorts, doc string) *keys.Key {
	return keys.Objects("egress", into, func(way *app.EgressArgs) keys.Table {
		ports := keys.Numbers("ports", &way.Ports).Is(app.EgressPortsConstraint).Otherwise(withoutPorts).Example("[443]").
			Doc("TCP ports.")
		ports.Required = withoutPorts == ""
		return keys.Table{
			keys.Text("to", &way.To).Is(to).Required().Example("internet").
				Doc("internet is every public address. A network never opens the metadata services in it (169.254.0.0/16, fd00:ec2::/32)."),
			ports,
		}
	}).Otherwise("none").Example("[{to: internet, ports: [443, 587]}, {to: 10.20.0.0/16, ports: [6379]}]").
		Doc("Connections that the pods can open, besides the ones that they always need. " + doc)
}

// workloadDefaults are the words for a component's own defaults.
type workloadDefaults struct {
	port, minReplicas, maxReplicas int
	healthPath, cpu, memory        string
}

func workloadKeys(w *app.WorkloadArgs, d workloadDefaults) keys.Table {
	return keys.Table{
		keys.Text("image", &w.Image).Is(pods.ImageConstraint).Required().Example("ghcr.io/acme/app@sha256:…").
			Doc("Container image, preferably by digest."),
		keys.Number("port", &w.Port).Is(app.WorkloadPortConstraint).Default(d.port).Example("3000").
			Doc("Port that the container listens on."),
		keys.Texts("command", &w.Command).Otherwise("the image's entrypoint").Example("[uvicorn, app.main:app]").
			Doc("Replaces the image's entrypoint."),
		keys.Texts("args", &w.Args).Otherwise("the image's command").Example(`[--port, "3000"]`).
			Doc("Replaces the image's command."),
		keys.Text("healthPath", &w.HealthPath).Is(app.URLPathConstraint).Default(d.healthPath).Example("/readyz").
			Doc("Path of the readiness and startup probes. It answers 2xx or 3xx when the app can serve."),
		keys.Text("livePath", &w.LivePath).Is(app.URLPathConstraint).Otherwise("a check of the TCP port").Example("/healthz").
			Doc("Path of the liveness probe. It should fail only if a restart helps, so it should not check the database."),
		keys.Object("replicas", replicaKeys(&w.Replicas, d.minReplicas, d.maxReplicas)).
			Doc(replicasDoc),
		keys.Object("resources", resourceKeys(&w.Resources, d.cpu, d.memory)).
			Doc("CPU and memory of one pod."),
		keys.Number("runAsUser", &w.RunAsUser).Is(app.RunAsUserConstraint).Example("1000").
			Doc("User and group id of the container, for images that need a specific one."),
		keys.Texts("writablePaths", &w.WritablePaths).Is(app.WritablePathsConstraint).Otherwise("[" + pods.WritableTmp + "]").Example("[/tmp, /var/cache/app]").
			Doc("Writable directories, empty at start. The rest of the file system is read-only."),
		rolloutSecondsKey(&w.RolloutSeconds, pods.DefaultRolloutSeconds),
		keys.Number("minReadySeconds", &w.MinReadySeconds).Is(app.MinReadySecondsConstraint).Example("30").
			Doc("Time that a new pod must stay ready before the rollout goes on, in seconds. A pod that fails in this time fails the rollout."),
		keys.Environment("env", &w.Env, false).Names(pods.EnvConstraint.Names).Example("{LOG_LEVEL: info}").
			Doc("Environment variables. If any value of the workload is secret, all of them are stored in its Secret."),
		keys.Environment("secretEnv", &w.SecretEnv, true).Names(pods.EnvConstraint.Names).Example("{JWT_SECRET_KEY: {secure: …}}").
			Doc("Environment variables that are stored in a Kubernetes Secret."),
	}
}

func rolloutSecondsKey(into **int, byDefault int) *keys.Key {
	return keys.Number("rolloutSeconds", into).Is(pods.RolloutSecondsConstraint).Default(byDefault).Example("120").
		Doc("Time limit of a rollout, in seconds. Pods that start slowly need more time.")
}

// processKeys are what workers and jobs have in common. A key comes from the caller between the command and the rest.
func processKeys(p *app.ProcessArgs, own ...*keys.Key) keys.Table {
	egress := egressKey(&p.Egress, app.EgressToConstraint, "", "They replace the backend's; [] closes all.")
	egress.Default = "the backend's"
	return slices.Concat(keys.Table{keys.Texts("command", &p.Command).Is(app.CommandConstraint).Required().Example("[python3, -m, app.worker]").
		Doc("The process. It replaces the image's entrypoint.")}, own, keys.Table{
		keys.Object("resources", resourceKeys(&p.Resources, app.DefaultBackendCPU, app.DefaultBackendMemory)).
			Doc("CPU and memory of one pod."),
		keys.Environment("env", &p.Env, false).Names(pods.EnvConstraint.Names).Example("{LOG_LEVEL: debug}").
			Doc("Environment variables beside the backend's. They replace those of the same name."),
		keys.Environment("secretEnv", &p.SecretEnv, true).Names(pods.EnvConstraint.Names).Example("{SMTP_PASSWORD: {secure: …}}").
			Doc("Environment variables that are stored in a Kubernetes Secret of the process."),
		egress,
	})
}

func workerKeys(w *app.WorkerArgs) keys.Table {
	return processKeys(&w.ProcessArgs, keys.Table{
		keys.Object("replicas", replicaKeys(&w.Replicas, app.DefaultWorkerReplicas, app.DefaultWorkerReplicas)).
			Doc(replicasDoc),
		keys.Number("stopSeconds", &w.StopSeconds).Is(app.StopSecondsConstraint).Example("120").
			Doc("Time that the process has after SIGTERM to finish its work in hand, in seconds."),
		keys.Texts("healthCommand", &w.HealthCommand).Is(app.HealthCommandConstraint).Otherwise("none").Example("[python3, -m, app.worker, --check]").
			Doc("Command that succeeds in the container while the process is healthy. If it fails three times, the container is restarted."),
	}...)
}

func jobKeys(j *app.JobArgs) keys.Table {
	return processKeys(&j.ProcessArgs, keys.Table{
		keys.Text("schedule", &j.Schedule).Is(app.ScheduleConstraint).Otherwise("none: run by hand").Example(`"0 3 * * *"`).
			Doc("Cron expression. Two scheduled runs never overlap: a run that is due waits up to 10 minutes for the one before it, then it is left out."),
		keys.Text("timeZone", &j.TimeZone).Is(app.TimeZoneConstraint).Example("Europe/Berlin").
			Doc("Time zone of the schedule."),
		keys.Number("timeoutSeconds", &j.TimeoutSeconds).Is(app.JobTimeoutSecondsConstraint).Example("7200").
			Doc("Time limit of a run with its retries, in seconds."),
		keys.Number("retries", &j.Retries).Is(app.RetriesConstraint).Example("2").
			Doc("Number of times that a failed run is tried again, in a new pod."),
	}...)
}

const replicasDoc = "Number of pods. If min and max differ, an autoscaler sets it."

func replicaKeys(r *pods.ReplicaArgs, low, high int) keys.Table {
	return keys.Table{
		keys.Number("min", &r.Min).Is(pods.MinReplicasConstraint).Default(low).Example("2").
			Doc("Minimum number of pods."),
		keys.Number("max", &r.Max).Is(pods.MaxReplicasConstraint).Default(high).Example("10").
			Doc("Maximum number of pods."),
	}
}

func resourceKeys(r *pods.ResourceArgs, cpu, memory string) keys.Table {
	return keys.Table{
		keys.Text("cpu", &r.CPU).Unquoted().Is(pods.CPUConstraint).Default(cpu).Example("250m").
			Doc("CPU request. The limit is the request, rounded up to whole cores."),
		keys.Text("memory", &r.Memory).Is(pods.MemoryConstraint).Default(memory).Example("512Mi").
			Doc("Memory request and limit."),
	}
}

func nginxKeys(n *nginx.Args) keys.Table {
	return slices.Concat(nginxTierKeys(n), nginxClientKeys(n), nginxLoadBalancerKeys(n))
}

func nginxTierKeys(n *nginx.Args) keys.Table {
	return keys.Table{
		keys.Text("image", &n.Image).Is(pods.ImageConstraint).Default(images.Nginx).Example("ghcr.io/acme/nginx@sha256:…").
			Doc("An nginx image, 1.22 or later, that can run as any user."),
		keys.Object("replicas", replicaKeys(&n.Replicas, nginx.DefaultMinReplicas, nginx.DefaultMaxReplicas)).
			Doc(replicasDoc),
		keys.Object("resources", resourceKeys(&n.Resources, nginx.DefaultCPU, nginx.DefaultMemory)).
			Doc("CPU and memory of one pod."),
		keys.Objects("routes", &n.Routes, routeKeys).Is(nginx.RoutesConstraint).Otherwise("[{path: /api, to: backend}, {path: /, to: frontend}]; without threetier:frontend [{path: /, to: backend}]").Example("[{path: /api, to: backend, timeoutSeconds: 120}, {path: /, to: frontend}]").
			Doc("The target of each path. nginx uses the longest prefix that matches."),
		keys.Text("maxBodySize", &n.MaxBodySize).Unquoted().Is(nginx.MaxBodySizeConstraint).Example("25m").
			Doc("Maximum size of a request body."),
		keys.Number("timeoutSeconds", &n.TimeoutSeconds).Is(nginx.TimeoutSecondsConstraint).Example("30").
			Doc("Time that nginx waits for the next byte of a response, in seconds."),
		keys.Number("drainSeconds", &n.DrainSeconds).Is(nginx.DrainSecondsConstraint).Example("10").
			Doc("Time that a stopping pod continues to serve, in seconds. The load balancer must stop sending it requests in this time."),
		rolloutSecondsKey(&n.RolloutSeconds, nginx.DefaultRolloutSeconds),
	}
}

func nginxClientKeys(n *nginx.Args) keys.Table {
	return keys.Table{
		keys.Text("certificateArn", &n.CertificateArn).Is(nginx.CertificateArnConstraint).Otherwise("those of threetier:domain, else none: plain HTTP").Example("arn:aws:acm:eu-west-1:123456789012:certificate/…").
			Doc("ACM certificate of the load balancer, made by hand. The load balancer ends TLS, and nginx redirects HTTP to HTTPS."),
		keys.Flag("redirect", &n.Redirect).Otherwise("true").Example("false").
			Doc("Redirects HTTP to HTTPS if there is a certificate. Set it to false while you add a certificate to an app in use: HTTP is served until HTTPS works."),
		keys.Texts("trustedProxies", &n.TrustedProxies).Is(nginx.TrustedProxiesConstraint).Example("[10.0.0.0/16]").
			Doc("Networks of proxies in front of the load balancer. nginx takes the client's address and scheme from their X-Forwarded-For and X-Forwarded-Proto. What they got by HTTPS isn't redirected."),
		keys.Texts("hosts", &n.Hosts).Is(nginx.HostsConstraint).Otherwise("the names of threetier:domain once they have certificates, else any host").Example("[shop.example.org]").
			Doc("Host names that nginx answers for, besides those of threetier:domain. Requests for another host get 421."),
		keys.Object("limits", keys.Table{

			keys.Number("requests", &n.Limits.Requests).Is(nginx.RequestsConstraint).Otherwise("from nginx.resources.memory").Example("100").
				Doc("Maximum number of requests at the same time. An open WebSocket is one. The default fits in half of the memory: 72 in 128Mi, 162 in 256Mi."),
			keys.Number("requestsPerClient", &n.Limits.RequestsPerClient).Is(nginx.RequestsPerClientConstraint).Otherwise("an eighth of requests, at least 6").Example("30").
				Doc("Maximum number of requests of one client at the same time. A client is an IPv4 address or an IPv6 /64 network."),
			keys.Number("uploads", &n.Limits.Uploads).Is(nginx.UploadsConstraint).Otherwise("1 GiB of disk divided by maxBodySize, at least 4").Example("20").
				Doc("Maximum number of request bodies of 100 kB or more at the same time, for each maxBodySize. One client gets an eighth of them."),
			keys.Number("ratePerClient", &n.Limits.RatePerClient).Is(nginx.RatePerClientConstraint).Example("50").
				Doc("Maximum number of requests of one client per second, with a burst of the same number. 0 means no limit."),
		}).
			Doc("Limits of what clients can use of one nginx pod. A request above a limit gets 503, above a rate 429."),
	}
}

func nginxLoadBalancerKeys(n *nginx.Args) keys.Table {
	return keys.Table{
		keys.Flag("internal", &n.Internal).Example("true").
			Doc("Makes the load balancer reachable only from the private network."),
		keys.Object("loadBalancer", keys.Table{

			keys.Text("class", &n.LoadBalancer.Class).Is(nginx.LoadBalancerClassConstraint).Otherwise("the cluster's own").Example("eks.amazonaws.com/nlb").
				Doc("The loadBalancerClass of the Service."),
			keys.TextMap("annotations", &n.LoadBalancer.Annotations).Example("{service.beta.kubernetes.io/aws-load-balancer-name: shop}").
				Doc("Annotations for the Service. They override the program's annotations. An empty value removes one."),
		}).
			Doc("Settings for the cluster's load balancer controller."),
	}
}

func permissionKeys(p *app.PermissionArgs) keys.Table {
	return keys.Table{
		keys.Texts("actions", &p.Actions).Is(app.PermissionActionsConstraint).Required().Example("[s3:GetObject, s3:PutObject]").
			Doc("IAM actions."),
		keys.Texts("resources", &p.Resources).Is(app.PermissionResourcesConstraint).Required().Example(`["arn:aws:s3:::acme-uploads/*"]`).
			Doc("ARNs of the resources."),
		keys.TextMap("waive", &p.Waive).Is(app.PermissionWaiveConstraint).Example(`{cloudwatch:Get*: "a dashboard of all metrics"}`).
			Doc("Wildcard actions that are allowed on all resources, and actions of iam, kms, organizations and sts, each with the reason. Without it they are refused."),
	}
}

func registryKeys(r *pods.RegistryArgs) keys.Table {
	return keys.Table{
		keys.Text("server", &r.Server).Is(pods.RegistryServerConstraint).Required().Example("ghcr.io").
			Doc("Host name of the registry, as the image names begin with it."),
		keys.Text("username", &r.Username).Is(pods.RegistryUsernameConstraint).Required().Example("acme-bot").
			Doc("User name for the registry."),
		keys.SecretText("password", &r.Password).Required().Example("{secure: …}").
			Doc("Password or token for the registry. It is stored in a Kubernetes Secret. A changed password restarts all pods, one after the other."),
	}
}

func placementKeys(p *pods.PlacementArgs) keys.Table {
	return keys.Table{
		keys.TextMap("nodeSelector", &p.NodeSelector).Is(pods.NodeSelectorConstraint).Example("{kubernetes.io/arch: arm64}").
			Doc("Labels that a node must have."),
		keys.Objects("tolerations", &p.Tolerations, tolerationKeys).Example("[{key: dedicated, value: apps, effect: NoSchedule}]").
			Doc("Taints of nodes that the pods can run on."),
	}
}

func tolerationKeys(t *pods.TolerationArgs) keys.Table {
	return keys.Table{
		keys.Text("key", &t.Key).Is(pods.LabelNameConstraint).Otherwise("any, with operator Exists; else required").Example("dedicated").
			Doc("Key of the taint."),
		keys.Text("operator", &t.Operator).Is(pods.TolerationOperatorConstraint).Example(pods.TolerationExists).
			Doc(pods.TolerationExists + " ignores the value of the taint."),
		keys.Text("value", &t.Value).Unquoted().Is(pods.LabelValueConstraint).Otherwise("empty").Example("apps").
			Doc("Value of the taint."),
		keys.Text("effect", &t.Effect).Is(pods.TolerationEffectConstraint).Otherwise("any").Example("NoSchedule").
			Doc("Effect of the taint."),
	}
}

func routeKeys(r *nginx.RouteArgs) keys.Table {
	return keys.Table{
		keys.Text("path", &r.Path).Is(nginx.RoutePathConstraint).Required().Example("/api").
			Doc("Path prefix. /api matches /api and /api/x, but not /apix."),
		keys.Text("to", &r.To).Is(nginx.RouteToConstraint).Required().Example("backend").
			Doc("Target of the route."),
		keys.Flag("stripPrefix", &r.StripPrefix).Example("true").
			Doc("Removes the prefix from the forwarded request."),
		keys.Number("timeoutSeconds", &r.TimeoutSeconds).Is(nginx.TimeoutSecondsConstraint).Otherwise("nginx.timeoutSeconds").Example("300").
			Doc("Overrides nginx.timeoutSeconds for this route."),
		keys.Text("maxBodySize", &r.MaxBodySize).Unquoted().Is(nginx.MaxBodySizeConstraint).Otherwise("nginx.maxBodySize").Example("100m").
			Doc("Overrides nginx.maxBodySize for this route."),
	}
}
