package app

import (
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

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
	ps := ImageConstraint.Required("skipMigration.image", skip.Image)
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
