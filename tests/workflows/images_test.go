package workflows

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var built = "sha256:" + strings.Repeat("0a", 32)

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

// apps is a stage with the sources of a backend, a stack config, a scanner, and tools that say what they are asked to.
func apps(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.write("apps/backend/Dockerfile", "FROM scratch\n")
	s.write("Pulumi.dev.yaml", "image: "+backend+":1.0.0\n")
	s.git("init --quiet . && git add . && git -c user.name=a -c user.email=a@localhost commit --quiet --message app")
	s.write(grype, "#!/bin/sh\necho \"grype $*\" >>"+s.file("calls")+"\n")
	// The registry has an image under every tag that one may ask for.
	s.command("docker", `case "$*" in
*imagetools*) echo `+built+` ;;
*--output*) while [ "$1" != --output ]; do shift; done; echo archive >"${2##*dest=}" ;;
esac`)
	s.command("skopeo", `case "$*" in
login*) cat >`+s.file("password")+` ;;
*--digestfile*) while [ "$1" != --digestfile ]; do shift; done; printf %s `+built+` >"$2" ;;
esac`)
	s.command("aws", "echo secret")
	return s
}

// content is what the tags of the stage's backend begin with.
func (s *stage) contentID() string { return s.git("rev-parse HEAD:apps/backend")[:12] }

const (
	ecr     = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme/backend"
	backend = "ghcr.io/acme/backend"
)

func TestArchiveIsBuiltForEveryPlatformWithoutARegistry(t *testing.T) {
	s := apps(t)
	s.env = []string{"PLATFORMS=linux/amd64,linux/arm64"}
	require.Zero(t, s.run("build", "apps/backend", backend, "dev", "image"))
	assert.Equal(t, "docker buildx inspect images\n"+
		"docker buildx build --builder images --pull --platform linux/amd64,linux/arm64 --provenance mode=max --sbom true "+
		"--output type=oci,dest=image/image.tar apps/backend\n", s.text("calls"))
	assert.FileExists(t, s.file("image/image.tar"))
}

// Whoever may push to the registry knows the tag before the change is reviewed.
func TestOnlyTheStackConfigSaysWhatIsBuilt(t *testing.T) {
	s := apps(t)
	for named, isBuilt := range map[string]bool{
		backend + ":" + s.contentID() + "-20261128215145@" + built:               false,
		backend + ":" + s.contentID() + "@" + built:                              true, // how versions before named it
		backend + ":" + strings.Repeat("0", 12) + "-20261128215145@" + built:     true,
		"ghcr.io/acme/backend-old:" + s.contentID() + "-20261128215145@" + built: true,
		"ghcr.io/acme/frontend:" + s.contentID() + "-20261128215145@" + built:    true,
	} {
		s.write("Pulumi.dev.yaml", "image: "+named+"\n")
		require.NoError(t, os.RemoveAll(s.file("image")))
		s.env = nil
		code, said := s.says("build", "apps/backend", backend, "dev", "image")
		require.Zero(t, code)
		if isBuilt {
			assert.FileExists(t, s.file("image/image.tar"), named)
			continue
		}
		assert.NoFileExists(t, s.file("image/image.tar"), named)
		assert.Contains(t, said, "Pulumi.dev.yaml names "+backend+":"+s.contentID()+"-…: nothing is built")
		s.env = []string{"REBUILD=true"}
		require.Zero(t, s.run("build", "apps/backend", backend, "dev", "image"))
		assert.FileExists(t, s.file("image/image.tar"))
	}
}

func TestTierWithoutADockerfileIsNotBuilt(t *testing.T) {
	s := newStage(t)
	code, said := s.says("build", "apps/frontend", "ghcr.io/acme/frontend", "dev", "image")
	assert.Zero(t, code)
	assert.Contains(t, said, "apps/frontend has no Dockerfile: nothing is built here")
	assert.NoFileExists(t, s.file("image/image.tar"))
}

func TestPageIsBuiltBeforeItsImage(t *testing.T) {
	s := apps(t)
	s.write("apps/backend/package.json", "{}")
	s.command("npm", "")
	require.Zero(t, s.run("build", "apps/backend", backend, "dev", "image"))
	before, _, found := strings.Cut(s.text("calls"), "docker buildx build")
	assert.True(t, found)
	assert.Contains(t, before, "npm --prefix apps/backend ci --ignore-scripts\nnpm --prefix apps/backend run build\n")
}

