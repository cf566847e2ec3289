package app

import (
	"fmt"
	"maps"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/allow"
	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// BackendType is Backend's type token.
const BackendType = "threetier:index:Backend"

// BackendServiceName is the Service that nginx, and anyone in the namespace, reaches the backend by.
const BackendServiceName = "backend-service"

// What a backend gets where its args say nothing. The memory holds four workers of uvicorn: with FastAPI and SQLAlchemy they
// were measured at 271 MiB.
var backendDefaults = workloadDefaults{port: 8000, healthPath: "/healthz", minReplicas: 2, maxReplicas: 10, cpu: "100m", memory: "384Mi"}

// BackendArgs describe the API: a workload with a database. keys says what each field means.
type BackendArgs struct {
	WorkloadArgs
	Migrate             []string
	MigrateSeconds      int
	Allow               allow.List
	ConnectionsPerPod   int
	DatabaseEnv         map[string]string
	Permissions         []PermissionArgs
	PermissionsBoundary string
}

func (args *BackendArgs) keys() keys.Table {
	return append(args.WorkloadArgs.keys(backendDefaults), keys.Table{
		egressKey(&args.Egress, false, "The migration has the same ways."),
		keys.Objects("permissions", &args.Permissions, (*PermissionArgs).keys).Otherwise("none: no AWS role").
			Example(`[{actions: [s3:GetObject], resources: ["arn:aws:s3:::acme-uploads/*"]}]`).
			Doc("AWS rights of the pods and the migration. They get their own IAM role by EKS Pod Identity."),
		keys.Text("permissionsBoundary", &args.PermissionsBoundary).
			Match("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", "the ARN of a managed policy").
			Needs(len(args.Permissions) > 0, "none without permissions").Otherwise("none").Example("arn:aws:iam::123456789012:policy/apps").
			Doc("Managed policy that limits the role of permissions."),
		keys.Texts("migrate", &args.Migrate).Command("a command, like [alembic, upgrade, head]").Otherwise("none").Example("[alembic, upgrade, head]").
			Doc("Command that updates the database schema. It must succeed before every rollout. It runs with the backend's image and environment."),
		// A day at most: what takes longer is no part of a rollout.
		keys.Number("migrateSeconds", &args.MigrateSeconds).Between(1, 86400).Default(600).Example("3600").
			Doc("Time limit of migrate, in seconds."),
		args.allowKey(),
		// The default is what one process opens with SQLAlchemy's own: a pool_size of 5 and a max_overflow of 10.
		// https://docs.sqlalchemy.org/en/20/core/pooling.html
		keys.Number("connectionsPerPod", &args.ConnectionsPerPod).Between(1, 1000).Default(15).Example("10").
			Doc("The most database connections that one pod opens: the size of its pool and its overflow, times its processes. A worker's pod counts alike, a job for one and the migration for two. " +
				"If the pods of a rollout need more connections than the instance class has, the config is refused. " +
				"Without replicas.max, the backend gets fewer pods instead."),
		keys.TextMap("databaseEnv", &args.DatabaseEnv).ShownAs(constraint.Map{Names: pods.EnvNames, Values: databaseTemplate}).
			Otherwise("DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_SSLMODE, DB_SSLROOTCERT, DATABASE_URL, PGSSLMODE, PGSSLROOTCERT").
			Example(`{PGHOST: "{host}", PGPASSWORD: "{password}"}`).
			Doc("Environment variables with the database connection, as templates. They replace the whole default set."),
	}...)
}

// complete fills in what no single key says, and returns what is wrong across keys. The problems of single keys are known.
func (args *BackendArgs) complete(known problems.List) problems.List {
	args.DatabaseEnv = args.templates()
	ps := append(egressProblems(args.Egress), args.permissionsProblems(known)...)
	ps = append(ps, databaseEnvProblems(args.DatabaseEnv)...)
	switch {
	case known.Has("image", "allow"):
	case args.Migrate == nil:
		ps = append(ps, args.Allow.Others("the backend has no migrate")...)
	default:
		ps = append(ps, args.Allow.Others("the backend's image is "+args.Image, SkipMigrate+args.Image)...)
	}
	for name := range args.DatabaseEnv {
		if args.sets(name) {
			ps = append(ps, problems.Problem{Path: "databaseEnv." + name, Value: "in env or secretEnv too", Want: "it in one place (databaseEnv replaces the default set when given)"})
		}
	}
	return ps.Sorted()
}

// backendNeeds are what a backend has of the rest of its stack.
type backendNeeds struct {
	pods.Place
	Wiring
	clientImage    string
	connections    logins.Connections
	requestSeconds int
	formerSecret   pulumi.ResourceOption
}

// templates are the DatabaseEnv in force. A driver's own variables are left out of the default set where env has them.
func (args BackendArgs) templates() map[string]string {
	if args.DatabaseEnv != nil {
		return args.DatabaseEnv
	}
	templates := maps.Clone(DefaultDatabaseEnv)
	maps.DeleteFunc(templates, func(name, _ string) bool { return strings.HasPrefix(name, "PG") && args.sets(name) })
	return templates
}

// forwardedAllowIPs names the proxies whose X-Forwarded-Proto and X-Forwarded-For uvicorn and gunicorn believe.
const forwardedAllowIPs = "FORWARDED_ALLOW_IPS"

// proxyEnv believes any: nginx alone reaches the port, and writes both headers itself. Without it, redirects and URLs that
// the app builds for itself are http:// behind TLS.
func (args BackendArgs) proxyEnv() corev1.EnvVarArray {
	if _, inDatabaseEnv := args.DatabaseEnv[forwardedAllowIPs]; inDatabaseEnv || args.sets(forwardedAllowIPs) {
		return nil
	}
	return corev1.EnvVarArray{corev1.EnvVarArgs{Name: pulumi.String(forwardedAllowIPs), Value: pulumi.String("*")}}
}

// Backend is the API: a migration, then pods behind BackendServiceName.
type Backend struct {
	pulumi.ResourceState

	// ServiceName is the Service's name.
	ServiceName pulumi.StringOutput `pulumi:"serviceName"`
	// Port is the Service's port, and the pods'.
	Port pulumi.IntOutput `pulumi:"port"`

	service *corev1.Service
	// pods are there once the new ones serve.
	pods  pulumi.Resource
	tier  pods.Tier
	roles *logins.Logins // nil where the connection has none
	// workload is what workers and jobs get their image and environment from, migration what they wait for.
	workload  *workload
	migration []pulumi.Resource
}

const (
	backendLabel = "backend"
)

// newBackend creates the migration Job, if there is one, and once it succeeded the pods.
func newBackend(ctx *pulumi.Context, name string, args BackendArgs, needs backendNeeds, opts ...pulumi.ResourceOption) (*Backend, error) {
	backend := &Backend{}
	return component.New(ctx, BackendType, name, backend, opts, func() error {
		w, err := newWorkload(ctx, backend, pods.Set{Name: name, Label: backendLabel, Place: needs.Place, RequestSeconds: needs.requestSeconds}, args.WorkloadArgs)
		if err != nil {
			return err
		}
		w.env = append(w.env, args.proxyEnv()...)
		if err := w.assumeRole(ctx, backend, args, needs.EKS); err != nil {
			return err
		}
		before, err := backend.prepareDatabase(ctx, w, args, needs)
		if err != nil {
			return err
		}
		service, pods, err := w.serve(ctx, backend, BackendServiceName, before...)
		if err != nil {
			return err
		}
		backend.ServiceName = fixedName(service, BackendServiceName)
		backend.service, backend.pods, backend.workload, backend.migration = service, pods.Complete, w, before
		backend.tier = w.Tier(pods)
		backend.Port = service.Spec.Ports().Index(pulumi.Int(0)).Port()
		return nil
	})
}

// prepareDatabase makes the logins, gives the workload its own, and migrates. It returns what the pods wait for.
func (b *Backend) prepareDatabase(ctx *pulumi.Context, w *workload, args BackendArgs, needs backendNeeds) (before []pulumi.Resource, err error) {
	b.roles, err = logins.New(ctx, b, w.Name, logins.Needs{
		Place: needs.Place, Database: needs.Database, Image: needs.clientImage, AppOwns: args.Migrate == nil,
		Connections: needs.connections,
	})
	if err != nil {
		return nil, fmt.Errorf("create database roles: %w", err)
	}
	if b.roles != nil {
		made, err := b.roles.Make(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("create job for the database roles: %w", err)
		}
		before = append(before, made)
	}
	migrator := w.copied()
	if err := w.useDatabase(ctx, b, "-database", needs.Database, args.DatabaseEnv, needs.formerSecret); err != nil {
		return nil, fmt.Errorf("create database secret: %w", err)
	}
	if args.Migrate == nil {
		return before, nil
	}
	if reason, skipped := args.Allow[SkipMigrate+args.Image]; skipped {
		w.Annotations = pulumi.StringMap{skipMigrationAnnotation: pulumi.String(reason)}
		warning := fmt.Sprintf("The backend runs %s without its migration: %s", args.Image, reason)
		return before, ctx.Log.Warn(warning, &pulumi.LogArgs{Resource: b})
	}
	if b.roles == nil {
		migrator = w
	} else if err := migrator.useDatabase(ctx, b, "-migrate", needs.Database.As(needs.Database.Roles.Migration), args.DatabaseEnv); err != nil {
		return nil, fmt.Errorf("create the migration's database secret: %w", err)
	}
	migration, err := migrator.migrate(ctx, b, args, b.roles, before...)
	if err != nil {
		return nil, fmt.Errorf("create migration job: %w", err)
	}
	return []pulumi.Resource{migration}, nil
}

// lockRestingLogin comes last: what began before the rollout may still use the login for a while.
func (b *Backend) lockRestingLogin(ctx *pulumi.Context, parent pulumi.Resource, old logins.Uses, after ...pulumi.Resource) error {
	if b.roles == nil {
		return nil
	}
	if err := b.roles.Lock(ctx, parent, old, append(after, b.pods)...); err != nil {
		return fmt.Errorf("create job that locks the database's resting login: %w", err)
	}
	return nil
}

// drainSeconds is how long a pod that is to stop may still use the database.
func (b *Backend) drainSeconds() int {
	return b.workload.DrainSeconds + b.workload.RequestSeconds + pods.StopMarginSeconds
}

// formerDatabaseSecret is the Secret's URN of the time when App made it: the same object, so nothing rolls.
func formerDatabaseSecret(app *App, name string) pulumi.ResourceOption {
	return pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(name + "-database"), Parent: app}})
}
