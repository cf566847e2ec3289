//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const pushRegistry = "10.0.0.10:5001"

// docker is buildah under docker's name, as far as the script of the workflow image calls it.
const docker = `#!/bin/bash
set -eu
buildah() { command buildah --root ROOT/.local/buildah --runroot ROOT/.local/run/buildah --storage-driver overlay "$@"; }
case "$1 $2 $3" in
"buildx inspect images") ;;
"buildx build --builder")
    while [ $# -gt 1 ]; do
        case $1 in --output) archive=${2##*dest=} ;; esac
        shift
    done
    buildah bud --quiet --layers --isolation chroot --pull-never --tag built "$1"
    buildah push --quiet built "oci-archive:$archive" ;;
*) echo "docker $* isn't known here" >&2; exit 1 ;;
esac
`

// The scripts of the workflow image build, scan and push, with buildah in docker's place and a scanner that finds nothing:
// its database is on the internet. The archive, the registry, the digest and the node's pull are real.
func TestBuiltImageIsPushedPinnedAndDeployedByDigest(t *testing.T) {
	t.Parallel()
	startInside(t, services{Registry: pushRegistry, Push: true})
	trustRegistry(t, pushRegistry)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"docker":              strings.ReplaceAll(docker, "ROOT", root),
		"grype-0.112.0/grype": "#!/bin/sh\ntest -f \"${1#oci-dir:}/index.json\" && echo \"${1##*/} $2 $3 $4\" >>" + dir + "/scans\n",
		// skopeo's: the registry of the node has no TLS
		".config/containers/registries.conf": "[[registry]]\nlocation = \"" + pushRegistry + "\"\ninsecure = true\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "command -v skopeo >/dev/null || apt-get install --yes --no-install-recommends skopeo")
	script := func(home, name, args string) string {
		return must(t, ".local/bin/local exec -- env PATH=%s:$PATH HOME=%s RUNNER_TEMP=%[1]s GITHUB_OUTPUT=%[1]s/output .github/scripts/%[3]s %[4]s", dir, home, name, args)
	}
	repository := pushRegistry + "/acme/backend"
	script("$HOME", "build", "apps/backend "+repository+" dev "+dir+"/image")
	script("$HOME", "scan-archive", dir+"/image/image.tar")
	if scans := must(t, "cat %s/scans", dir); scans != "linux-amd64 --only-fixed --fail-on critical\n" {
		t.Errorf("the scans are %q, want one of the image", scans)
	}
	script(dir, "push", "apps/backend "+repository+" "+dir+"/image/image.tar")
	image := repository + ":" + strings.TrimSpace(must(t, "sed -n 's/^image=//p' %s/output", dir))

	s := newTestStack(t, "built", "prod")
	must(t, "sed 's|image: ghcr.io/acme/backend[^ ]*|image: %s|' %s >%s/Pulumi.built.yaml && go run ./cmd/images set -root %[3]s -stack built backend=%s && cp %[3]s/Pulumi.built.yaml %[2]s", repository, s.config, dir, image)
	s.up(t)
	addItem(t, s.site, "by the image that was built")
	call(t, http.StatusOK, http.MethodGet, s.site+"/api/items", nil, nil)
	tagged, digest, _ := strings.Cut(image, "@")
	for _, running := range strings.Fields(kubectl(t, "built", "get pods -l app.kubernetes.io/name=backend -o jsonpath='{.items[*].status.containerStatuses[*].imageID}'")) {
		if running != repository+"@"+digest {
			t.Errorf("a pod of the backend runs %s, want %s", running, image)
		}
	}
	said := must(t, "make --no-print-directory status STACK=built")
	for _, want := range []string{tagged + "@" + digest[:len("sha256:")+12] + "…\n", ", available, db.t4g.small, PostgreSQL 17", ", 20 GiB, Multi-AZ\n", " INSUFFICIENT_DATA\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("the status doesn't show %q:\n%s", want, said)
		}
	}
}
