package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/gate/project"
)

func TestSkippedMigrationLeavesTheJobOutAndShowsWhy(t *testing.T) {
	skip := app.SkipMigrationArgs{Image: "registry.example/backend:1", Reason: "fails on the schema of 2"}
	r := runApp(t, func(a *appStack) { a.Backend.SkipMigration = skip })
	require.Empty(t, r.All(jobType))
	backend := r.Named(t, deploymentType, "shop-backend")
	require.Equal(t, skip.Reason, backend.Input(t, `metadata.annotations["threetier/migration-skipped"]`))
	require.NotContains(t, backend.Input(t, `spec.template.metadata.annotations`), "threetier/migration-skipped", "the reason alone rolls no pod")
}

func TestSkippedMigrationIsForTheImageThatRuns(t *testing.T) {
	config := func() *project.Config {
		return project.StackConfig(t, "dev").
			Set(t, "threetier:backend.skipMigration.image", "ghcr.io/acme/backend:1.0.0").
			Set(t, "threetier:backend.skipMigration.reason", "fails on the schema of 1.1.0")
	}
	for _, job := range deploy(t, "dev", config()).All(jobType) {
		require.NotEqual(t, "app-backend-migrate", job.Name)
	}
	require.Equal(t, []string{
		`threetier:backend.skipMigration.image is "ghcr.io/acme/backend:1.0.0", want the backend's image: remove skipMigration once another image is deployed`,
	}, refusals(t, config().Set(t, "threetier:backend.image", "ghcr.io/acme/backend:1.1.0")))
	require.Equal(t, []string{`threetier:backend.skipMigration.reason is missing, want a reason`},
		refusals(t, config().Remove(t, "threetier:backend.skipMigration.reason")))
	require.Equal(t, []string{`threetier:backend.skipMigration.image is missing, want an image, like registry/name@sha256:…`},
		refusals(t, config().Remove(t, "threetier:backend.skipMigration.image")))
	require.Equal(t, []string{`threetier:backend.skipMigration is given, want it only beside migrate`},
		refusals(t, config().Remove(t, "threetier:backend.migrate")))
}