func TestArchiveIsScannedOnEveryPlatform(t *testing.T) {
	s := apps(t)
	s.env = []string{"PLATFORMS=linux/amd64,linux/arm64"}
	require.Zero(t, s.run("scan-archive", "image/image.tar"))
	calls := regexp.MustCompile(`/tmp\.\w+/`).ReplaceAllString(strings.ReplaceAll(s.text("calls"), s.dir, ""), "/")
	assert.Equal(t, `skopeo --override-os linux --override-arch amd64 copy --quiet oci-archive:image/image.tar oci:/linux-amd64
grype oci-dir:/linux-amd64 --only-fixed --fail-on critical
skopeo --override-os linux --override-arch arm64 copy --quiet oci-archive:image/image.tar oci:/linux-arm64
grype oci-dir:/linux-arm64 --only-fixed --fail-on critical
`, calls)
}

func TestScanFailsWithACriticalVulnerability(t *testing.T) {
	s := apps(t)
	s.write(grype, "#!/bin/sh\necho CVE-2026-1; exit 2\n")
	code, said := s.says("scan-archive", "image/image.tar")
	assert.Equal(t, 2, code)
	assert.Contains(t, said, "CVE-2026-1")
}

func TestArchiveIsPushedUnderATagOfItsOwn(t *testing.T) {
	for repository, login := range map[string]string{
		ecr:     "aws ecr get-login-password\nskopeo login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-1.amazonaws.com\n",
		backend: "skopeo login --username ada --password-stdin ghcr.io\n",
	} {
		s := apps(t)
		s.env = []string{"GH_TOKEN=token"}
		require.Zero(t, s.run("push", "apps/backend", repository, "image/image.tar"))
		output := regexp.MustCompile("^image=(" + s.contentID() + `-\d{14})@` + built + "\ndigest=" + built + "\n$").FindStringSubmatch(s.text("output"))
		require.NotNil(t, output, s.text("output"))
		name := repository + ":" + output[1]
		assert.Equal(t, login+"skopeo copy --quiet --all --preserve-digests --digestfile "+s.file("digest")+
			" oci-archive:image/image.tar docker://"+name+"\n", s.text("calls"))
		assert.Equal(t, name+"@"+built+"\n", s.text("step-summary"))
		assert.Contains(t, []string{"secret\n", "token\n"}, s.text("password"))
	}
}

func TestScannerWithAnotherSumIsNeverRun(t *testing.T) {
	s := newStage(t)
	s.command("curl", `while [ "$1" != --output ]; do shift; done; echo another >"$2"`)
	code, said := s.says("scan", "docker:backend:linux-amd64")
	assert.NotZero(t, code)
	assert.Contains(t, said, "FAILED")
	assert.NoFileExists(t, s.file(grype))
}

const tag = "0a0a0a0a0a0a-20261128215145"

// projectStage is a stage whose project is a clone with a stack config that names two images.
func projectStage(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.write("Pulumi.dev.yaml", "backend:\n  image: "+backend+":1.0.0 # "+backend+":1.0.0\nfrontend: { image: 'ghcr.io/acme/frontend', port: 80 }\n")
	s.write("tests/plan/dev.yaml", "images: old\n")
	s.git("init --quiet . && git add Pulumi.dev.yaml tests && git -c user.name=a -c user.email=a@localhost commit --quiet --message app")
	s.git("init --quiet --bare origin && git remote add origin " + s.file("origin"))
	s.command("gh", `[ "$2" != list ] || true`)
	return s
}

