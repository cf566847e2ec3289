//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// insideVariable tells this program to be the services of a test, inside the node, until its standard input ends.
const insideVariable = "THREETIER_E2E_INSIDE"

// services are what a test wants to have around inside the node.
type services struct {
	// Listen are addresses and ports that accept connections. The addresses become the node's own.
	Listen []string
	// Registry is where a registry listens; Images is an OCI layout with the one image that it has, under any name.
	Registry, Images   string
	Username, Password string
	// Push has the registry take images, and keep them in memory.
	Push bool
}

// startInside starts services inside the node, and stops them at the end of the test.
func startInside(t *testing.T, s services) {
	t.Helper()
	config, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range s.addresses() {
		must(t, ".local/bin/local exec -- ip addr add %s/32 dev node0", address)
	}
	cmd := exec.Command(".local/bin/local", "exec", "--", self)
	cmd.Dir, cmd.Env = root, append(os.Environ(), insideVariable+"="+string(config))
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the services inside the node: %v\n%s", err, &said)
		}
		for _, address := range s.addresses() {
			must(t, ".local/bin/local exec -- ip addr del %s/32 dev node0", address)
		}
	})
	if _, err := io.ReadFull(stdout, make([]byte, len(insideReady))); err != nil {
		t.Fatalf("the services inside the node don't start: %v\n%s", err, &said)
	}
}

// addresses are those of Listen, each once.
func (s services) addresses() []string {
	seen := map[string]bool{}
	var all []string
	for _, place := range s.Listen {
		host, _, _ := net.SplitHostPort(place)
		if !seen[host] {
			all = append(all, host)
		}
		seen[host] = true
	}
	return all
}

const insideReady = "ready\n"

// serveInside is this program inside the node; it doesn't return.
func serveInside(config string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	var s services
	fail(json.Unmarshal([]byte(config), &s))
	for _, place := range s.Listen {
		l, err := net.Listen("tcp", place)
		fail(err)
		go func() {
			for {
				conn, err := l.Accept()
				fail(err)
				conn.Close()
			}
		}()
	}
	if s.Registry != "" {
		l, err := net.Listen("tcp", s.Registry)
		fail(err)
		var handler http.Handler = s
		if s.Push {
			handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
		}
		go func() { fail(http.Serve(l, handler)) }()
	}
	fmt.Print(insideReady)
	_, err := io.Copy(io.Discard, os.Stdin)
	fail(err)
	os.Exit(0)
}

// ServeHTTP is a registry, as far as one is pulled from: https://distribution.github.io/distribution/spec/api.
func (s services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if username, password, _ := r.BasicAuth(); username != s.Username || password != s.Password {
		w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	path := strings.Split(r.URL.Path, "/")
	last, kind := path[len(path)-1], path[len(path)-2]
	if kind == "manifests" && !strings.HasPrefix(last, "sha256:") {
		digest, err := s.manifest()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		last = digest
	}
	content := []byte("{}")
	if kind == "manifests" || kind == "blobs" {
		var err error
		if content, err = os.ReadFile(filepath.Join(s.Images, "blobs/sha256", strings.TrimPrefix(last, "sha256:"))); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if kind == "manifests" {
		manifest := struct{ MediaType string }{"application/vnd.oci.image.manifest.v1+json"}
		if err := json.Unmarshal(content, &manifest); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", manifest.MediaType)
	}
	sum := sha256.Sum256(content)
	w.Header().Set("Docker-Content-Digest", "sha256:"+hex.EncodeToString(sum[:]))
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content) // a client who is gone can't be told
}

// manifest is the digest of the layout's image.
func (s services) manifest() (string, error) {
	data, err := os.ReadFile(filepath.Join(s.Images, "index.json"))
	if err != nil {
		return "", err
	}
	var index struct{ Manifests []struct{ Digest string } }
	if err := json.Unmarshal(data, &index); err != nil {
		return "", err
	}
	if len(index.Manifests) != 1 {
		return "", fmt.Errorf("the layout has %d images, want 1", len(index.Manifests))
	}
	return index.Manifests[0].Digest, nil
}
