package settings

import (
	"fmt"
	"slices"
	"strings"

	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/internal/network"
)

// keys is the table of the stack config: every key once, with the place that its value goes to.
func keys(s *Settings) []Key {
	return []Key{
		{
			Name: "aws:region", Kind: text(&s.Region), Default: "required",
			Range: "a region whose RDS root certificates the program carries", Example: "eu-west-1",
			Doc: "The AWS region of everything. It is the aws provider's own setting.",
		},
		{
			Name: "threetier:cluster", Kind: object(clusterKeys(&s.Cluster)...), Default: "required",
			Doc: "The Kubernetes cluster that the app runs on: an EKS cluster by name, or any other by kubeconfig.",
		},
		{
			Name: "threetier:namespace", Kind: text(&s.App.Namespace), Default: "<project>-<stack>",
			Range: "1 to 63 small letters, digits and -", Example: "shop",
			Doc: "The Kubernetes namespace, which the stack creates and owns.",
		},
		{
			Name: "threetier:database", Kind: object(databaseKeys(&s.Database)...), Default: "as each key's",
			Doc: "The Amazon RDS PostgreSQL instance.",
		},
		{
			Name: "threetier:alarms", Default: "no alarms",
			Doc: "Where alarms and RDS events go.",
			Kind: object(Key{
				Name: "topicArn", Kind: text(&s.Database.AlarmTopicARN), Default: "no alarms, no event subscriptions",
				Range: "the ARN of an SNS topic", Example: "arn:aws:sns:eu-west-1:123456789012:alerts",
				Doc: "The SNS topic that alarms and RDS events are sent to.",
			}),
		},
		{
			Name: "threetier:backend", Kind: object(backendKeys(&s.App.Backend)...), Default: "required",
			Doc: "The API: any image that answers HTTP and wants a PostgreSQL database.",
		},
		{
			Name: "threetier:frontend", Kind: object(frontendKeys(&s.App.Frontend)...), Default: "required",
			Doc: "What serves the pages: any image that answers HTTP.",
		},
		{
			Name: "threetier:nginx", Kind: object(nginxKeys(&s.App.Nginx)...), Default: "as each key's",
			Doc: "The way in: nginx behind a load balancer.",
		},
	}
}

func clusterKeys(c *cluster.ClusterArgs) []Key {
	return []Key{
		{
			Name: "eks", Kind: text(&c.EKS), Default: "none", Example: "acme-prod",
			Doc: "Name of the EKS cluster: its endpoint, credentials and network are looked up. Required, or kubeconfig instead.",
		},
		{
			Name: "kubeconfig", Kind: secretText(&c.Kubeconfig), Default: "none", Example: "{secure: …}", Secret: true,
			Doc: "Content of a kubeconfig file, for any other cluster; database.network is required with it.",
		},
		{
			Name: "context", Kind: text(&c.Context), Default: "the kubeconfig's current one", Example: "admin@acme",
			Doc: "Context of the kubeconfig.",
		},
	}
}

func databaseKeys(d *database.DatabaseArgs) []Key {
	return slices.Concat(databaseSizeKeys(d), databaseAccessKeys(d), databaseDataKeys(d))
}

