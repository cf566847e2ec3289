package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const built = "sha256:0a0a"

// grype is where the scan script looks for its scanner.
const grype = "grype-0.112.0/grype"

// write puts a file into the stage's folder.
func (s *stage) write(name, text string) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(filepath.Dir(s.file(name)), 0o700))
	require.NoError(s.t, os.WriteFile(s.file(name), []byte(text), 0o700))
}

// git runs a command line of git in the stage's folder.
func (s *stage) git(args string) string {
	s.t.Helper()
	cmd := exec.Command("bash", "-c", "git -c user.name=acme -c user.email=acme@example.org -c init.defaultBranch=main "+args)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, string(out))
	return strings.TrimSpace(string(out))
}

// apps is a stage with the sources of a backend, a scanner, and a docker that has pushed what is named.
func apps(t *testing.T, pushed string) *stage {
	t.Helper()
	s := newStage(t)
	s.write("apps/backend/Dockerfile", "FROM scratch\n")
	s.git("init --quiet . && git add . && git -c user.name=a -c user.email=a@localhost commit --quiet --message app")
	s.write(grype, "#!/bin/sh\necho \"grype $*\" >>"+s.file("calls")+"\n")
	s.command("docker", `case "$*" in
*imagetools*) [ "$4" = "`+pushed+`" ] && echo `+built+` ;;
*--push*) while [ "$1" != --metadata-file ]; do shift; done; echo '{"containerimage.digest": "`+built+`"}' >"$2" ;;
login*) cat >`+s.file("password")+` ;;
esac`)
	s.command("aws", "echo secret")
	return s
}

// tree is the tag of the stage's backend.
func (s *stage) tree() string { return s.git("rev-parse HEAD:apps/backend")[:12] }

const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme"

func TestImageIsPushedAfterEveryArchitectureHasPassedTheScan(t *testing.T) {
	s := apps(t, "")
	s.env = []string{"PLATFORMS=linux/amd64,linux/arm64"}
	require.Zero(t, s.run("image", "backend", "apps/backend", ecr, "out"))
	name := ecr + "/backend:" + s.tree()
	build := "docker buildx build --builder images "
	cache := " --cache-from type=registry,ref=" + ecr + "/backend:cache"
	assert.Equal(t, "aws ecr get-login-password\n"+
		"docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-1.amazonaws.com\n"+
		"docker buildx imagetools inspect "+name+" --format {{.Manifest.Digest}}\n"+
		"docker buildx inspect images\n"+
		build+"--platform linux/amd64"+cache+" --load --tag backend:linux-amd64 apps/backend\n"+
		"grype docker:backend:linux-amd64 --only-fixed --fail-on critical\n"+
		build+"--platform linux/arm64"+cache+" --load --tag backend:linux-arm64 apps/backend\n"+
		"grype docker:backend:linux-arm64 --only-fixed --fail-on critical\n"+
		build+"--platform linux/amd64,linux/arm64 --provenance mode=max --sbom true --tag "+name+" --metadata-file out/metadata "+
		"--cache-to type=registry,ref="+ecr+"/backend:cache,mode=max,image-manifest=true,oci-mediatypes=true --push apps/backend\n", s.content("calls"))
	assert.Equal(t, name+"@"+built+"\n", s.content("out/backend"))
	assert.NoFileExists(t, s.file("out/metadata"))
	assert.Equal(t, s.content("out/backend"), s.content("step-summary"))
	assert.Equal(t, "secret\n", s.content("password"))
}

func TestImageWithACriticalVulnerabilityIsNotPushed(t *testing.T) {
	s := apps(t, "")
	s.write(grype, "#!/bin/sh\necho CVE-2026-1; exit 2\n")
	code, said := s.says("image", "backend", "apps/backend", "ghcr.io/acme", "out")
	assert.Equal(t, 2, code)
	assert.Contains(t, said, "CVE-2026-1")
	assert.NotContains(t, s.content("calls"), "--push")
	assert.NoFileExists(t, s.file("out/backend"))
	assert.Equal(t, "token\n", s.content("password"))
}

func TestFolderThatIsInTheRegistryIsNotBuiltAgain(t *testing.T) {
	s := apps(t, "")
	name := "ghcr.io/acme/backend:" + s.tree()
	s = apps(t, name)
	require.Zero(t, s.run("image", "backend", "apps/backend", "ghcr.io/acme", "out"))
	assert.NotContains(t, s.content("calls"), "docker buildx build")
	assert.Equal(t, name+"@"+built+"\n", s.content("out/backend"))

	s.env = []string{"REBUILD=true"}
	require.Zero(t, s.run("image", "backend", "apps/backend", "ghcr.io/acme", "out"))
	assert.Contains(t, s.content("calls"), "--pull --no-cache --platform linux/amd64")
	assert.Regexp(t, "^"+name+`-\d{12}@`+built+"\n$", s.content("out/backend"))
}