func TestPinHandsOverTheStackConfigAndItsPlan(t *testing.T) {
	s := projectStage(t)
	s.command("go", "echo pinned >Pulumi.dev.yaml")
	s.command("make", "cp Pulumi.dev.yaml tests/plan/dev.yaml")
	require.Zero(t, s.run("pin", "dev", "out", "backend="+backend+":"+tag+"@"+built, "frontend="))
	assert.Equal(t, "go run ./cmd/images set -stack dev backend="+backend+":"+tag+"@"+built+"\nmake --no-print-directory plan\n", s.text("calls"))
	assert.Equal(t, "pinned\n", s.text("out/Pulumi.dev.yaml"))
	assert.Equal(t, "pinned\n", s.text("out/tests/plan/dev.yaml"))

	s.command("go", "exit 1")
	assert.NotZero(t, s.run("pin", "dev", "refused", "backend="+backend+":"+tag+"@"+built))
	assert.NoDirExists(t, s.file("refused"))
}

// pinned is the stage's stack config with the version in place of the backend's, and a plan.
func (s *stage) pinned(version string) {
	s.write("in/Pulumi.dev.yaml", strings.Replace(s.git("show main:Pulumi.dev.yaml"), ":1.0.0", version, 1)+"\n")
	s.write("in/tests/plan/dev.yaml", "images: "+version+"\n")
}

func TestProposeAsksForTheImagesInOnePullRequest(t *testing.T) {
	s := projectStage(t)
	version := ":" + tag + "@" + built
	s.pinned(version)
	require.Zero(t, s.run("propose", "dev", "in", backend+version, ""))
	assert.Contains(t, s.text("calls"), "gh pr create --repo acme/shop --base main --head images-dev --fill\n")
	assert.Contains(t, s.git("--git-dir origin show images-dev:Pulumi.dev.yaml"), "image: "+backend+version+" # "+backend+":1.0.0\n")
	assert.Equal(t, "images: "+version, s.git("--git-dir origin show images-dev:tests/plan/dev.yaml"))
	assert.Equal(t, "github-actions[bot]", s.git("--git-dir origin log -1 --format=%an images-dev"))
	assert.Contains(t, s.git("--git-dir origin log -1 --format=%b images-dev"), backend+version)

	s.git("checkout --quiet main")
	s.command("gh", `[ "$2" != list ] || echo 7`)
	newer := ":" + strings.Repeat("1", 12) + "-20261128215146@" + built
	s.pinned(newer)
	require.Zero(t, s.run("propose", "dev", "in", backend+newer, ""))
	assert.Equal(t, 1, strings.Count(s.text("calls"), "gh pr create"), "the open one is renewed")
	assert.Contains(t, s.git("--git-dir origin show images-dev:Pulumi.dev.yaml"), newer)
}

func TestProposeSaysWhereAPersonOpensThePullRequest(t *testing.T) {
	s := projectStage(t)
	s.command("gh", `[ "$2" != create ] || { echo "GitHub Actions is not permitted to create or approve pull requests" >&2; exit 1; }`)
	s.pinned(":" + tag + "@" + built)
	require.Zero(t, s.run("propose", "dev", "in", backend+":"+tag+"@"+built))
	assert.Equal(t, "Open the pull request of these images: https://github.com/acme/shop/compare/main...images-dev?expand=1\n", s.text("step-summary"))
	assert.NotEmpty(t, s.git("--git-dir origin rev-parse images-dev"))
}

func TestProposeAsksForNothingWhereTheStackHasTheImages(t *testing.T) {
	s := projectStage(t)
	s.pinned(":1.0.0")
	s.write("in/tests/plan/dev.yaml", "images: old\n")
	require.Zero(t, s.run("propose", "dev", "in", backend+":"+tag+"@"+built))
	assert.NoFileExists(t, s.file("calls"))
}