func databaseSizeKeys(d *database.DatabaseArgs) []Key {
	return []Key{
		{
			Name: "lifecycle", Kind: text(&d.Lifecycle), Default: string(database.DefaultLifecycle),
			Range: "disposable, durable, retiring", Example: "durable",
			Doc: "How the database ends. disposable: deleted with the stack. durable: can't be deleted, must meet or waive every " +
				"Security Hub control. retiring: a durable one that may now be deleted, leaving a final snapshot.",
		},
		{
			Name: "engineVersion", Kind: version(&d.EngineVersion), Default: fmt.Sprintf("%q", database.DefaultEngineVersion),
			Range: strings.Join(database.EngineVersions, ", "), Example: `"17"`,
			Doc: "PostgreSQL major; minors are installed automatically.",
		},
		{
			Name: "allowMajorVersionUpgrade", Kind: flag(&d.AllowMajorVersionUpgrade), Default: "false", Example: "true",
			Doc: "Lets a changed engineVersion upgrade the instance, at once rather than in the maintenance window. Remove it afterwards.",
		},
		{
			Name: "instanceClass", Kind: text(&d.InstanceClass), Default: database.DefaultInstanceClass,
			Range: "an RDS class for PostgreSQL", Example: "db.m7g.large", Doc: "Size of the machine.",
		},
		{
			Name: "storageGiB", Kind: optionalNumber(&d.StorageGiB), Default: fmt.Sprint(database.DefaultStorageGiB),
			Range: span(database.MinStorageGiB, database.MaxStorageGiB), Example: "100", Doc: "Size of the gp3 volume at creation, in GiB.",
		},
		{
			Name: "maxStorageGiB", Kind: optionalNumber(&d.MaxStorageGiB),
			Default: fmt.Sprintf("%d times storageGiB", database.DefaultStorageGrowth),
			Range:   fmt.Sprintf("a tenth above storageGiB to %d, or 0", database.MaxStorageGiB), Example: "500",
			Doc: "How far the volume grows by itself, in GiB. 0: not at all.",
		},
		{
			Name: "multiAz", Kind: optionalFlag(&d.MultiAZ), Default: "false where disposable, else true", Example: "true",
			Doc: "Keeps a standby in a second zone, which takes over by itself.",
		},
		{
			Name: "backupRetentionDays", Kind: optionalNumber(&d.BackupRetentionDays), Default: "1 where disposable, else 7",
			Range: fmt.Sprintf("the default to %d", database.MaxBackupRetentionDays), Example: "14",
			Doc: "How long automated backups, and with them any point in time, can be restored.",
		},
	}
}

func databaseAccessKeys(d *database.DatabaseArgs) []Key {
	return []Key{
		{
			Name: "port", Kind: optionalNumber(&d.Port), Default: fmt.Sprint(database.DefaultPort),
			Range: span(database.MinPort, database.MaxPort), Example: "5433", Doc: "TCP port.",
		},
		{
			Name: "name", Kind: text(&d.Name), Default: database.DefaultDatabaseName,
			Range: "1 to 63 letters, digits and _, none that RDS keeps for itself", Example: "shop",
			Doc: "The database inside the instance. Changing it replaces the instance.",
		},
		{
			Name: "username", Kind: text(&d.Username), Default: database.DefaultUsername,
			Range: "1 to 63 letters, digits and _, none that RDS keeps for itself", Example: "shop_admin",
			Doc: "The administrator that the backend connects as. Changing it replaces the instance.",
		},
		{
			Name: "password", Kind: text(&d.Password), Default: "generated", Secret: true, Example: "{secure: …}",
			Range: `8 to 128 printable ASCII characters without space, /, @ and "`, Doc: "A password of your own.",
		},
		{
			Name: "passwordVersion", Kind: optionalNumber(&d.PasswordVersion), Default: fmt.Sprint(database.DefaultPasswordVersion),
			Range: "1 or more", Example: "2", Doc: "Raise it to rotate the generated password.",
		},
	}
}

func databaseDataKeys(d *database.DatabaseArgs) []Key {
	return []Key{
		{
			Name: "parameters", Kind: textMap(&d.Parameters), Default: "{}", Example: `{log_min_duration_statement: "500"}`,
			Range: "settings that RDS lets a parameter group change",
			Doc:   "PostgreSQL settings. Static ones take effect at the next restart. rds.force_ssl is always 1.",
		},
		{
			Name: "readReplicas", Kind: number(&d.ReadReplicas), Default: "0", Range: span(0, database.MaxReadReplicas), Example: "1",
			Doc: "Read-only copies beside the instance; the first is {readerHost} in databaseEnv.",
		},
		{
			Name: "restoreFrom", Kind: text(&d.RestoreFrom), Default: "none", Example: "threetier-prod-database-final-0a1b2c3d",
			Doc: "Snapshot to create the instance from. Without effect once the instance exists.",
		},
		{
			Name: "backupPlan", Kind: text(&d.BackupPlan), Default: "none", Example: "daily",
			Doc: "Value of the instance's tag " + database.BackupPlanTag + ", by which an AWS Backup plan of the account selects it.",
		},
		{
			Name: "waive", Kind: textMap(&d.Waive), Default: "{}", Example: `{RDS.5: "one zone is enough for dev"}`,
			Doc: "Security Hub controls that this stack does without, each with the reason. One that is met, or unknown, is refused.",
		},
		{
			Name: "network", Default: "as each key's",
			Kind: object(networkKeys(&d.Network)...), Doc: "Where the database lives. All of it is required where the cluster is given by kubeconfig.",
		},
	}
}

