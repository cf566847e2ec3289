package images

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var digest = "@sha256:" + strings.Repeat("0a", 32)

const prod = `# Prod: no data is lost. Größe: klein.
config:
  aws:region: eu-west-1 # closest

  threetier:frontend: {healthPath: /x, image: "ghcr.io/acme/web:1"} # the page
  threetier:backend:
    # tested in dev
    image: ghcr.io/acme/api:1   # ← two spaces too many
    env: { image: ghcr.io/acme/api:1 }
  other:backend: { image: ghcr.io/acme/api:1 }
`

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	return root
}

func content(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(text)
}

func TestPromoteChangesTheImagesAndNothingElse(t *testing.T) {
	dev := "config:\n  threetier:backend: { image: ghcr.io/acme/api:2" + digest + " }\n  threetier:frontend: { image: 'ghcr.io/acme/web:2" + digest + "' }\n"
	root := write(t, map[string]string{"Pulumi.dev.yaml": dev, "Pulumi.prod.yaml": prod})
	var out bytes.Buffer
	require.NoError(t, Run(&out, []string{"promote", "-root", root, "-from", "dev", "-to", "prod"}))

	want := strings.Replace(prod, `"ghcr.io/acme/web:1"`, `"ghcr.io/acme/web:2`+digest+`"`, 1)
	want = strings.Replace(want, "    image: ghcr.io/acme/api:1 ", "    image: ghcr.io/acme/api:2"+digest+" ", 1)
	assert.Equal(t, want, content(t, root, "Pulumi.prod.yaml"))
	assert.Equal(t, dev, content(t, root, "Pulumi.dev.yaml"))
	assert.Equal(t, "Pulumi.prod.yaml:\n"+
		"threetier:frontend.image\n  - ghcr.io/acme/web:1\n  + ghcr.io/acme/web:2"+digest+"\n"+
		"threetier:backend.image\n  - ghcr.io/acme/api:1\n  + ghcr.io/acme/api:2"+digest+"\n", out.String())

	out.Reset()
	require.NoError(t, Run(&out, []string{"promote", "-root", root, "-from", "dev", "-to", "prod"}))
	assert.Equal(t, "Pulumi.prod.yaml: nothing to change\n", out.String())
}

func TestPromoteRefusesTagsAndChangesNothing(t *testing.T) {
	root := write(t, map[string]string{"Pulumi.dev.yaml": prod, "Pulumi.prod.yaml": prod})
	err := Run(&bytes.Buffer{}, []string{"promote", "-root", root, "-from", "dev", "-to", "prod"})
	assert.EqualError(t, err, "threetier:frontend.image of dev is ghcr.io/acme/web:1, want a digest: make pin STACK=dev\n"+
		"threetier:backend.image of dev is ghcr.io/acme/api:1, want a digest: make pin STACK=dev")
	assert.Equal(t, prod, content(t, root, "Pulumi.prod.yaml"))
}

func TestSetPutsInWhatWasBuilt(t *testing.T) {
	root := write(t, map[string]string{"Pulumi.dev.yaml": prod})
	var out bytes.Buffer
	require.NoError(t, Run(&out, []string{"set", "-root", root, "-stack", "dev", "backend=ghcr.io/acme/api:2" + digest}))
	assert.Equal(t, strings.Replace(prod, "    image: ghcr.io/acme/api:1 ", "    image: ghcr.io/acme/api:2"+digest+" ", 1), content(t, root, "Pulumi.dev.yaml"))
	assert.Equal(t, "Pulumi.dev.yaml:\nthreetier:backend.image\n  - ghcr.io/acme/api:1\n  + ghcr.io/acme/api:2"+digest+"\n", out.String())
}

