package settings

import (
	"fmt"
	"slices"
	"strconv"

	"threetier/components/alarms"
	"threetier/components/app"
	"threetier/components/app/images"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/internal/constraint"
	"threetier/internal/network"
)

// Key is one key of the stack config: what it means, and where its value goes. Decoding, the check for unknown
// keys and the reference of all keys read the same table.
type Key struct {
	// Name is the key inside its parent.
	Name string
	// Kind is what the value must look like.
	Kind Kind
	// Constraint is which values are accepted, beyond the kind, and the default; nil where every value is.
	Constraint constraint.Constraint
	// Default says what an absent key means where that is no constant: required, or dependent on others.
	Default string
	// Doc is one or two sentences for the reference.
	Doc string
	// Example is a value, written as in YAML.
	Example string
	// Secret tells that the value may be given as {secure: …}.
	Secret bool
}

// required is the Default of a key that can't be left out.
const required = "required"

// ByDefault says what an absent key means.
func (k Key) ByDefault() string {
	if k.Default != "" || k.Constraint == nil {
		return k.Default
	}
	value := fmt.Sprint(k.constant())
	if _, isText := k.constant().(string); isText && isNumber(value) {
		return strconv.Quote(value) // as YAML wants it
	}
	return value
}

// constant is the default where it depends on nothing; else nil.
func (k Key) constant() any {
	if k.Default != "" || k.Constraint == nil {
		return nil
	}
	return k.Constraint.ByDefault()
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// Accepted says which values are accepted, beyond the kind; empty where every one is.
func (k Key) Accepted() string {
	if k.Constraint == nil {
		return ""
	}
	return k.Constraint.Accepted()
}

// keys is the table of the stack config: every key once, with the place that its value goes to.
func keys(s *Settings) []Key {
	return slices.Concat([]Key{
		{
			Name: "aws:region", Kind: text(&s.Region), Default: required,
			Constraint: database.RegionConstraint, Example: "eu-west-1",
			Doc: "The AWS region of all resources. The key belongs to the aws provider.",
		},
		{
			Name: "threetier:cluster", Kind: object(clusterKeys(&s.Cluster)...), Default: required,
			Doc: "The Kubernetes cluster of the app: an EKS cluster by name, or any other cluster by kubeconfig.",
		},
		{
			Name: "threetier:namespace", Kind: text(&s.App.Namespace), Default: "<project>-<stack>",
			Constraint: app.NamespaceConstraint, Example: "shop",
			Doc: "The Kubernetes namespace, which the stack creates and owns. It can't be changed later: the app would be gone meanwhile.",
		},
		{
			Name: "threetier:adopt", Kind: text(&s.App.Adopt), Default: "none: the stack makes its namespace, and refuses one that is there",
			Example: "shop-shared",
			Doc: "The namespace again, if others made it. The stack then runs in it, changes nothing of it, and leaves it behind. " +
				"[Run in a namespace of others](cluster.md#run-in-a-namespace-of-others) lists the differences.",
		},
		{
			Name: "threetier:database", Kind: object(append(databaseKeys(&s.Database), clientImageKey(&s.App.ClientImage))...), Default: required,
			Doc: "The Amazon RDS PostgreSQL instance.",
		},
		{
			Name: "threetier:alarms", Default: "no alarms",
			Doc:  "The alarms and the dashboard. [The alarms](alarms.md) lists each one with its threshold and its source of data.",
			Kind: object(alarmKeys(&s.Alarms, &s.Database.AlarmTopicARN)...),
		},
	}, tierKeys(&s.App), []Key{
		{
			Name: "threetier:domain", Kind: optionalObject(&s.Domain, domainKeys), Default: "none: url is the load balancer's",
			Doc: "The public names of the app, with certificates, HTTPS and DNS records that the stack owns.",
		},
		{
			Name: "threetier:allowTags", Kind: text(&s.AllowTags), Default: "none: digests are required",
			Example: "our registry has no digests",
			Doc:     "The reason why a stack with a durable database names images by tag. Without it, every image that the config names must have a digest. A reason that isn't needed is refused.",
		},
		{
			Name: "threetier:registry", Kind: object(registryKeys(&s.App.Registry)...), Default: "none: public images, or images that the nodes' own role can pull",
			Doc: "The credentials for private images of one registry.",
		},
		{
			Name: "threetier:placement", Kind: object(placementKeys(&s.App.Placement)...), Default: "any node without taints",
			Doc: "The nodes that the pods of all tiers can run on.",
		},
	})
}

func alarmKeys(a *alarms.AlarmsArgs, topic *string) []Key {
	return []Key{
		{
			Name: "topicArn", Kind: text(topic), Default: "no alarms, no event subscriptions",
			Constraint: database.TopicARNConstraint, Example: "arn:aws:sns:eu-west-1:123456789012:alerts",
			Doc: "The SNS topic that receives alarms and RDS events. With it, the stack also has a dashboard.",
		},
		{
			Name: "logGroup", Kind: text(&a.LogGroup), Constraint: alarms.LogGroupConstraint, Default: "none: no alarms of requests and pods",
			Example: "/aws/containerinsights/acme-prod/application",
			Doc: "The log group to which the Amazon CloudWatch Observability add-on writes the logs of the cluster's containers. " +
				"The add-on must be installed with container logs and enhanced Container Insights, its defaults.",
		},
		{
			Name: "auditLogGroup", Kind: text(&a.AuditLogGroup), Constraint: alarms.AuditLogGroupConstraint, Default: "none: no alarms of jobs and migrations",
			Example: "/aws/eks/acme-prod/cluster",
			Doc:     "The log group to which EKS writes the cluster's audit log. The cluster's control plane logging must be on for audit.",
		},
		{
			Name: "outsideTopicArn", Kind: text(&a.OutsideTopicARN), Constraint: alarms.OutsideTopicARNConstraint, Default: "none: no check from outside",
			Example: "arn:aws:sns:us-east-1:123456789012:alerts",
			Doc: "An SNS topic in us-east-1. Route 53 then asks the site from the internet, and this topic receives an alarm if the site doesn't answer. " +
				"Route 53 has its metrics in us-east-1 alone, and an alarm's topic is in its own region. Credentials come from the environment, as aws:profile isn't used there.",
		},
		{
			Name: "slowSeconds", Kind: optionalNumber(&a.SlowSeconds), Constraint: alarms.SlowSecondsConstraint, Example: "5",
			Doc: "The latency alarm's threshold, in seconds: 95 of 100 requests must take less. It needs logGroup.",
		},
	}
}

// tierKeys are the app's tiers.
func tierKeys(a *app.AppArgs) []Key {
	return []Key{
		{
			Name: "threetier:backend", Kind: object(backendKeys(&a.Backend)...), Default: required,
			Doc: "The API: any image that answers HTTP and uses a PostgreSQL database.",
		},
		{
			Name: "threetier:frontend", Kind: optionalObject(&a.Frontend, frontendKeys), Default: "none: the backend serves / too",
			Doc: "The web pages: any image that answers HTTP.",
		},
		{
			Name: "threetier:workers", Kind: objectMap(&a.Workers, workerKeys), Constraint: app.ProcessesConstraint, Default: "{}",
			Doc: "Long-running processes of the backend's image, by name. They get the backend's environment, Secrets and network access.",
		},
		{
			Name: "threetier:jobs", Kind: objectMap(&a.Jobs, jobKeys), Constraint: app.ProcessesConstraint, Default: "{}",
			Doc: "Processes of the backend's image that end by themselves, by name: scheduled or run by hand. They get the backend's environment, Secrets and network access.",
		},
		{
			Name: "threetier:nginx", Kind: object(nginxKeys(&a.Nginx)...), Default: "as each key's",
			Doc: "The entry point: nginx behind a load balancer.",
		},
	}
}

func clusterKeys(c *cluster.ClusterArgs) []Key {
	return []Key{
		{
			Name: "eks", Kind: text(&c.EKS), Constraint: cluster.EKSConstraint, Default: "none", Example: "acme-prod",
			Doc: "Name of the EKS cluster. The program looks up its endpoint, credentials and network. Either eks or kubeconfig is required.",
		},
		{
			Name: "kubeconfig", Kind: secretText(&c.Kubeconfig), Default: "none", Example: "{secure: …}", Secret: true,
			Doc: "Content of a kubeconfig file, for any other cluster. It requires database.network.",
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
			Name: "lifecycle", Kind: text(&d.Lifecycle), Constraint: database.LifecycleConstraint, Default: required, Example: "durable",
			Doc: "The protection of the data. disposable: the database is deleted with the stack. durable: it can't be deleted, and it meets or waives every " +
				"Security Hub control. retiring: a durable database can now be deleted; a final snapshot stays.",
		},
		{
			Name: "engineVersion", Kind: version(&d.EngineVersion), Constraint: database.EngineVersionConstraint, Example: `"17"`,
			Doc: "Major version of PostgreSQL. RDS installs minor versions automatically.",
		},
		{
			Name: "allowMajorVersionUpgrade", Kind: flag(&d.AllowMajorVersionUpgrade), Default: "false", Example: "true",
			Doc: "Allows a changed engineVersion to upgrade the instance. The upgrade starts at once, not in the maintenance window. Refused where there is nothing to upgrade: remove the key afterwards.",
		},
		{
			Name: "instanceClass", Kind: text(&d.InstanceClass), Constraint: database.InstanceClassConstraint, Example: "db.m7g.large", Doc: "Processors and memory of the instance.",
		},
		{
			Name: "storageGiB", Kind: optionalNumber(&d.StorageGiB), Constraint: database.StorageGiBConstraint, Example: "100", Doc: "Size of the gp3 volume, in GiB. A larger number grows the volume. A number below the current size does nothing.",
		},
		{
			Name: "maxStorageGiB", Kind: optionalNumber(&d.MaxStorageGiB),
			Constraint: database.MaxStorageGiBConstraint, Default: fmt.Sprintf("%d times storageGiB", database.DefaultStorageGrowth), Example: "500",
			Doc: "Maximum size of automatic growth, in GiB. 0 switches off the growth.",
		},
		{
			Name: "iops", Kind: optionalNumber(&d.IOPS), Constraint: database.IOPSConstraint, Default: "what RDS doesn't charge for", Example: "16000",
			Doc: "Operations per second of a volume of 400 GiB or more. RDS sets those of a smaller one.",
		},
		{
			Name: "throughputMiBs", Kind: optionalNumber(&d.ThroughputMiBs), Constraint: database.ThroughputMiBsConstraint, Default: "what RDS doesn't charge for", Example: "1000",
			Doc: "Throughput of a volume of 400 GiB or more, in MiB per second. RDS sets that of a smaller one.",
		},
		{
			Name: "kmsKeyArn", Kind: text(&d.KMSKeyARN), Constraint: database.KMSKeyARNConstraint, Default: "the account's aws/rds key",
			Example: "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
			Doc:     "The key that encrypts the volume and its snapshots. A change replaces the instance.",
		},
		{
			Name: "multiAz", Kind: optionalFlag(&d.MultiAZ), Default: "false where disposable, else true", Example: "true",
			Doc: "Runs a standby in a second zone. RDS fails over to it automatically.",
		},
		{
			Name: "backupRetentionDays", Kind: optionalNumber(&d.BackupRetentionDays), Default: "1 where disposable, else 7",
			Constraint: database.BackupRetentionDaysConstraint, Example: "14",
			Doc: "Retention of automated backups, in days. Any point in this time can be restored.",
		},
		{
			Name: "backupWindow", Kind: text(&d.BackupWindow), Constraint: database.BackupWindowConstraint, Default: "chosen by RDS", Example: "02:00-02:30",
			Doc: "The time of the daily backup.",
		},
		{
			Name: "maintenanceWindow", Kind: text(&d.MaintenanceWindow), Constraint: database.MaintenanceWindowConstraint, Default: "chosen by RDS", Example: "sun:03:00-sun:03:30",
			Doc: "The time in which RDS may change and restart the instance and its read replicas.",
		},
	}
}

func databaseAccessKeys(d *database.DatabaseArgs) []Key {
	return []Key{
		{
			Name: "port", Kind: optionalNumber(&d.Port), Constraint: database.PortConstraint, Example: "5433", Doc: "TCP port of the database.",
		},
		{
			Name: "name", Kind: text(&d.Name), Constraint: database.NameConstraint, Example: "shop",
			Doc: "Name of the database inside the instance. A change replaces the instance.",
		},
		{
			Name: "username", Kind: text(&d.Username), Constraint: database.UsernameConstraint, Example: "shop_admin",
			Doc: "User name of the administrator, which creates the database's roles. A change replaces the instance.",
		},
		{
			Name: "password", Kind: text(&d.Password), Default: "generated", Secret: true, Example: "{secure: …}",
			Constraint: database.PasswordConstraint, Doc: "Your own password of the administrator instead of the generated one.",
		},
		{
			Name: "passwordVersion", Kind: optionalNumber(&d.PasswordVersion), Constraint: database.PasswordVersionConstraint, Example: "2", Doc: "Number of the generated passwords. The next number generates new ones, for every login.",
		},
	}
}

func databaseDataKeys(d *database.DatabaseArgs) []Key {
	return []Key{
		{
			Name: "parameters", Kind: textMap(&d.Parameters), Default: "{}", Example: `{log_min_duration_statement: "500"}`,
			Constraint: database.ParametersConstraint,
			Doc: "PostgreSQL settings. Static settings take effect at the next restart. rds.force_ssl is always 1. By default, " +
				"client_connection_check_interval and tcp_keepalives_* end the statements of a client that is gone, within 30 seconds; 0 leaves one of them to RDS.",
		},
		{
			Name: "extensions", Kind: texts(&d.Extensions), Constraint: database.ExtensionsConstraint, Default: "[]", Example: "[pgcrypto, vector]",
			Doc: "PostgreSQL extensions. The administrator creates them before the migration.",
		},
		{
			Name: "readReplicas", Kind: number(&d.ReadReplicas), Constraint: database.ReadReplicasConstraint, Example: "1",
			Doc: "Number of read replicas. {readerHost} in databaseEnv is the first one.",
		},
		{
			Name: "restoreFrom", Kind: text(&d.RestoreFrom), Constraint: database.RestoreFromConstraint, Default: "none", Example: "threetier-prod-database-final-0a1b2c3d",
			Doc: "Name of the snapshot that a new instance starts from. It has no effect on an existing instance.",
		},
		{
			Name: "backupPlan", Kind: text(&d.BackupPlan), Constraint: database.BackupPlanConstraint, Default: "none", Example: "daily",
			Doc: "Value of the instance's tag " + database.BackupPlanTag + ". An AWS Backup plan of the account selects the instance by this tag.",
		},
		{
			Name: "waive", Kind: textMap(&d.Waive), Constraint: database.WaiveConstraint, Default: "{}", Example: `{RDS.5: "one zone is enough for dev"}`,
			Doc: "Security Hub controls that this stack doesn't need to meet, each with the reason. A control that is met or unknown is refused. " +
				"Without RDS.8, the read replicas of a durable database can be deleted; the database itself can't.",
		},
		{
			Name: "network", Default: "as each key's",
			Kind: object(networkKeys(&d.Network)...), Doc: "The network of the database. All its keys are required with a kubeconfig.",
		},
	}
}

func clientImageKey(into *string) Key {
	return Key{
		Name: "clientImage", Kind: text(into), Constraint: pods.ImageConstraint.WithDefault(images.Client), Example: "ghcr.io/acme/psql@sha256:…",
		Doc: "An image with a shell and psql 15 or later. It creates the database's roles.",
	}
}

func networkKeys(n *network.Network) []Key {
	return []Key{
		{
			Name: "vpcId", Kind: text(&n.VPCID), Constraint: network.VPCIDConstraint, Default: "the EKS cluster's",
			Example: "vpc-0123abcd", Doc: "VPC of the database.",
		},
		{
			Name: "subnetIds", Kind: texts(&n.SubnetIDs), Default: "the EKS cluster's private ones",
			Constraint: network.SubnetIDsConstraint, Example: "[subnet-0123abcd, subnet-4567cdef]", Doc: "Private subnets of the database.",
		},
		{
			Name: "clientSecurityGroupIds", Kind: texts(&n.ClientSecurityGroupIDs), Default: "the EKS cluster's own",
			Constraint: network.ClientSecurityGroupIDsConstraint, Example: "[sg-0123abcd]", Doc: "Security groups whose members can connect to the database.",
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
		egressKey(&b.Egress, app.EgressToConstraint, required, "The migration has the same ways."),
		{
			Name: "permissions", Kind: objects(&b.Permissions, permissionKeys), Default: "none: no AWS role",
			Example: `[{actions: [s3:GetObject], resources: ["arn:aws:s3:::acme-uploads/*"]}]`,
			Doc:     "AWS rights of the pods and the migration. They get their own IAM role by EKS Pod Identity.",
		},
		{
			Name: "permissionsBoundary", Kind: text(&b.PermissionsBoundary), Constraint: app.PermissionsBoundaryConstraint, Default: "none",
			Example: "arn:aws:iam::123456789012:policy/apps", Doc: "Managed policy that limits the role of permissions.",
		},
		{
			Name: "migrate", Kind: texts(&b.Migrate), Constraint: app.MigrateConstraint, Default: "none", Example: "[alembic, upgrade, head]",
			Doc: "Command that updates the database schema. It must succeed before every rollout. It runs with the backend's image and environment.",
		},
		{
			Name: "migrateSeconds", Kind: optionalNumber(&b.MigrateSeconds), Constraint: app.MigrateSecondsConstraint, Example: "3600", Doc: "Time limit of migrate, in seconds.",
		},
		{
			Name: "skipMigration", Default: "none: migrate is run", Kind: object(skipMigrationKeys(&b.SkipMigration)...),
			Doc: "Runs one image without its migrate, for a rollback to an image whose migrate fails on the newer schema.",
		},
		{
			Name: "connectionsPerPod", Kind: optionalNumber(&b.ConnectionsPerPod), Constraint: app.ConnectionsPerPodConstraint, Example: "10",
			Doc: "The most database connections that one pod opens: the size of its pool times its processes. A worker's pod counts alike, a job for one and the migration for two. " +
				"If the pods of a rollout need more connections than the instance class has, the config is refused.",
		},
		{
			Name: "databaseEnv", Kind: textMap(&b.DatabaseEnv),
			Default:    "DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_SSLMODE, DB_SSLROOTCERT, DATABASE_URL, PGSSLMODE, PGSSLROOTCERT",
			Constraint: app.DatabaseEnvConstraint,
			Example:    `{PGHOST: "{host}", PGPASSWORD: "{password}"}`,
			Doc:        "Environment variables with the database connection, as templates. They replace the whole default set.",
		},
	}...)
}

func skipMigrationKeys(s *app.SkipMigrationArgs) []Key {
	return []Key{
		{
			Name: "image", Kind: text(&s.Image), Default: required, Example: "ghcr.io/acme/app@sha256:…",
			Doc: "The image that runs without migrate: the same as backend.image. With another backend.image the config is refused.",
		},
		{
			Name: "reason", Kind: text(&s.Reason), Constraint: app.ReasonConstraint, Default: required,
			Example: "1.4 fails on the schema of 1.5", Doc: "Why. Every preview and every up shows it.",
		},
	}
}

func frontendKeys(f *app.FrontendArgs) []Key {
	workload := workloadKeys(&f.WorkloadArgs, workloadDefaults{
		port: app.DefaultFrontendPort, healthPath: app.DefaultFrontendHealthPath,
		minReplicas: app.DefaultFrontendMinReplicas, maxReplicas: app.DefaultFrontendMaxReplicas,
		cpu: app.DefaultFrontendCPU, memory: app.DefaultFrontendMemory,
	})
	return append(workload, egressKey(&f.Egress, app.FrontendEgressToConstraint, "the backend's, with to: backend; else required",
		"A frontend that renders pages on the server calls "+app.BackendServiceName+" with to: backend."))
}

// egressKey is the list of a tier's ways out.
func egressKey(into *[]app.EgressArgs, to constraint.Text, ports, doc string) Key {
	return Key{
		Name: "egress", Default: "none", Example: "[{to: internet, ports: [443, 587]}, {to: 10.20.0.0/16, ports: [6379]}]",
		Doc: "Connections that the pods can open, besides the ones that they always need. " + doc,
		Kind: objects(into, func(way *app.EgressArgs) []Key {
			return []Key{
				{
					Name: "to", Kind: text(&way.To), Constraint: to, Default: required, Example: "internet",
					Doc: "internet is every public address. A network never opens the metadata services in it (169.254.0.0/16, fd00:ec2::/32).",
				},
				{
					Name: "ports", Kind: numbers(&way.Ports), Constraint: app.EgressPortsConstraint, Default: ports, Example: "[443]",
					Doc: "TCP ports.",
				},
			}
		}),
	}
}

// workloadDefaults are the words for a component's own defaults.
type workloadDefaults struct {
	port, minReplicas, maxReplicas int
	healthPath, cpu, memory        string
}

func workloadKeys(w *app.WorkloadArgs, d workloadDefaults) []Key {
	return []Key{
		{
			Name: "image", Kind: text(&w.Image), Constraint: pods.ImageConstraint, Default: required, Example: "ghcr.io/acme/app@sha256:…",
			Doc: "Container image, preferably by digest.",
		},
		{
			Name: "port", Kind: optionalNumber(&w.Port), Constraint: app.WorkloadPortConstraint.WithDefault(d.port), Example: "3000",
			Doc: "Port that the container listens on.",
		},
		{
			Name: "formerPort", Kind: optionalNumber(&w.FormerPort), Constraint: app.FormerPortConstraint, Default: "none", Example: "8000",
			Doc: "The port before a change of port. The Service and the network policies keep it open too, until this key is removed. " +
				"A change of port on a running stack is refused without it.",
		},
		{
			Name: "command", Kind: texts(&w.Command), Default: "the image's entrypoint", Example: "[uvicorn, app.main:app]",
			Doc: "Replaces the image's entrypoint.",
		},
		{Name: "args", Kind: texts(&w.Args), Default: "the image's command", Example: `[--port, "3000"]`, Doc: "Replaces the image's command."},
		{
			Name: "healthPath", Kind: text(&w.HealthPath), Constraint: app.URLPathConstraint.WithDefault(d.healthPath), Example: "/readyz",
			Doc: "Path of the readiness and startup probes. It answers 2xx or 3xx when the app can serve.",
		},
		{
			Name: "livePath", Kind: text(&w.LivePath), Constraint: app.URLPathConstraint, Default: "a check of the TCP port",
			Example: "/healthz", Doc: "Path of the liveness probe. It should fail only if a restart helps, so it should not check the database.",
		},
		{Name: "replicas", Kind: object(replicaKeys(&w.Replicas, d.minReplicas, d.maxReplicas)...), Default: "as each key's", Doc: replicasDoc},
		{Name: "resources", Kind: object(resourceKeys(&w.Resources, d.cpu, d.memory)...), Default: "as each key's", Doc: "CPU and memory of one pod."},
		{
			Name: "runAsUser", Kind: optionalNumber(&w.RunAsUser), Constraint: app.RunAsUserConstraint, Example: "1000", Doc: "User and group id of the container, for images that need a specific one.",
		},
		{
			Name: "writablePaths", Kind: texts(&w.WritablePaths), Constraint: app.WritablePathsConstraint,
			Default: "[" + pods.WritableTmp + "]", Example: "[/tmp, /var/cache/app]",
			Doc: "Writable directories, empty at start. The rest of the file system is read-only.",
		},
		rolloutSecondsKey(&w.RolloutSeconds, pods.DefaultRolloutSeconds),
		{
			Name: "minReadySeconds", Kind: optionalNumber(&w.MinReadySeconds), Constraint: app.MinReadySecondsConstraint, Example: "30",
			Doc: "Time that a new pod must stay ready before the rollout goes on, in seconds. A pod that fails in this time fails the rollout.",
		},
		{
			Name: "env", Kind: environment(&w.Env, false), Constraint: pods.EnvConstraint, Default: "{}", Example: "{LOG_LEVEL: info}", Secret: true,
			Doc: "Environment variables. If any value of the workload is secret, all of them are stored in its Secret.",
		},
		{
			Name: "secretEnv", Kind: environment(&w.SecretEnv, true), Constraint: pods.EnvConstraint, Default: "{}", Example: "{JWT_SECRET_KEY: {secure: …}}", Secret: true,
			Doc: "Environment variables that are stored in a Kubernetes Secret.",
		},
	}
}

func rolloutSecondsKey(into **int, byDefault int) Key {
	return Key{
		Name: "rolloutSeconds", Kind: optionalNumber(into), Constraint: pods.RolloutSecondsConstraint.WithDefault(byDefault), Example: "120",
		Doc: "Time limit of a rollout, in seconds. Pods that start slowly need more time.",
	}
}

// processKeys are what workers and jobs have in common. A key comes from the caller between the command and the rest.
func processKeys(p *app.ProcessArgs, own ...Key) []Key {
	egress := egressKey(&p.Egress, app.EgressToConstraint, required, "They replace the backend's; [] closes all.")
	egress.Default = "the backend's"
	return slices.Concat([]Key{{
		Name: "command", Kind: texts(&p.Command), Constraint: app.CommandConstraint, Default: required, Example: "[python3, -m, app.worker]",
		Doc: "The process. It replaces the image's entrypoint.",
	}}, own, []Key{
		{
			Name: "resources", Kind: object(resourceKeys(&p.Resources, app.DefaultBackendCPU, app.DefaultBackendMemory)...),
			Default: "as each key's", Doc: "CPU and memory of one pod.",
		},
		{
			Name: "env", Kind: environment(&p.Env, false), Constraint: pods.EnvConstraint, Default: "{}", Example: "{LOG_LEVEL: debug}", Secret: true,
			Doc: "Environment variables beside the backend's. They replace those of the same name.",
		},
		{
			Name: "secretEnv", Kind: environment(&p.SecretEnv, true), Constraint: pods.EnvConstraint, Default: "{}", Example: "{SMTP_PASSWORD: {secure: …}}", Secret: true,
			Doc: "Environment variables that are stored in a Kubernetes Secret of the process.",
		},
		egress,
	})
}

func workerKeys(w *app.WorkerArgs) []Key {
	return processKeys(&w.ProcessArgs, []Key{
		{
			Name: "replicas", Default: "as each key's", Doc: replicasDoc,
			Kind: object(replicaKeys(&w.Replicas, app.DefaultWorkerReplicas, app.DefaultWorkerReplicas)...),
		},
		{
			Name: "stopSeconds", Kind: optionalNumber(&w.StopSeconds), Constraint: app.StopSecondsConstraint, Example: "120",
			Doc: "Time that the process has after SIGTERM to finish its work in hand, in seconds.",
		},
		{
			Name: "healthCommand", Kind: texts(&w.HealthCommand), Constraint: app.HealthCommandConstraint, Default: "none",
			Example: "[python3, -m, app.worker, --check]",
			Doc:     "Command that succeeds in the container while the process is healthy. If it fails three times, the container is restarted.",
		},
	}...)
}

func jobKeys(j *app.JobArgs) []Key {
	return processKeys(&j.ProcessArgs, []Key{
		{
			Name: "schedule", Kind: text(&j.Schedule), Constraint: app.ScheduleConstraint, Default: "none: run by hand", Example: `"0 3 * * *"`,
			Doc: "Cron expression. Two scheduled runs never overlap: a run that is due waits up to 10 minutes for the one before it, then it is left out.",
		},
		{
			Name: "timeZone", Kind: text(&j.TimeZone), Constraint: app.TimeZoneConstraint, Example: "Europe/Berlin", Doc: "Time zone of the schedule.",
		},
		{
			Name: "timeoutSeconds", Kind: optionalNumber(&j.TimeoutSeconds), Constraint: app.JobTimeoutSecondsConstraint, Example: "7200",
			Doc: "Time limit of a run with its retries, in seconds.",
		},
		{
			Name: "retries", Kind: optionalNumber(&j.Retries), Constraint: app.RetriesConstraint, Example: "2",
			Doc: "Number of times that a failed run is tried again, in a new pod.",
		},
	}...)
}

const replicasDoc = "Number of pods. If min and max differ, an autoscaler sets it."

func replicaKeys(r *pods.ReplicaArgs, low, high int) []Key {
	return []Key{
		{
			Name: "min", Kind: optionalNumber(&r.Min), Constraint: pods.MinReplicasConstraint.WithDefault(low), Example: "2",
			Doc: "Minimum number of pods.",
		},
		{
			Name: "max", Kind: optionalNumber(&r.Max), Constraint: pods.MaxReplicasConstraint.WithDefault(high), Example: "10",
			Doc: "Maximum number of pods.",
		},
	}
}

func resourceKeys(r *pods.ResourceArgs, cpu, memory string) []Key {
	return []Key{
		{
			Name: "cpu", Kind: version(&r.CPU), Constraint: pods.CPUConstraint.WithDefault(cpu), Example: "250m",
			Doc: "CPU request. The limit is the request, rounded up to whole cores.",
		},
		{
			Name: "memory", Kind: text(&r.Memory), Constraint: pods.MemoryConstraint.WithDefault(memory), Example: "512Mi",
			Doc: "Memory request and limit.",
		},
	}
}

func nginxKeys(n *nginx.Args) []Key {
	return slices.Concat(nginxTierKeys(n), nginxClientKeys(n), nginxLoadBalancerKeys(n))
}

func nginxTierKeys(n *nginx.Args) []Key {
	return []Key{
		{
			Name: "image", Kind: text(&n.Image), Constraint: pods.ImageConstraint.WithDefault(images.Nginx),
			Example: "ghcr.io/acme/nginx@sha256:…", Doc: "An nginx image, 1.22 or later, that can run as any user.",
		},
		{
			Name: "replicas", Default: "as each key's", Doc: replicasDoc,
			Kind: object(replicaKeys(&n.Replicas, nginx.DefaultMinReplicas, nginx.DefaultMaxReplicas)...),
		},
		{
			Name: "resources", Default: "as each key's", Doc: "CPU and memory of one pod.",
			Kind: object(resourceKeys(&n.Resources, nginx.DefaultCPU, nginx.DefaultMemory)...),
		},
		{
			Name: "routes", Kind: objects(&n.Routes, routeKeys), Constraint: nginx.RoutesConstraint,
			Default: "[{path: /api, to: backend}, {path: /, to: frontend}]; without threetier:frontend [{path: /, to: backend}]",
			Example: "[{path: /api, to: backend, timeoutSeconds: 120}, {path: /, to: frontend}]",
			Doc:     "The target of each path. nginx uses the longest prefix that matches.",
		},
		{
			Name: "maxBodySize", Kind: version(&n.MaxBodySize), Constraint: nginx.MaxBodySizeConstraint, Example: "25m",
			Doc: "Maximum size of a request body.",
		},
		{
			Name: "timeoutSeconds", Kind: optionalNumber(&n.TimeoutSeconds), Constraint: nginx.TimeoutSecondsConstraint, Example: "30", Doc: "Time that nginx waits for the next byte of a response, in seconds.",
		},
		{
			Name: "drainSeconds", Kind: optionalNumber(&n.DrainSeconds), Constraint: nginx.DrainSecondsConstraint, Example: "10",
			Doc: "Time that a stopping pod continues to serve, in seconds. The load balancer must stop sending it requests in this time.",
		},
		rolloutSecondsKey(&n.RolloutSeconds, nginx.DefaultRolloutSeconds),
	}
}

func nginxClientKeys(n *nginx.Args) []Key {
	return []Key{
		{
			Name: "certificateArn", Kind: text(&n.CertificateArn), Constraint: nginx.CertificateArnConstraint, Default: "those of threetier:domain, else none: plain HTTP",
			Example: "arn:aws:acm:eu-west-1:123456789012:certificate/…", Doc: "ACM certificate of the load balancer, made by hand. The load balancer ends TLS, and nginx redirects HTTP to HTTPS.",
		},
		{
			Name: "redirect", Kind: optionalFlag(&n.Redirect), Default: "true", Example: "false",
			Doc: "Redirects HTTP to HTTPS if there is a certificate. Set it to false while you add a certificate to an app in use: HTTP is served until HTTPS works.",
		},
		{
			Name: "trustedProxies", Kind: texts(&n.TrustedProxies), Constraint: nginx.TrustedProxiesConstraint, Default: "[]",
			Example: "[10.0.0.0/16]", Doc: "Networks of proxies in front of the load balancer. nginx takes the client's address and scheme from their X-Forwarded-For and X-Forwarded-Proto. What they got by HTTPS isn't redirected.",
		},
		{
			Name: "hosts", Kind: texts(&n.Hosts), Constraint: nginx.HostsConstraint, Default: "the names of threetier:domain once they have certificates, else any host",
			Example: "[shop.example.org]", Doc: "Host names that nginx answers for, besides those of threetier:domain. Requests for another host get 421.",
		},
		{
			Name: "limits", Default: "as each key's", Doc: "Limits of what clients can use of one nginx pod. A request above a limit gets 503, above a rate 429.",
			Kind: object(
				Key{
					Name: "requests", Kind: optionalNumber(&n.Limits.Requests), Constraint: nginx.RequestsConstraint, Default: "from nginx.resources.memory",
					Example: "100", Doc: "Maximum number of requests at the same time. An open WebSocket is one. The default fits in half of the memory: 72 in 128Mi, 162 in 256Mi.",
				},
				Key{
					Name: "requestsPerClient", Kind: optionalNumber(&n.Limits.RequestsPerClient), Constraint: nginx.RequestsPerClientConstraint, Default: "an eighth of requests, at least 6",
					Example: "30", Doc: "Maximum number of requests of one client at the same time. A client is an IPv4 address or an IPv6 /64 network.",
				},
				Key{
					Name: "uploads", Kind: optionalNumber(&n.Limits.Uploads), Constraint: nginx.UploadsConstraint, Default: "1 GiB of disk divided by maxBodySize, at least 4",
					Example: "20", Doc: "Maximum number of request bodies of 100 kB or more at the same time, for each maxBodySize. One client gets an eighth of them.",
				},
				Key{
					Name: "ratePerClient", Kind: optionalNumber(&n.Limits.RatePerClient), Constraint: nginx.RatePerClientConstraint,
					Example: "50", Doc: "Maximum number of requests of one client per second, with a burst of the same number. 0 means no limit.",
				},
			),
		},
	}
}

func nginxLoadBalancerKeys(n *nginx.Args) []Key {
	return []Key{
		{
			Name: "internal", Kind: flag(&n.Internal), Default: "false", Example: "true",
			Doc: "Makes the load balancer reachable only from the private network.",
		},
		{
			Name: "allow", Kind: texts(&n.Allow), Constraint: nginx.TrustedProxiesConstraint, Default: "all that reach it", Example: "[203.0.113.0/24]",
			Doc: "Networks whose clients the load balancer lets in.",
		},
		{
			Name: "loadBalancer", Default: "as each key's", Doc: "Settings for the cluster's load balancer controller.",
			Kind: object(
				Key{
					Name: "class", Kind: text(&n.LoadBalancer.Class), Constraint: nginx.LoadBalancerClassConstraint,
					Default: "the cluster's own", Example: "eks.amazonaws.com/nlb",
					Doc: "The loadBalancerClass of the Service.",
				},
				Key{
					Name: "annotations", Kind: textMap(&n.LoadBalancer.Annotations), Default: "{}",
					Example: "{service.beta.kubernetes.io/aws-load-balancer-name: shop}",
					Doc:     "Annotations for the Service. They override the program's annotations. An empty value removes one.",
				},
			),
		},
	}
}

func domainKeys(d *domain.DomainArgs) []Key {
	return []Key{
		{
			Name: "name", Kind: text(&d.Name), Constraint: domain.NameConstraint, Default: required, Example: "shop.example.org",
			Doc: "The app's own name: url is https://name. It gets an ACM certificate, and nginx redirects HTTP to HTTPS.",
		},
		{
			Name: "zone", Kind: text(&d.Zone), Constraint: domain.ZoneConstraint, Default: "none: the output dnsRecords lists the records that you make", Example: "example.org",
			Doc: "The public Route 53 hosted zone that all names are in. The stack makes the records, and up waits for the certificates. " +
				"Without it, the app is served by HTTP until an up finds the certificate issued.",
		},
		{
			Name: "aliases", Kind: texts(&d.Aliases), Constraint: domain.OtherNamesConstraint, Default: "[]", Example: "[store.example.org]",
			Doc: "More names that the app answers for.",
		},
		{
			Name: "redirectFrom", Kind: texts(&d.RedirectFrom), Constraint: domain.OtherNamesConstraint, Default: "[]", Example: "[www.shop.example.org]",
			Doc: "Names that nginx redirects to name, with path and query.",
		},
	}
}

func permissionKeys(p *app.PermissionArgs) []Key {
	return []Key{
		{
			Name: "actions", Kind: texts(&p.Actions), Constraint: app.PermissionActionsConstraint, Default: required, Example: "[s3:GetObject, s3:PutObject]",
			Doc: "IAM actions.",
		},
		{
			Name: "resources", Kind: texts(&p.Resources), Constraint: app.PermissionResourcesConstraint, Default: required, Example: `["arn:aws:s3:::acme-uploads/*"]`,
			Doc: "ARNs of the resources.",
		},
		{
			Name: "waive", Kind: textMap(&p.Waive), Constraint: app.PermissionWaiveConstraint, Default: "{}", Example: `{cloudwatch:Get*: "a dashboard of all metrics"}`,
			Doc: "Wildcard actions that are allowed on all resources, and actions of iam, kms, organizations and sts, each with the reason. Without it they are refused.",
		},
	}
}

func registryKeys(r *pods.RegistryArgs) []Key {
	return []Key{
		{
			Name: "server", Kind: text(&r.Server), Constraint: pods.RegistryServerConstraint, Default: required, Example: "ghcr.io",
			Doc: "Host name of the registry, as the image names begin with it.",
		},
		{Name: "username", Kind: text(&r.Username), Constraint: pods.RegistryUsernameConstraint, Default: required, Example: "acme-bot", Doc: "User name for the registry."},
		{
			Name: "password", Kind: secretText(&r.Password), Default: required, Example: "{secure: …}", Secret: true,
			Doc: "Password or token for the registry. It is stored in a Kubernetes Secret. A changed password restarts all pods, one after the other.",
		},
	}
}

func placementKeys(p *pods.PlacementArgs) []Key {
	return []Key{
		{
			Name: "nodeSelector", Kind: textMap(&p.NodeSelector), Constraint: pods.NodeSelectorConstraint, Default: "{}", Example: "{kubernetes.io/arch: arm64}",
			Doc: "Labels that a node must have.",
		},
		{
			Name: "tolerations", Kind: objects(&p.Tolerations, tolerationKeys), Default: "[]", Example: "[{key: dedicated, value: apps, effect: NoSchedule}]",
			Doc: "Taints of nodes that the pods can run on.",
		},
	}
}

func tolerationKeys(t *pods.TolerationArgs) []Key {
	return []Key{
		{
			Name: "key", Kind: text(&t.Key), Constraint: pods.LabelNameConstraint, Default: "any, with operator Exists; else required", Example: "dedicated",
			Doc: "Key of the taint.",
		},
		{
			Name: "operator", Kind: text(&t.Operator), Constraint: pods.TolerationOperatorConstraint, Example: pods.TolerationExists,
			Doc: pods.TolerationExists + " ignores the value of the taint.",
		},
		{Name: "value", Kind: version(&t.Value), Constraint: pods.LabelValueConstraint, Default: "empty", Example: "apps", Doc: "Value of the taint."},
		{Name: "effect", Kind: text(&t.Effect), Constraint: pods.TolerationEffectConstraint, Default: "any", Example: "NoSchedule", Doc: "Effect of the taint."},
	}
}

func routeKeys(r *nginx.RouteArgs) []Key {
	return []Key{
		{
			Name: "path", Kind: text(&r.Path), Constraint: nginx.RoutePathConstraint, Default: required, Example: "/api",
			Doc: "Path prefix. /api matches /api and /api/x, but not /apix.",
		},
		{Name: "to", Kind: text(&r.To), Constraint: nginx.RouteToConstraint, Default: required, Example: "backend", Doc: "Target of the route."},
		{
			Name: "stripPrefix", Kind: flag(&r.StripPrefix), Default: "false", Example: "true",
			Doc: "Removes the prefix from the forwarded request.",
		},
		{
			Name: "timeoutSeconds", Kind: optionalNumber(&r.TimeoutSeconds), Constraint: nginx.TimeoutSecondsConstraint, Default: "nginx.timeoutSeconds",
			Example: "300", Doc: "Overrides nginx.timeoutSeconds for this route.",
		},
		{
			Name: "maxBodySize", Kind: version(&r.MaxBodySize), Constraint: nginx.MaxBodySizeConstraint, Default: "nginx.maxBodySize", Example: "100m",
			Doc: "Overrides nginx.maxBodySize for this route.",
		},
	}
}