func TestTierWithoutADockerfileIsNotBuilt(t *testing.T) {
	s := newStage(t)
	code, said := s.says("image", "frontend", "apps/frontend", "ghcr.io/acme", "out")
	assert.Zero(t, code)
	assert.Contains(t, said, "apps/frontend has no Dockerfile: the frontend is not built here")
	assert.NoFileExists(t, s.file("out/frontend"))
}

func TestPageIsBuiltBeforeItsImage(t *testing.T) {
	s := apps(t, "")
	s.write("apps/backend/package.json", "{}")
	s.command("npm", "")
	require.Zero(t, s.run("image", "backend", "apps/backend", "ghcr.io/acme", "out"))
	before, _, found := strings.Cut(s.content("calls"), "docker buildx build")
	assert.True(t, found)
	assert.Contains(t, before, "npm --prefix apps/backend ci\nnpm --prefix apps/backend run build\n")
}

func TestScannerWithAnotherSumIsNeverRun(t *testing.T) {
	s := newStage(t)
	s.command("curl", `while [ "$1" != --output ]; do shift; done; echo another >"$2"`)
	code, said := s.says("scan", "docker:backend:linux-amd64")
	assert.NotZero(t, code)
	assert.Contains(t, said, "FAILED")
	assert.NoFileExists(t, s.file(grype))
}

// pinned is a stage whose project is a clone with a stack config, in which go puts the given image.
func pinned(t *testing.T, open string) *stage {
	t.Helper()
	s := newStage(t)
	s.write("Pulumi.dev.yaml", "image: old\n")
	s.write("tests/plan/dev.yaml", "image: old\n")
	s.git("init --quiet . && git add Pulumi.dev.yaml tests && git -c user.name=a -c user.email=a@localhost commit --quiet --message app")
	s.git("init --quiet --bare origin && git remote add origin " + s.file("origin"))
	s.write("images/backend", "ghcr.io/acme/backend:1@"+built+"\n")
	s.command("go", `while [ "${1%%=*}" != backend ]; do shift; done; echo "image: ${1#*=}" >Pulumi.dev.yaml`)
	s.command("make", "cp Pulumi.dev.yaml tests/plan/dev.yaml")
	s.command("gh", `[ "$2" != list ] || echo "`+open+`"`)
	return s
}

func TestPinAsksForTheImagesInOnePullRequest(t *testing.T) {
	s := pinned(t, "")
	require.Zero(t, s.run("pin", "dev", "images"))
	assert.Contains(t, s.content("calls"), "go run ./cmd/images set -stack dev backend=ghcr.io/acme/backend:1@"+built+"\n")
	assert.Contains(t, s.content("calls"), "gh pr create --repo acme/shop --base main --head images-dev --fill\n")
	for _, file := range []string{"Pulumi.dev.yaml", "tests/plan/dev.yaml"} {
		assert.Equal(t, "image: ghcr.io/acme/backend:1@"+built, s.git("--git-dir origin show images-dev:"+file))
	}
	assert.Equal(t, "github-actions[bot]", s.git("--git-dir origin log -1 --format=%an images-dev"))

	s.git("checkout --quiet main")
	s.command("gh", `[ "$2" != list ] || echo 7`)
	s.write("images/backend", "ghcr.io/acme/backend:2@"+built+"\n")
	require.Zero(t, s.run("pin", "dev", "images"))
	assert.Equal(t, 1, strings.Count(s.content("calls"), "gh pr create"), "the open one is renewed")
	assert.Equal(t, "image: ghcr.io/acme/backend:2@"+built, s.git("--git-dir origin show images-dev:Pulumi.dev.yaml"))
}

func TestPinAsksForNothingWhereTheStackHasTheImages(t *testing.T) {
	s := pinned(t, "")
	s.command("go", "")
	require.Zero(t, s.run("pin", "dev", "images"))
	assert.NotContains(t, s.content("calls"), "gh pr")

	require.NoError(t, os.Remove(s.file("images/backend")))
	code, said := s.says("pin", "dev", "images")
	assert.Zero(t, code)
	assert.Contains(t, said, "no image was built: nothing to pin")
}

func TestImagesAreBuiltFromMainAloneAndDeployedByNobodyHere(t *testing.T) {
	parsed := read(t, "images.yml")
	assert.Equal(t, map[string]any{"group": "images", "cancel-in-progress": false}, parsed.Concurrency)
	assert.Empty(t, parsed.Permissions)
	image, pin := parsed.Jobs["image"], parsed.Jobs["pin"]
	assert.Contains(t, image.If, "github.ref == 'refs/heads/main'")
	assert.Equal(t, map[string]string{"contents": "read", "id-token": "write", "packages": "write"}, image.Permissions)
	assert.True(t, image.runs(`.github/scripts/image "$TIER" "$FOLDER" "$REGISTRY" images`))
	assert.Equal(t, "image", pin.Needs)
	assert.Equal(t, map[string]string{"contents": "write", "pull-requests": "write"}, pin.Permissions, "it can't push an image")
	assert.True(t, pin.runs(".github/scripts/pin dev images"))
	assert.NotContains(t, parsed.On, "pull_request")
}
