package app

import (
	"errors"
	"fmt"
	"maps"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

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
	DefaultBackendMemory      = "256Mi"
	DefaultMigrateSeconds     = 600
)

// maxMigrateSeconds is a day: what takes longer is no part of a rollout.
const maxMigrateSeconds = 86400

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
	// DatabaseEnv are templates of environment variables. Parts: {host}, {readerHost}, {port},
	// {name}, {username}, {password}, {caFile}. Default: DefaultDatabaseEnv.
	DatabaseEnv map[string]string
	// Namespace is where the backend runs. Required; App sets it.
	Namespace pulumi.StringInput
	// Database is DatabaseEnv filled in. Required; App sets it.
	Database DatabaseBinding
}

// Problems are what the args can't run with.
func (a BackendArgs) Problems() problems.List {
	ps := a.WorkloadArgs.Problems()
	if a.Migrate != nil && (len(a.Migrate) == 0 || a.Migrate[0] == "") {
		ps = append(ps, problems.Problem{Path: "migrate", Value: "empty", Want: "a command, like [alembic, upgrade, head]"})
	}
	ps = append(ps, problems.Range("migrateSeconds", a.MigrateSeconds, 1, maxMigrateSeconds)...)
	ps = append(ps, databaseEnvProblems(a.databaseEnv())...)
	for name := range a.databaseEnv() {
		_, plain := a.Env[name]
		_, secret := a.SecretEnv[name]
		if plain || secret {
			ps = append(ps, problems.Problem{Path: "databaseEnv." + name, Value: "in env or secretEnv too", Want: "it in one place (databaseEnv replaces the default set when given)"})
		}
	}
	return ps.Sorted()
}

// databaseEnv is the set of templates in force.
func (a BackendArgs) databaseEnv() map[string]string {
	if a.DatabaseEnv == nil {
		return maps.Clone(DefaultDatabaseEnv)
	}
	return maps.Clone(a.DatabaseEnv)
}

// Backend is the API: a migration, then pods behind BackendServiceName.
type Backend struct {
	pulumi.ResourceState

	// ServiceName is the Service's name.
	ServiceName pulumi.StringOutput `pulumi:"serviceName"`
	// Port is the Service's port, and the pods'.
	Port pulumi.IntOutput `pulumi:"port"`
}

// migrationLabel keeps the migration's pods out of the backend's Service.
const migrationLabel = "backend-migration"

// NewBackend creates the migration Job, if there is one, and once it succeeded the pods.
func NewBackend(ctx *pulumi.Context, name string, args *BackendArgs, opts ...pulumi.ResourceOption) (*Backend, error) {
	if args == nil {
		return nil, errors.New("backend: args are required")
	}
	a := *args
	a.WorkloadArgs = a.withDefaults(backendDefaults)
	a.MigrateSeconds = optional.Or(a.MigrateSeconds, DefaultMigrateSeconds)
	if err := a.Problems().Err(); err != nil {
		return nil, fmt.Errorf("backend: %w", err)
	}
	if a.Namespace == nil || a.Database.SecretName == nil {
		return nil, errors.New("backend: a namespace and a database are required")
	}
	backend := &Backend{}
	if err := ctx.RegisterComponentResource(BackendType, name, backend, opts...); err != nil {
		return nil, fmt.Errorf("register backend: %w", err)
	}
	w, err := newWorkload(ctx, backend, name, ToBackend, BackendServiceName, a.Namespace, a.WorkloadArgs)
	if err != nil {
		return nil, err
	}
	w.useDatabase(a.Database)
	migration, err := w.migrate(ctx, backend, a)
	if err != nil {
		return nil, fmt.Errorf("create migration job: %w", err)
	}
	service, err := w.serve(ctx, backend, migration...)
	if err != nil {
		return nil, err
	}
	backend.ServiceName = service.Metadata.Name().Elem()
	backend.Port = service.Spec.Ports().Index(pulumi.Int(0)).Port()
	return backend, ctx.RegisterResourceOutputs(backend, pulumi.Map{
		"serviceName": backend.ServiceName,
		"port":        backend.Port,
	})
}

func (w *workload) useDatabase(database DatabaseBinding) {
	w.env = append(w.env, plainEnv(database.Env)...)
	w.env = append(w.env, secretEnv(database.SecretName, database.SecretKeys)...)
	w.volumes = append(w.volumes, corev1.VolumeArgs{
		Name: pulumi.String("database-ca"),
		Secret: corev1.SecretVolumeSourceArgs{
			SecretName: database.SecretName,
			Items:      corev1.KeyToPathArray{corev1.KeyToPathArgs{Key: pulumi.String(databaseCAKey), Path: pulumi.String(databaseCAKey)}},
		},
	})
	w.mounts = append(w.mounts, corev1.VolumeMountArgs{
		Name: pulumi.String("database-ca"), MountPath: pulumi.String(databaseCADir), ReadOnly: pulumi.Bool(true),
	})
}

// migrate is what the pods wait for. The Job is auto-named, so that a change makes a new one
// before the old one goes, and has no time to live, so that it isn't run again for being gone.
func (w *workload) migrate(ctx *pulumi.Context, parent pulumi.Resource, a BackendArgs) ([]pulumi.Resource, error) {
	if a.Migrate == nil {
		return nil, nil
	}
	t := w.tier
	t.label = migrationLabel
	t.drainSeconds = 0
	t.container = w.baseContainer()
	t.container.Command = stringArray(a.Migrate)
	pod := t.podSpec()
	// Failed pods stay, and with them their logs.
	pod.RestartPolicy = pulumi.String("Never")
	pod.TopologySpreadConstraints = nil
	annotations := lintAnnotations()
	// A Job that failed is run again by the next update, even when nothing changed.
	annotations["pulumi.com/replaceUnready"] = pulumi.String("true")
	metadata := t.metadata()
	metadata.Annotations = annotations
	job, err := batchv1.NewJob(ctx, w.name+"-migrate", &batchv1.JobArgs{
		Metadata: metadata,
		Spec: batchv1.JobSpecArgs{
			// Two more tries: for a database that is just failing over.
			BackoffLimit:          pulumi.Int(2),
			ActiveDeadlineSeconds: pulumi.Int(*a.MigrateSeconds),
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: t.metadata().Labels},
				Spec:     pod,
			},
		},
	}, pulumi.Parent(parent), pulumi.Timeouts(&pulumi.CustomTimeouts{
		// Longer than the Job's own deadline, whose message says more.
		Create: fmt.Sprintf("%ds", *a.MigrateSeconds+stopMarginSeconds),
	}))
	if err != nil {
		return nil, err
	}
	return []pulumi.Resource{job}, nil
}