func networkKeys(n *network.Network) []Key {
	return []Key{
		{Name: "vpcId", Kind: text(&n.VPCID), Default: "the EKS cluster's", Example: "vpc-0123abcd", Doc: "The VPC."},
		{
			Name: "subnetIds", Kind: texts(&n.SubnetIDs), Default: "the EKS cluster's private ones", Range: "two zones at least",
			Example: "[subnet-0123abcd, subnet-4567cdef]", Doc: "Private subnets.",
		},
		{
			Name: "clientSecurityGroupIds", Kind: texts(&n.ClientSecurityGroupIDs), Default: "the EKS cluster's own", Range: "one at least",
			Example: "[sg-0123abcd]", Doc: "Security groups whose members may connect.",
		},
	}
}

func backendKeys(b *app.BackendArgs) []Key {
	workload := workloadKeys(&b.WorkloadArgs, workloadDefaults{
		port: app.DefaultBackendPort, healthPath: app.DefaultBackendHealthPath,
		minReplicas: app.DefaultBackendMinReplicas, maxReplicas: app.DefaultBackendMaxReplicas,
		cpu: app.DefaultBackendCPU, memory: app.DefaultBackendMemory,
	})
	return append(workload, []Key{
		{
			Name: "migrate", Kind: texts(&b.Migrate), Default: "none", Example: "[alembic, upgrade, head]",
			Doc: "Command that brings the schema up to date: runs to success before every rollout, with the backend's image and env.",
		},
		{
			Name: "migrateSeconds", Kind: optionalNumber(&b.MigrateSeconds), Default: fmt.Sprint(app.DefaultMigrateSeconds),
			Range: span(1, 86400), Example: "3600", Doc: "How long migrate may take, in seconds.",
		},
		{
			Name: "databaseEnv", Kind: textMap(&b.DatabaseEnv),
			Default: "DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_SSLMODE, DB_SSLROOTCERT, DATABASE_URL",
			Range:   "the parts {host}, {readerHost}, {port}, {name}, {username}, {password}, {caFile}",
			Example: `{PGHOST: "{host}", PGPASSWORD: "{password}"}`,
			Doc:     "Environment variables that tell the backend of its database, by template. Given, it replaces the default set.",
		},
	}...)
}

func frontendKeys(f *app.FrontendArgs) []Key {
	return workloadKeys(&f.WorkloadArgs, workloadDefaults{
		port: app.DefaultFrontendPort, healthPath: app.DefaultFrontendHealthPath,
		minReplicas: app.DefaultFrontendMinReplicas, maxReplicas: app.DefaultFrontendMaxReplicas,
		cpu: app.DefaultFrontendCPU, memory: app.DefaultFrontendMemory,
	})
}

// workloadDefaults are the words for a component's own defaults.
type workloadDefaults struct {
	port, minReplicas, maxReplicas int
	healthPath, cpu, memory        string
}

