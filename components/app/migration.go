package app

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// skipMigrationAnnotation shows the reason in the plan, in the preview and in the cluster.
const skipMigrationAnnotation = "threetier/migration-skipped"

// SkipMigrate begins the exception for an image that runs without its migration: a rollback to one whose migration fails on
// the newer schema. With another image it is refused, so that it can't outlive the rollback.
const SkipMigrate = "skip migrate of "

func (args *BackendArgs) allowKey() *keys.Key {
	return args.Allow.Key(constraint.Text{Pattern: "^" + SkipMigrate + `\S+$`, Want: SkipMigrate + "the backend's image"}).
		Was("skipMigration", "{ skip migrate of IMAGE: the reason }").
		Example(`{"skip migrate of ghcr.io/acme/app@sha256:…": 1.4 fails on the schema of 1.5}`).
		Doc("Exceptions, each with the reason, which every preview and every up shows. skip migrate of and backend.image: the image runs without its migrate, " +
			"for a rollback to an image whose migrate fails on the newer schema. With another backend.image the config is refused.")
}

const (
	// migrationLabel keeps the migration's pods out of the backend's Service.
	migrationLabel = "backend-migration"
	// migrateRetries are for a database that is failing over.
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
		t.Before = corev1.ContainerArray{logins.Reaching(t, lock), logins.HardenedLock(t, lock)}
	}
	return t.Job(ctx, parent, w.Name+"-migrate", migrateRetries, args.MigrateSeconds, nil, after...)
}
