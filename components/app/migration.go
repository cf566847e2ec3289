package app

import (
	"fmt"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/problems"
)

// skipMigrationAnnotation shows the reason in the plan, in the preview and in the cluster.
const skipMigrationAnnotation = "threetier/migration-skipped"

// SkipMigrationArgs roll back to an image whose migration fails on the newer schema.
type SkipMigrationArgs struct {
	// Image is the one image that runs without its migration: the backend's own. With another image the
	// args are refused, so that they can't outlive the rollback. Default: none.
	Image string
	// Reason says why. Required with Image.
	Reason string
}

// skipMigrationProblems hold the exception to the image that it was made for.
func (args BackendArgs) skipMigrationProblems() problems.List {
	skip := args.SkipMigration
	if skip == (SkipMigrationArgs{}) {
		return nil
	}
	if args.Migrate == nil {
		return problems.List{{Path: "skipMigration", Value: "given", Want: "it only beside migrate"}}
	}
	ps := pods.ImageConstraint.Required("skipMigration.image", skip.Image)
	if len(ps) == 0 && skip.Image != args.Image {
		ps = append(ps, problems.Problem{
			Path: "skipMigration.image", Value: strconv.Quote(skip.Image),
			Want: "the backend's image: remove skipMigration once another image is deployed",
		})
	}
	return append(ps, ReasonConstraint.Required("skipMigration.reason", skip.Reason)...)
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
	t.Label = migrationLabel
	t.DrainSeconds, t.RequestSeconds = 0, 0 // its deadline is the end, also of a command that ignores SIGTERM
	t.Container = w.baseContainer()
	t.Container.Command = pods.Strings(args.Migrate)
	if roles != nil {
		lock, err := roles.OneMigration(ctx, parent, *args.MigrateSeconds)
		if err != nil {
			return nil, fmt.Errorf("lock it: %w", err)
		}
		t.Before = corev1.ContainerArray{logins.HardenedLock(t, lock)}
	}
	return t.Job(ctx, parent, w.Name+"-migrate", migrateRetries, *args.MigrateSeconds, nil, after...)
}
