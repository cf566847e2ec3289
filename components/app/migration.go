package app

import (
	"fmt"
	"strconv"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

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

// warnOf says at every preview and every up that the migration is skipped.
func (args SkipMigrationArgs) warnOf(ctx *pulumi.Context, backend pulumi.Resource) error {
	return ctx.Log.Warn(fmt.Sprintf("The backend runs %s without its migration: %s", args.Image, args.Reason), &pulumi.LogArgs{Resource: backend})
}

// migrationLabel keeps the migration's pods out of the backend's Service.
const migrationLabel = "backend-migration"

// migrate is what the pods wait for. The Job is auto-named, so that a change makes a new one
// before the old one goes, and has no time to live, so that it isn't run again for being gone.
func (w *workload) migrate(ctx *pulumi.Context, parent pulumi.Resource, a BackendArgs, after ...pulumi.Resource) (pulumi.Resource, error) {
	t := w.Set
	t.Label = migrationLabel
	t.DrainSeconds, t.RequestSeconds = 0, 0 // its deadline is the end, also of a command that ignores SIGTERM
	t.Container = w.baseContainer()
	t.Container.Command = pods.Strings(a.Migrate)
	metadata := t.Metadata()
	// A Job that failed is run again by the next update, even when nothing changed.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/replaceUnready": pulumi.String("true")}
	return batchv1.NewJob(ctx, w.Name+"-migrate", &batchv1.JobArgs{
		Metadata: metadata,
		Spec: batchv1.JobSpecArgs{
			// Two more tries: for a database that is just failing over.
			BackoffLimit:          pulumi.Int(2),
			ActiveDeadlineSeconds: pulumi.Int(*a.MigrateSeconds),
			Template:              t.RunToEnd(nil),
		},
	}, pulumi.Parent(parent), pulumi.DependsOn(after), pulumi.Timeouts(&pulumi.CustomTimeouts{
		// The Job has failed when its pod is gone: up waits for it, as its message says more than up's own.
		Create: fmt.Sprintf("%ds", *a.MigrateSeconds+2*pods.StopMarginSeconds),
	}))
}
