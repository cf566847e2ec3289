package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/app/images"
	"threetier/gate/project"
)

func TestLastingDataWantsTheDefaultImagesByDigestToo(t *testing.T) {
	given := images.Nginx
	t.Cleanup(func() { images.Nginx = given })
	images.Nginx = "docker.io/acme/nginx:1"
	digest := "@sha256:" + strings.Repeat("0a", 32)
	prod := project.StackConfig(t, "prod").Remove(t, "threetier:allow.tags").
		Set(t, "threetier:backend.image", "ghcr.io/acme/backend"+digest).Set(t, "threetier:frontend.image", "ghcr.io/acme/frontend"+digest)
	require.Equal(t, []string{`threetier:nginx.image is "docker.io/acme/nginx:1", want a digest (…@sha256:…) since the database isn't disposable, ` +
		`or the reason in threetier:allow: { tags: … }`}, refusals(t, prod))
	require.NotEmpty(t, deploy(t, "prod", prod.Set(t, "threetier:nginx.image", given)).Resources)
}

func TestLastingDataWantsImagesByDigestOrAReason(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0a", 32)
	prod := func() *project.Config { return project.StackConfig(t, "prod").Remove(t, "threetier:allow.tags") }
	pinned := func(config *project.Config) *project.Config {
		return config.Set(t, "threetier:backend.image", "ghcr.io/acme/backend"+digest).Set(t, "threetier:frontend.image", "ghcr.io/acme/frontend:1.0.0"+digest)
	}
	const want = ", want a digest (…@sha256:…) since the database isn't disposable, or the reason in threetier:allow: { tags: … }"
	require.Equal(t, []string{
		`threetier:backend.image is "ghcr.io/acme/backend:1.0.0"` + want,
		`threetier:frontend.image is "ghcr.io/acme/frontend:1.0.0"` + want,
		`threetier:nginx.image is "docker.io/acme/nginx:1"` + want,
	}, refusals(t, prod().Set(t, "threetier:nginx.image", "docker.io/acme/nginx:1")))
	require.NotEmpty(t, deploy(t, "prod", pinned(prod())).Resources)
	require.Equal(t, []string{`threetier:allow.tags is "why", want none: every image has a digest`},
		refusals(t, pinned(prod()).Set(t, "threetier:allow.tags", "why")))
	require.Equal(t, []string{`threetier:allow.tags is "why", want none: beside a disposable database tags are accepted`},
		refusals(t, project.StackConfig(t, "dev").Set(t, "threetier:allow.tags", "why")))
	require.Equal(t, []string{`threetier:allow.tags is " ", want a reason`}, refusals(t, prod().Set(t, "threetier:allow.tags", " ")))
}
