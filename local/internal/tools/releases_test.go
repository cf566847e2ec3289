package tools

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const script = "#!/bin/sh\necho fetched\n"

func archived(t *testing.T, name, content string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	header := &tar.Header{Name: "release-1.0/" + name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := errors.Join(w.WriteHeader(header), second(w.Write([]byte(content))), w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func second[T any](_ T, err error) error { return err }

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// mirror serves files by their whole path, and is the only host that is asked.
func mirror(t *testing.T, files map[string]string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(content))
	}))
	t.Cleanup(server.Close)
	t.Setenv(Releases, server.URL)
}

func newFetcher(t *testing.T) *fetcher {
	return &fetcher{home: testHome(t), dead: map[string]error{}, kept: map[string]string{}}
}

var (
	plain  = release{"tool", "example.org/{v}/tool", "{url}.sha256"}
	packed = release{"tool", "example.org/{v}/tool-{n}.tar.gz", "example.org/{v}/SHA256SUMS"}
)

func TestAReleaseWhoseSumIsRightIsInstalled(t *testing.T) {
	archive := archived(t, "tool", script)
	mirror(t, map[string]string{
		"/example.org/v1.0/tool": script, "/example.org/v1.0/tool.sha256": sum(script) + "\n",
		"/example.org/v1.0/tool-1.0.tar.gz": archive,
		"/example.org/v1.0/SHA256SUMS":      sum("other") + "  other.tar.gz\n" + sum(archive) + " *tool-1.0.tar.gz\n",
	})
	for _, r := range []release{plain, packed} {
		f := newFetcher(t)
		target := f.home.Bin("tool")
		if err := f.fetch(r.of("v1.0"), target); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(target).Output(); err != nil || string(out) != "fetched\n" {
			t.Errorf("%s: the program says %q, %v", r.url, out, err)
		}
	}
}

func TestAReleaseWhoseSumIsWrongIsNeitherUsedNorBuiltInstead(t *testing.T) {
	archive := archived(t, "tool", script)
	mirror(t, map[string]string{
		"/example.org/v1.0/tool": script, "/example.org/v1.0/tool.sha256": sum("other"),
		"/example.org/v1.0/tool-1.0.tar.gz": archive, "/example.org/v1.0/SHA256SUMS": sum("other") + "  tool-1.0.tar.gz\n",
	})
	for _, r := range []release{plain, packed} {
		f := newFetcher(t)
		err := f.fetch(r.of("v1.0"), f.home.Bin("tool"))
		if err == nil || errors.Is(err, errNoRelease) || !strings.Contains(err.Error(), "want "+sum("other")) {
			t.Errorf("%s: got %v, want both sums", r.url, err)
		}
		for _, left := range []string{f.home.Bin("tool"), f.home.Cache("downloads", filepath.Base(r.of("v1.0").url))} {
			if _, err := os.Stat(left); err == nil {
				t.Errorf("%s is left", left)
			}
		}
	}
}

func TestAReleaseWithoutASumIsNotUsed(t *testing.T) {
	mirror(t, map[string]string{
		"/example.org/v1.0/tool-1.0.tar.gz": archived(t, "tool", script), "/example.org/v1.0/SHA256SUMS": sum("x") + "  other\n"})
	f := newFetcher(t)
	if err := f.fetch(packed.of("v1.0"), f.home.Bin("tool")); err == nil || !strings.Contains(err.Error(), "holds no SHA-256 sum of tool-1.0.tar.gz") {
		t.Errorf("got %v, want a sum that is missing", err)
	}
	if err := f.fetch(plain.of("v1.0"), f.home.Bin("tool")); !errors.Is(err, errNoRelease) {
		t.Errorf("without a file of sums: %v, want a build", err)
	}
}

func TestAHostThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	go func() {
		for {
			connection, err := silent.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			defer connection.Close()
		}
	}()
	defer silent.Close()
	t.Setenv(Releases, "http://"+silent.Addr().String())
	f := newFetcher(t)
	start := time.Now()
	for _, r := range []release{plain, packed, plain} {
		if err := f.fetch(r.of("v1.0"), f.home.Bin("tool")); !errors.Is(err, errNoRelease) {
			t.Errorf("got %v, want a build", err)
		}
	}
	if took := time.Since(start); took < patience || took > 2*patience || asked.Load() != 1 {
		t.Errorf("the host was asked %d times, and given up after %v, want once and %v", asked.Load(), took, patience)
	}
}