// The job that writes the files runs the program and everything that it imports.
func TestProposeTakesTheImagesThatWerePushedAndNothingElse(t *testing.T) {
	version := ":" + tag + "@" + built
	evil := ":" + tag + "@sha256:" + strings.Repeat("ee", 32)
	for name, change := range map[string]func(s *stage){
		"another digest":         func(s *stage) { s.pinned(evil) },
		"another repository":     func(s *stage) { s.pinned("-evil" + version) },
		"the image in a comment": func(s *stage) { s.pinned(evil + " # " + backend + version) },
		"another key": func(s *stage) {
			s.pinned(version)
			s.write("in/Pulumi.dev.yaml", strings.Replace(s.text("in/Pulumi.dev.yaml"), "port: 80", "port: 81", 1))
		},
		"another line": func(s *stage) {
			s.pinned(version)
			s.write("in/Pulumi.dev.yaml", s.text("in/Pulumi.dev.yaml")+"evil: true\n")
		},
		"a line less": func(s *stage) {
			s.pinned(version)
			s.write("in/Pulumi.dev.yaml", strings.Replace(s.text("in/Pulumi.dev.yaml"), "frontend:", "", 1))
		},
		"the image of a tier that wasn't pushed": func(s *stage) {
			s.pinned(version)
			s.write("in/Pulumi.dev.yaml", strings.Replace(s.text("in/Pulumi.dev.yaml"), "acme/frontend", "acme/frontend"+evil, 1))
		},
		"a host that looks alike": func(s *stage) {
			s.pinned(version)
			s.write("in/Pulumi.dev.yaml", strings.Replace(s.text("in/Pulumi.dev.yaml"), "ghcr.io/acme/backend"+version, "ghcr-io/acme/backend"+version, 1))
		},
		"no config": func(s *stage) {
			s.pinned(version)
			require.NoError(s.t, os.Remove(s.file("in/Pulumi.dev.yaml")))
		},
		"a link to the runner's own": func(s *stage) {
			s.pinned(version)
			require.NoError(s.t, os.Remove(s.file("in/tests/plan/dev.yaml")))
			require.NoError(s.t, os.Symlink("/proc/self/environ", s.file("in/tests/plan/dev.yaml")))
		},
		"a folder that's a link": func(s *stage) {
			s.pinned(version)
			require.NoError(s.t, os.Rename(s.file("in/tests"), s.file("elsewhere")))
			require.NoError(s.t, os.Symlink(s.file("elsewhere"), s.file("in/tests")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := projectStage(t)
			change(s)
			code, said := s.says("propose", "dev", "in", backend+version, "")
			assert.Equal(t, 1, code)
			assert.Regexp(t, "in/Pulumi.dev.yaml differs from Pulumi.dev.yaml in more than "+backend+version+", want these images and no other change|is missing, want the file that pin wrote", said)
			assert.NoFileExists(t, s.file("calls"), "nothing is pushed")
			assert.Empty(t, s.git("diff"))
		})
	}
}

func TestImagesAreBuiltFromMainAloneAndDeployedByNobodyHere(t *testing.T) {
	images := read(t, "images.yml")
	assert.Equal(t, map[string]any{"group": "images", "cancel-in-progress": false}, images.Concurrency)
	assert.NotContains(t, images.On, "pull_request")
	for _, tier := range []string{"backend", "frontend"} {
		assert.Contains(t, images.Jobs[tier].If, "github.ref == 'refs/heads/main'")
		assert.Equal(t, "./.github/workflows/image.yml", images.Jobs[tier].Uses)
		assert.Equal(t, tier, images.Jobs[tier].With["tier"])
	}
	propose := images.Jobs["propose"]
	assert.Equal(t, map[string]string{"contents": "write", "pull-requests": "write"}, propose.Permissions, "it can't push an image")
	assert.True(t, propose.runs(`.github/scripts/propose dev pinned "$BACKEND" "$FRONTEND"`))
	for _, id := range []string{"pin", "propose"} { // what was pushed comes from the jobs that pushed it
		step := images.Jobs[id].script(t, id)
		assert.Equal(t, "${{ needs.backend.outputs.image }}", step.Env["BACKEND"])
		assert.Equal(t, "${{ needs.frontend.outputs.image }}", step.Env["FRONTEND"])
	}

	image := read(t, "image.yml")
	assert.Equal(t, []string{"workflow_call"}, slices.Collect(maps.Keys(image.On)))
	assert.Equal(t, []any{"build", "scan"}, image.Jobs["push"].Needs, "nothing is pushed that wasn't scanned")
	for _, id := range []string{"scan", "push"} {
		assert.Equal(t, "needs.build.outputs.archive != ''", image.Jobs[id].If, "it runs after a success alone")
	}
	assert.Equal(t, "scan-archive image/image.tar", image.Jobs["scan"].script(t, "scan-archive").called())
	assert.Equal(t, `push "$FOLDER" "$REPOSITORY" image/image.tar`, image.Jobs["push"].script(t, "push").called())
}