func workloadKeys(w *app.WorkloadArgs, d workloadDefaults) []Key {
	return []Key{
		{
			Name: "image", Kind: text(&w.Image), Default: "required", Example: "ghcr.io/acme/app@sha256:…",
			Doc: "The container image, best by digest.",
		},
		{
			Name: "port", Kind: optionalNumber(&w.Port), Default: fmt.Sprint(d.port), Range: span(1, 65535), Example: "3000",
			Doc: "Port that the container listens on.",
		},
		{
			Name: "command", Kind: texts(&w.Command), Default: "the image's entrypoint", Example: "[uvicorn, app.main:app]",
			Doc: "Replaces the image's entrypoint.",
		},
		{Name: "args", Kind: texts(&w.Args), Default: "the image's command", Example: `[--port, "3000"]`, Doc: "Replaces the image's command."},
		{
			Name: "healthPath", Kind: text(&w.HealthPath), Default: d.healthPath, Range: "a path from / on", Example: "/readyz",
			Doc: "Answers 2xx or 3xx when the app can serve: readiness and startup.",
		},
		{
			Name: "livePath", Kind: text(&w.LivePath), Default: "whether the port accepts connections", Range: "a path from / on",
			Example: "/healthz", Doc: "Fails only when a restart would help: it should not look at the database.",
		},
		{Name: "replicas", Kind: object(replicaKeys(&w.Replicas, d.minReplicas, d.maxReplicas)...), Default: "as each key's", Doc: replicasDoc},
		{Name: "resources", Kind: object(resourceKeys(&w.Resources, d.cpu, d.memory)...), Default: "as each key's", Doc: "What one pod gets."},
		{
			Name: "runAsUser", Kind: optionalNumber(&w.RunAsUser), Default: fmt.Sprint(app.DefaultRunAsUser),
			Range: "1 or more", Example: "1000", Doc: "User and group id, for images that insist on their own.",
		},
		{
			Name: "writablePaths", Kind: texts(&w.WritablePaths), Default: "[" + app.WritableTmp + "]", Example: "[/tmp, /var/cache/app]",
			Doc: "Directories that the app writes to, empty at start; the rest of the file system is read-only.",
		},
		rolloutSecondsKey(&w.RolloutSeconds, app.DefaultRolloutSeconds),
		{
			Name: "env", Kind: environment(&w.Env, false), Default: "{}", Example: "{LOG_LEVEL: info}", Secret: true,
			Doc: "Environment variables. Where any value of the workload is secret, all of these are kept in its Secret.",
		},
		{
			Name: "secretEnv", Kind: environment(&w.SecretEnv, true), Default: "{}", Example: "{JWT_SECRET_KEY: {secure: …}}", Secret: true,
			Doc: "Environment variables that are kept in a Kubernetes Secret.",
		},
	}
}

func rolloutSecondsKey(into **int, byDefault int) Key {
	return Key{
		Name: "rolloutSeconds", Kind: optionalNumber(into), Default: fmt.Sprint(byDefault),
		Range: span(20, 3600), Example: "120",
		Doc: "How long a rollout may take before it counts as failed, in seconds: pods that start slowly want more.",
	}
}

const replicasDoc = "How many pods run. An autoscaler exists where min and max differ."

func replicaKeys(r *app.ReplicaArgs, low, high int) []Key {
	return []Key{
		{
			Name: "min", Kind: optionalNumber(&r.Min), Default: fmt.Sprint(low), Range: span(1, app.MaxReplicas), Example: "2",
			Doc: "The least number of pods.",
		},
		{
			Name: "max", Kind: optionalNumber(&r.Max), Default: fmt.Sprint(high), Range: fmt.Sprintf("min to %d", app.MaxReplicas), Example: "10",
			Doc: "The largest number of pods.",
		},
	}
}

func resourceKeys(r *app.ResourceArgs, cpu, memory string) []Key {
	return []Key{
		{
			Name: "cpu", Kind: version(&r.CPU), Default: cpu, Range: `cores, as "2", or thousandths, as 100m`, Example: "250m",
			Doc: "What the scheduler reserves. The limit is the next whole core.",
		},
		{
			Name: "memory", Kind: text(&r.Memory), Default: memory, Range: "a size in Mi or Gi", Example: "512Mi",
			Doc: "What is reserved, and the limit.",
		},
	}
}