func TestNoHostIsAskedWhereNoneIsWanted(t *testing.T) {
	t.Setenv(Releases, "none")
	f := newFetcher(t)
	if err := f.fetch(plain.of("v1.0"), f.home.Bin("tool")); !errors.Is(err, errNoRelease) || len(f.dead) > 0 {
		t.Errorf("got %v and hosts %v, want neither", err, f.dead)
	}
}

func TestAProgramOnThePathIsUsedIfItHasTheVersion(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for said, want := range map[string]bool{
		"tool v1.2.3": true, "1.2.3": true, "Version: 1.2.3\nGo 1.26": true,
		"tool v1.2.30": false, "v11.2.3": false, "v1.2.3-rc.1": false, "v1.2.3+build": false, "nothing": false,
	} {
		program := "#!/bin/sh\n[ \"$1\" = version ] && printf '%s' '" + said + "'\n"
		if err := os.WriteFile(filepath.Join(dir, "tool"), []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
		if found, ok := onPath("tool", "v1.2.3", []string{"version"}); ok != want || ok && found != filepath.Join(dir, "tool") {
			t.Errorf("it says %q: %q, %v, want %v", said, found, ok, want)
		}
	}
}

// Every name of a release is complete, for it can't be asked for here.
func TestEveryReleaseIsNamedInFull(t *testing.T) {
	for _, tool := range all {
		for _, r := range tool.releases {
			filled := r.of(tool.version)
			if text := filled.url + filled.sums; strings.ContainsAny(text, "{}") || !strings.Contains(text, strings.TrimPrefix(tool.version, "v")) {
				t.Errorf("%s: %+v", tool.name, filled)
			}
		}
	}
}

// A release is asked for in the version that a go.mod pins, so that a built program is the same.
func TestReleasesHaveTheVersionsOfTheModules(t *testing.T) {
	for _, pinned := range []struct{ file, module, version string }{
		{"local/tools/kubernetes/go.mod", "k8s.io/kubernetes", kubernetesVersion},
		{"local/tools/kubernetes/go.mod", "go.etcd.io/etcd/server/v3", versionOf("etcd")},
		{"local/tools/kubernetes/go.mod", "github.com/coredns/coredns", versionOf("coredns")},
		{"local/tools/kubernetes/go.mod", "github.com/cloudnativelabs/kube-router/v2", versionOf("kube-router")},
		{"local/tools/pulumi/go.mod", "github.com/pulumi/pulumi/pkg/v3", pulumiVersion},
		{"go.mod", "github.com/pulumi/pulumi/sdk/v3", pulumiVersion},
		{"go.mod", "github.com/pulumi/pulumi-kubernetes/sdk/v4", "v" + KubernetesProvider},
		{"go.mod", "github.com/pulumi/pulumi-aws/sdk/v6", "v" + AWSProvider},
	} {
		lines, err := os.ReadFile(filepath.Join("../../..", pinned.file))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^(require)?\s*` + regexp.QuoteMeta(pinned.module+" "+pinned.version) + `($|\s)`).Match(lines) {
			t.Errorf("%s doesn't require %s %s", pinned.file, pinned.module, pinned.version)
		}
	}
}

func versionOf(name string) string {
	for _, tool := range all {
		if tool.name == name {
			return tool.version
		}
	}
	return "none"
}

func TestAMirrorThatOthersCouldChangeOnTheWayIsRefused(t *testing.T) {
	for _, mirror := range []string{"http://mirror.example.org", "http://10.0.0.1/releases", "ftp://mirror.example.org", "mirror.example.org", "://"} {
		t.Setenv(Releases, mirror)
		_, err := (&fetcher{dead: map[string]error{}}).open("example.org/program")
		if err == nil || errors.Is(err, errNoRelease) || !strings.Contains(err.Error(), "want none, an https URL") {
			t.Errorf("%s: %v, want a refusal", mirror, err)
		}
	}
}
