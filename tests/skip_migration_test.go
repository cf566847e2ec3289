package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/internal/allow"
)

func TestSkippedMigrationLeavesTheJobOutAndShowsWhy(t *testing.T) {
	const reason = "fails on the schema of 2"
	r := runApp(t, func(a *appStack) { a.Backend.Allow = allow.List{"skip migrate of registry.example/backend:1": reason} })
	require.Empty(t, r.All(jobType))
	backend := r.Named(t, deploymentType, "shop-backend")
	require.Equal(t, reason, backend.Input(t, `metadata.annotations["threetier/migration-skipped"]`))
	require.NotContains(t, backend.Input(t, `spec.template.metadata.annotations`), "threetier/migration-skipped", "the reason alone rolls no pod")
}

func TestSkippedMigrationIsForTheImageThatRuns(t *testing.T) {
	config := func() *project.Config {
		return project.StackConfig(t, "dev").
			Set(t, "threetier:backend.allow", allow.List{"skip migrate of ghcr.io/acme/backend:1.0.0": "fails on the schema of 1.1.0"})
	}
	for _, job := range deploy(t, "dev", config()).All(jobType) {
		require.NotEqual(t, "app-backend-migrate", job.Name)
	}
	const line = `threetier:backend.allow.skip migrate of ghcr.io/acme/backend:1.0.0 is "fails on the schema of 1.1.0", want none: `
	require.Equal(t, []string{line + "the backend's image is ghcr.io/acme/backend:1.1.0"},
		refusals(t, config().Set(t, "threetier:backend.image", "ghcr.io/acme/backend:1.1.0")))
	require.Equal(t, []string{line + "the backend has no migrate"}, refusals(t, config().Remove(t, "threetier:backend.migrate")))
	require.Equal(t, []string{`threetier:backend.image is "A B", want an image, like registry/name@sha256:…`},
		refusals(t, config().Set(t, "threetier:backend.image", "A B")))
	require.Equal(t, []string{`threetier:backend.allow is "skip migrate", want skip migrate of the backend's image`},
		refusals(t, config().Set(t, "threetier:backend.allow", allow.List{"skip migrate": "x"})))
}