func TestSetRefusesATagAndAPartThatIsNotThere(t *testing.T) {
	text := "config:\n  threetier:backend: { image: api:1 }\n"
	root := write(t, map[string]string{"Pulumi.dev.yaml": text})
	err := Run(&bytes.Buffer{}, []string{"set", "-root", root, "-stack", "dev", "backend=api:2", "frontend=web:2" + digest})
	assert.EqualError(t, err, `backend is "api:2", want an image with a digest`+"\n"+
		"threetier:frontend.image of dev is missing, want an image that can be replaced")
	assert.Equal(t, text, content(t, root, "Pulumi.dev.yaml"))
}

// What set puts in is deployed by whoever merges it.
func TestSetRefusesWhatIsNoImageOrOfAnotherRepository(t *testing.T) {
	root := write(t, map[string]string{"Pulumi.dev.yaml": prod})
	const elsewhere = "threetier:backend.image of dev is ghcr.io/acme/api:1, want an image of the repository "
	for given, want := range map[string]string{
		"ghcr.io/mallory/api:2" + digest:                        elsewhere + "ghcr.io/mallory/api, before others of it are put in",
		"mallory.example/acme/api:2" + digest:                   elsewhere + "mallory.example/acme/api, before others of it are put in",
		"ghcr.io/acme/api/more" + digest:                        elsewhere + "ghcr.io/acme/api/more, before others of it are put in",
		"ghcr.io/acme/api:2" + digest + "\n    user: 0":         "want an image with a digest",
		"ghcr.io/acme/api:2\n    x: y" + digest:                 "want an image with a digest",
		"ghcr.io/acme/api:2" + digest + " }":                    "want an image with a digest",
		"ghcr.io/acme/api:2@sha256:0a":                          "want an image with a digest",
		"ghcr.io/acme/api:2" + digest + "@sha256:0a":            "want an image with a digest",
		"GHCR.io/acme/api:2" + digest:                           "want an image with a digest",
		"ghcr.io/acme/api:2" + strings.ToUpper(digest):          "want an image with a digest",
		"ghcr.io//acme/api:2" + digest:                          "of the repository",
		"ghcr.io/acme/api:2:3" + digest:                         "of the repository",
		"ghcr.io/acme/api:" + strings.Repeat("a", 129) + digest: "of the repository",
	} {
		err := Run(&bytes.Buffer{}, []string{"set", "-root", root, "-stack", "dev", "backend=" + given})
		assert.ErrorContains(t, err, want, given)
		assert.Equal(t, prod, content(t, root, "Pulumi.dev.yaml"), given)
	}
}

// The first images of a project are of another registry than the samples'.
func TestSetMovesToAnotherRepositoryWhereThatIsMeant(t *testing.T) {
	root := write(t, map[string]string{"Pulumi.dev.yaml": prod})
	move := []string{"set", "-root", root, "-stack", "dev", "-move"}
	assert.ErrorContains(t, Run(&bytes.Buffer{}, append(move, "backend=ghcr.io/acme/api:2:3"+digest)), "of the repository")
	require.NoError(t, Run(&bytes.Buffer{}, append(move, "backend=1.dkr.ecr.eu-west-1.amazonaws.com/acme/api:2"+digest)))
	assert.Contains(t, content(t, root, "Pulumi.dev.yaml"), "1.dkr.ecr.eu-west-1.amazonaws.com/acme/api:2"+digest)
}

// push puts an image into a registry, and returns its name there and its digest with the @.
func push(t *testing.T, server *httptest.Server, tag string) (name, sum string) {
	t.Helper()
	name = strings.TrimPrefix(server.URL, "http://") + "/acme/" + tag
	image, err := random.Image(64, 1)
	require.NoError(t, err)
	require.NoError(t, crane.Push(image, name))
	hash, err := image.Digest()
	require.NoError(t, err)
	return name, "@" + hash.String()
}

