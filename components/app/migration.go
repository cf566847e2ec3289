package app

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/keys"
)

// skipMigrationAnnotation shows the reason in the plan, in the preview and in the cluster.
const skipMigrationAnnotation = "threetier/migration-skipped"

// SkipMigrationArgs roll back to an image whose migration fails on the newer schema. With another image the args are refused,
// so that they can't outlive the rollback.
type SkipMigrationArgs struct{ Image, Reason string }

func (args *BackendArgs) skipMigrationKey() *keys.Key {
	skip := &args.SkipMigration
	return keys.Object("skipMigration", keys.Table{
		keys.Text("image", &skip.Image).Required(pods.Image.Want).Example("ghcr.io/acme/app@sha256:…").
			Needs(skip.Image == args.Image, "the backend's image: remove skipMigration once another image is deployed").
			Doc("The image that runs without migrate: the same as backend.image. With another backend.image the config is refused."),
		keys.Text("reason", &skip.Reason).Match(`\S`, "a reason").Required().Example("1.4 fails on the schema of 1.5").
			Doc("Why. Every preview and every up shows it."),
	}).If(*skip != SkipMigrationArgs{} && args.Migrate != nil).
		Refuse(*skip != SkipMigrationArgs{} && args.Migrate == nil, "given", "it only beside migrate").Otherwise("none: migrate is run").
		Doc("Runs one image without its migrate, for a rollback to an image whose migrate fails on the newer schema.")
}

const (
	// migrationLabel keeps the migration's pods out of the backend's Service.
	migrationLabel = "backend-migration"
	// migrateRetries are for a database that is just failing over.
	migrateRetries = 2
)

// migrate is what the pods wait for. An update that was killed leaves its Job running, and a Job is replaced by a new one
// before it goes: roles, if any, hold the database's lock for one of them.
func (w *workload) migrate(ctx *pulumi.Context, parent pulumi.Resource, args BackendArgs, roles *logins.Logins, after ...pulumi.Resource) (pulumi.Resource, error) {
	t := w.Set
	t.Label, t.PodAnnotations = migrationLabel, nil
	t.DrainSeconds, t.RequestSeconds = 0, 0 // its deadline is the end, also of a command that ignores SIGTERM
	t.Container = w.baseContainer()
	t.Container.Command = pods.Strings(args.Migrate)
	if roles != nil {
		lock, err := roles.OneMigration(ctx, parent, t, args.MigrateSeconds)
		if err != nil {
			return nil, fmt.Errorf("lock it: %w", err)
		}
		t.Before = corev1.ContainerArray{logins.HardenedLock(t, lock)}
	}
	return t.Job(ctx, parent, w.Name+"-migrate", migrateRetries, args.MigrateSeconds, nil, after...)
}
