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

// docker is buildah under docker's name, as far as the script of the workflow images calls it.
const docker = `#!/bin/bash
set -eu
buildah() { command buildah --root ROOT/.local/buildah --runroot ROOT/.local/run/buildah --storage-driver overlay "$@"; }
case "$1 $2 $3" in
"buildx imagetools inspect")
    curl --fail --silent --head --header 'Accept: application/vnd.oci.image.manifest.v1+json' "http://${4%%/*}/v2/$(echo "${4#*/}" | sed 's|:|/manifests/|')" |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //p' | grep . ;;
"buildx inspect images") ;;
"buildx build --builder")
    while [ $# -gt 1 ]; do
        case $1 in --tag) tag=$2 ;; --metadata-file) metadata=$2 ;; --push) push=1 ;; esac
        shift
    done
    buildah bud --quiet --layers --isolation chroot --pull-never --tag "$tag" "$1"
    [ -n "${push:-}" ] || exit 0
    buildah push --quiet --tls-verify=false --digestfile "$metadata.digest" "$tag"
    echo "{\"containerimage.digest\": \"$(cat "$metadata.digest")\"}" >"$metadata"
    rm "$metadata.digest" ;;
*) echo "docker $* isn't known here" >&2; exit 1 ;;
esac
`

// The script of the workflow builds and pushes, with buildah in docker's place and a scanner that finds nothing: its
// database is on the internet. The registry, the digest and the node's pull are real.
func TestBuiltImageIsPushedPinnedAndDeployedByDigest(t *testing.T) {
	t.Parallel()
	startInside(t, services{Registry: pushRegistry, Push: true})
	trustRegistry(t, pushRegistry)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"docker": strings.ReplaceAll(docker, "ROOT", root), "grype-0.112.0/grype": "#!/bin/sh\necho \"$*\" >>" + dir + "/scans\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := ".local/bin/local exec -- env PATH=" + dir + ":$PATH RUNNER_TEMP=" + dir + " .github/scripts/image backend apps/backend " + pushRegistry + "/acme " + dir + "/out"
	must(t, "%s", script)
	image := strings.TrimSpace(must(t, "cat %s/out/backend", dir))
	if scans := must(t, "cat %s/scans", dir); scans != "docker:backend:linux-amd64 --only-fixed --fail-on critical\n" {
		t.Errorf("the scans are %q, want one of the image", scans)
	}
	if said := must(t, "%s", script); !strings.Contains(said, "is in the registry: nothing is built") || strings.TrimSpace(must(t, "cat %s/out/backend", dir)) != image {
		t.Errorf("the second run is not content with the first one's image:\n%s", said)
	}

	s := newTestStack(t, "built", "prod")
	must(t, "cp %s %s/Pulumi.built.yaml && go run ./cmd/images set -root %[2]s -stack built backend=%s && cp %[2]s/Pulumi.built.yaml %[1]s", s.config, dir, image)
	s.up(t)
	addItem(t, s.site, "by the image that was built")
	call(t, http.StatusOK, http.MethodGet, s.site+"/api/items", nil, nil)
	repository, digest, _ := strings.Cut(image, "@")
	for _, running := range strings.Fields(kubectl(t, "built", "get pods -l app.kubernetes.io/name=backend -o jsonpath='{.items[*].status.containerStatuses[*].imageID}'")) {
		if running != pushRegistry+"/acme/backend@"+digest {
			t.Errorf("a pod of the backend runs %s, want %s", running, image)
		}
	}
	said := must(t, "make --no-print-directory status STACK=built")
	for _, want := range []string{repository + "@" + digest[:len("sha256:")+12] + "…\n", ", available, db.t4g.small, PostgreSQL 17", ", 20 GiB, Multi-AZ\n", " INSUFFICIENT_DATA\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("the status doesn't show %q:\n%s", want, said)
		}
	}
}