func TestPinPutsTheDigestBesideTheTag(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	name, sum := push(t, server, "api:1")
	client, clientSum := push(t, server, "psql:17")

	pinned := "config:\n  threetier:backend: {image: " + name + sum + "}\n  threetier:frontend: {image: x" + digest + "}\n" +
		"  threetier:database: {clientImage: " + client + clientSum + "}\n"
	root := write(t, map[string]string{"Pulumi.dev.yaml": strings.NewReplacer(sum, "", clientSum, "").Replace(pinned)})
	require.NoError(t, Run(&bytes.Buffer{}, []string{"pin", "-root", root, "-stack", "dev"}))
	assert.Equal(t, pinned, content(t, root, "Pulumi.dev.yaml"))
}

func TestPinChangesNothingWhereOneImageIsMissing(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	name := strings.TrimPrefix(server.URL, "http://") + "/acme/api:1"
	text := "config:\n  threetier:backend: {image: " + name + "}\n"
	root := write(t, map[string]string{"Pulumi.dev.yaml": text})
	err := Run(&bytes.Buffer{}, []string{"pin", "-root", root, "-stack", "dev"})
	assert.ErrorContains(t, err, "threetier:backend.image is "+name+", want an image in its registry: ")
	assert.Equal(t, text, content(t, root, "Pulumi.dev.yaml"))
}

// defaultsOf is a project's folder that has these default images, and a function that reads the file.
func defaultsOf(t *testing.T, text string) (root string, now func() string) {
	t.Helper()
	root = t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(defaults)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, defaults), []byte(text), 0o644))
	return root, func() string { return content(t, root, defaults) }
}

func TestRenewGivesTheDefaultImagesTheDigestsOfTheirTagsAndTheDay(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	nginx, nginxSum := push(t, server, "nginx:1.30-alpine")
	psql, psqlSum := push(t, server, "psql:17")
	fresh := "# Of " + time.Now().UTC().Format(time.DateOnly) + ".\nFROM " + nginx + nginxSum + " AS nginx\n\n# FROM here.\nFROM " + psql + psqlSum + " AS psql\n"
	old := strings.NewReplacer(nginxSum, digest, psqlSum, "", time.Now().UTC().Format(time.DateOnly), "2026-01-31").Replace(fresh)

	root, now := defaultsOf(t, old)
	var out bytes.Buffer
	require.NoError(t, Run(&out, []string{"renew", "-root", root}))
	assert.Equal(t, fresh, now())
	assert.Equal(t, defaults+":\n  - FROM "+nginx+digest+"\n  + FROM "+nginx+nginxSum+"\n  - FROM "+psql+"\n  + FROM "+psql+psqlSum+"\n", out.String())

	out.Reset()
	require.NoError(t, Run(&out, []string{"renew", "-root", root}))
	assert.Equal(t, fresh, now())
	assert.Equal(t, defaults+":\n  the digests are the newest\n", out.String())
}

func TestRenewChangesNothingWhereOneImageIsMissing(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	nginx, _ := push(t, server, "nginx:1")
	gone := strings.Replace(nginx, "nginx:1", "psql:17", 1)
	text := "# Of 2026-01-31.\nFROM " + nginx + digest + " AS nginx\nFROM " + gone + " AS psql\n"
	root, now := defaultsOf(t, text)
	err := Run(&bytes.Buffer{}, []string{"renew", "-root", root})
	assert.ErrorContains(t, err, "a default image is "+gone+", want one in its registry: ")
	assert.Equal(t, text, now())
}

func TestMistakesAreOneLineEach(t *testing.T) {
	root := write(t, map[string]string{"Pulumi.dev.yaml": "config:\n  threetier:backend:\n    image: >-\n      x\n"})
	for want, args := range map[string][]string{
		"the command is missing, want promote, pin, set or renew":                       nil,
		"the command is push, want promote, pin, set or renew":                          {"push"},
		`FROM is "qa", want a stack with a config`:                                      {"promote", "-root", root, "-from", "qa", "-to", "dev"},
		`the stack is "", want a stack with a config`:                                   {"pin", "-root", root},
		"line 3: backend.image can't be changed in place, want it as plain text on one": {"pin", "-root", root, "-stack", "dev"},
	} {
		assert.ErrorContains(t, Run(&bytes.Buffer{}, args), want)
	}
}
