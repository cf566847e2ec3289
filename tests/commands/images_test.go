package commands

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// imagesOf runs bin/images in a project with one tier, whose scripts note what they are called with.
func imagesOf(t *testing.T, prepare string, env ...string) (said, calls string, err error) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	script := `cd "$1" && git init --quiet && mkdir -p bin .github/scripts apps/backend apps/frontend && cp "$2/bin/images" bin && echo x >Pulumi.dev.yaml
		echo .local >.gitignore && echo FROM scratch >apps/backend/Dockerfile
		for script in build scan-archive push pin; do { echo '#!/bin/sh'; echo "echo $script \$* PLATFORMS=\$PLATFORMS\${MOVE:+ MOVE} | sed \"s|\$PWD|.|g\" >>calls"; } >.github/scripts/$script; done
		cat >>.github/scripts/build <<'END'
if [ -f "$1/Dockerfile" ]; then mkdir -p "$4" && echo archive >"$4/image.tar"; fi
END
		echo 'echo image=0123-20260101@sha256:abc >>"$GITHUB_OUTPUT"' >>.github/scripts/push
		chmod +x .github/scripts/* && git add --all && git -c user.name=a -c user.email=a@localhost commit --quiet --message all`
	out, err := exec.Command("sh", "-euc", script+"\n"+prepare, "sh", dir, project.Root()).CombinedOutput()
	require.NoError(t, err, string(out))
	pulumi := `#!/bin/sh
[ "$*" = "-C platform stack output github --stack dev --json" ] && echo "{\"IMAGE_REGISTRY\": \"$TOLD\"}"`
	require.NoError(t, os.WriteFile(filepath.Join(bin, "pulumi"), []byte(pulumi), 0o700))
	cmd := exec.Command(filepath.Join(dir, "bin", "images"), "dev")
	cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + dir}, env...)
	out, err = cmd.CombinedOutput()
	text, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	if !os.IsNotExist(readErr) {
		require.NoError(t, readErr)
	}
	return string(out), string(text), err
}

func TestImagesGoTheWayOfTheWorkflow(t *testing.T) {
	said, calls, err := imagesOf(t, "", "TOLD=1.dkr.ecr.eu-west-1.amazonaws.com/acme")
	require.NoError(t, err, said)
	assert.Equal(t, `build apps/backend 1.dkr.ecr.eu-west-1.amazonaws.com/acme/backend dev ./.local/images/backend PLATFORMS=linux/amd64
scan-archive ./.local/images/backend/image.tar PLATFORMS=linux/amd64
push apps/backend 1.dkr.ecr.eu-west-1.amazonaws.com/acme/backend ./.local/images/backend/image.tar PLATFORMS=linux/amd64
build apps/frontend 1.dkr.ecr.eu-west-1.amazonaws.com/acme/frontend dev ./.local/images/frontend PLATFORMS=linux/amd64
pin dev ./.local/images/pinned backend=1.dkr.ecr.eu-west-1.amazonaws.com/acme/backend:0123-20260101@sha256:abc PLATFORMS=linux/amd64 MOVE
`, calls)
	_, calls, err = imagesOf(t, "", "IMAGE_REGISTRY=ghcr.io/acme", "IMAGE_PLATFORMS=linux/arm64")
	require.NoError(t, err)
	assert.Contains(t, calls, "push apps/backend ghcr.io/acme/backend ./.local/images/backend/image.tar PLATFORMS=linux/arm64\n")
}

func TestImagesThatMustNotBePushedAreNot(t *testing.T) {
	for prepare, want := range map[string]string{
		"echo x >apps/frontend/index.html":                         "apps/frontend has changes, want them committed",
		"rm Pulumi.dev.yaml":                                       "STACK is dev, want one that has Pulumi.dev.yaml",
		"printf '#!/bin/sh\nexit 1' >.github/scripts/scan-archive": "",
	} {
		said, calls, err := imagesOf(t, prepare, "TOLD=ghcr.io/acme")
		require.Error(t, err, prepare)
		assert.Contains(t, said, want)
		assert.NotContains(t, calls, "pin", prepare)
	}
	said, calls, err := imagesOf(t, "")
	require.Error(t, err)
	assert.Contains(t, said, "platform dev has no registries, want IMAGE_REGISTRY")
	assert.Empty(t, calls)
}
