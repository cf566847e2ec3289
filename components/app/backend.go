package app

import (
	"fmt"
	"maps"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/component"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// BackendType is Backend's type token.
const BackendType = "threetier:index:Backend"

// BackendServiceName is the Service that nginx, and anyone in the namespace, reaches the backend by.
const BackendServiceName = "backend-service"

// What a backend gets where its args say nothing.
const (
	DefaultBackendPort        = 8000
	DefaultBackendHealthPath  = "/healthz"
	DefaultBackendMinReplicas = 2
	DefaultBackendMaxReplicas = 10
	DefaultBackendCPU         = "100m"
	// DefaultBackendMemory holds four workers of uvicorn: with FastAPI and SQLAlchemy they were measured at 271 MiB.
	DefaultBackendMemory  = "384Mi"
	DefaultMigrateSeconds = 600
)

var backendDefaults = workloadDefaults{
	port:        DefaultBackendPort,
	healthPath:  DefaultBackendHealthPath,
	minReplicas: DefaultBackendMinReplicas,
	maxReplicas: DefaultBackendMaxReplicas,
	cpu:         DefaultBackendCPU,
	memory:      DefaultBackendMemory,
}

// BackendArgs describe the API: a workload with a database.
type BackendArgs struct {
	WorkloadArgs
	// Migrate is the command that brings the database's schema up to date, run to success
	// before every rollout in the same image with the same environment. Default: none.
	Migrate []string
	// MigrateSeconds is how long Migrate may take. Default: DefaultMigrateSeconds.
	MigrateSeconds *int
	// SkipMigration leaves Migrate out for one image. Default: Migrate is run.
	SkipMigration SkipMigrationArgs
	// ConnectionsPerPod is how many connections to the database one pod opens at the most: its pool's size, times its
	// processes. A worker's pod counts alike, a job for one and the migration for two. Default: DefaultConnectionsPerPod.
	ConnectionsPerPod *int
	// DatabaseEnv are templates of environment variables. Parts: {host}, {readerHost}, {port},
	// {name}, {username}, {password}, {caFile}. Default: DefaultDatabaseEnv.
	DatabaseEnv map[string]string
	// Permissions are what the pods and the migration may do in AWS. Default: nothing, and no role.
	Permissions []PermissionArgs
	// PermissionsBoundary is the ARN of a managed policy that bounds the role. Default: none.
	PermissionsBoundary string
}

// backendNeeds are what a backend has of the rest of its stack.
type backendNeeds struct {
	pods.Place
	Wiring
	clientImage    string
	requestSeconds int
	formerSecret   pulumi.ResourceOption
}

// Problems are what the args can't run with.
func (args BackendArgs) Problems() problems.List {
	ps := append(args.WorkloadArgs.Problems(), egressProblems(args.Egress, EgressToConstraint)...)
	ps = append(ps, args.formerPortProblems(DefaultBackendPort)...)
	ps = append(ps, permissionsProblems(args)...)
	ps = append(ps, commandProblems(MigrateConstraint, "migrate", args.Migrate)...)
	ps = append(ps, ConnectionsPerPodConstraint.Problems("connectionsPerPod", args.ConnectionsPerPod)...)
	ps = append(ps, MigrateSecondsConstraint.Problems("migrateSeconds", args.MigrateSeconds)...)
	ps = append(ps, args.skipMigrationProblems()...)
	ps = append(ps, databaseEnvProblems(args.templates())...)
	for name := range args.templates() {
		if args.sets(name) {
			ps = append(ps, problems.Problem{Path: "databaseEnv." + name, Value: "in env or secretEnv too", Want: "it in one place (databaseEnv replaces the default set when given)"})
		}
	}
	return ps.Sorted()
}

func (args BackendArgs) withDefaults() BackendArgs {
	args.WorkloadArgs = args.WorkloadArgs.withDefaults(backendDefaults)
	args.ConnectionsPerPod = optional.Or(args.ConnectionsPerPod, DefaultConnectionsPerPod)
	args.MigrateSeconds = optional.Or(args.MigrateSeconds, DefaultMigrateSeconds)
	args.DatabaseEnv = args.templates()
	return args
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
		backend.service, backend.pods, backend.workload, backend.migration = service, pods.Awaited, w, before
		backend.tier = w.Watched(pods)
		backend.Port = service.Spec.Ports().Index(pulumi.Int(0)).Port()
		return nil
	})
}

// prepareDatabase makes the logins, gives the workload its own, and migrates. It returns what the pods wait for.
func (b *Backend) prepareDatabase(ctx *pulumi.Context, w *workload, args BackendArgs, needs backendNeeds) (before []pulumi.Resource, err error) {
	b.roles, err = logins.New(ctx, b, w.Name, logins.Needs{
		Place: needs.Place, Database: needs.Database, Image: needs.clientImage, AppOwns: args.Migrate == nil,
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
	if args.SkipMigration.Image != "" {
		w.Annotations = pulumi.StringMap{skipMigrationAnnotation: pulumi.String(args.SkipMigration.Reason)}
		warning := fmt.Sprintf("The backend runs %s without its migration: %s", args.Image, args.SkipMigration.Reason)
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