func nginxKeys(n *app.NginxArgs) []Key {
	return []Key{
		{
			Name: "image", Kind: text(&n.Image), Default: app.DefaultNginxImage, Range: "nginx 1.22 or later, unprivileged",
			Example: app.DefaultNginxImage, Doc: "The nginx image.",
		},
		{
			Name: "replicas", Default: "as each key's", Doc: replicasDoc,
			Kind: object(replicaKeys(&n.Replicas, app.DefaultNginxMinReplicas, app.DefaultNginxMaxReplicas)...),
		},
		{
			Name: "resources", Default: "as each key's", Doc: "What one pod gets.",
			Kind: object(resourceKeys(&n.Resources, app.DefaultNginxCPU, app.DefaultNginxMemory)...),
		},
		{
			Name: "routes", Kind: objects(&n.Routes, routeKeys), Default: "[{path: /api, to: backend}, {path: /, to: frontend}]",
			Example: "[{path: /api, to: backend, timeoutSeconds: 120}, {path: /, to: frontend}]",
			Doc:     "Which path leads where. The longest prefix wins.",
		},
		{
			Name: "maxBodySize", Kind: version(&n.MaxBodySize), Default: app.DefaultMaxBodySize, Range: bodyRange, Example: "25m",
			Doc: "The largest request body.",
		},
		{
			Name: "timeoutSeconds", Kind: optionalNumber(&n.TimeoutSeconds), Default: fmt.Sprint(app.DefaultTimeoutSeconds),
			Range: span(1, 3600), Example: "30", Doc: "How long nginx waits for the next byte of an answer, in seconds.",
		},
		{
			Name: "drainSeconds", Kind: optionalNumber(&n.DrainSeconds), Default: fmt.Sprint(app.DefaultDrainSeconds),
			Range: span(5, 3600), Example: "10",
			Doc: "How long a pod that is to stop serves on, in seconds, until the load balancer sends it nothing any more.",
		},
		rolloutSecondsKey(&n.RolloutSeconds, app.DefaultNginxRolloutSeconds),
		{
			Name: "certificateArn", Kind: text(&n.CertificateArn), Default: "none: plain HTTP", Range: "the ARN of an ACM certificate",
			Example: "arn:aws:acm:eu-west-1:123456789012:certificate/…", Doc: "TLS ends at the load balancer, and HTTP is redirected.",
		},
		{
			Name: "internal", Kind: flag(&n.Internal), Default: "false", Example: "true",
			Doc: "A load balancer that only the network reaches.",
		},
		{
			Name: "loadBalancer", Default: "as each key's", Doc: "Adapts the Service to the cluster's load balancer controller.",
			Kind: object(
				Key{
					Name: "class", Kind: text(&n.LoadBalancer.Class), Default: "the cluster's own", Example: "eks.amazonaws.com/nlb",
					Doc: "The loadBalancerClass.",
				},
				Key{
					Name: "annotations", Kind: textMap(&n.LoadBalancer.Annotations), Default: "{}",
					Example: "{service.beta.kubernetes.io/aws-load-balancer-name: shop}",
					Doc:     "Added to the Service's own, and win over them. An empty value removes one.",
				},
			),
		},
	}
}

const bodyRange = "up to 1024m: bytes, or with k, m or g"

func routeKeys(r *app.RouteArgs) []Key {
	return []Key{
		{
			Name: "path", Kind: text(&r.Path), Default: "required", Range: "/ or whole segments", Example: "/api",
			Doc: "A prefix: /api covers /api and /api/x, not /apix.",
		},
		{Name: "to", Kind: text(&r.To), Default: "required", Range: "backend, frontend", Example: "backend", Doc: "Where it leads."},
		{
			Name: "stripPrefix", Kind: flag(&r.StripPrefix), Default: "false", Example: "true",
			Doc: "Removes the path before the request goes on.",
		},
		{
			Name: "timeoutSeconds", Kind: optionalNumber(&r.TimeoutSeconds), Default: "nginx.timeoutSeconds", Range: span(1, 3600),
			Example: "300", Doc: "Replaces nginx's own for this route.",
		},
		{
			Name: "maxBodySize", Kind: version(&r.MaxBodySize), Default: "nginx.maxBodySize", Range: bodyRange, Example: "100m",
			Doc: "Replaces nginx's own for this route.",
		},
	}
}

func span(low, high int) string { return fmt.Sprintf("%d to %d", low, high) }
