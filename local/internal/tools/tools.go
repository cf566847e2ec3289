// Package tools gets the programs that the local node runs: distribution
// packages where they exist, the rest built from their pinned modules.
package tools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"threetier/local/internal/home"
	"threetier/local/internal/stamp"
	"threetier/local/internal/step"
)

// tool is a program that is built here.
type tool struct {
	name string
	// module is the folder below local/tools whose go.mod pins the versions.
	module string
	pkg    string
	// version sets a variable of the program, as its own release does.
	version string
}

var built = []tool{
	{"hyperkube", "kubernetes", "./hyperkube", "-X k8s.io/component-base/version.gitVersion=v1.34.9 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"},
	{"etcd", "kubernetes", "go.etcd.io/etcd/server/v3", ""},
	{"coredns", "kubernetes", "./coredns", ""},
	{"kube-router", "kubernetes", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", ""},
	{"metrics-server", "kubernetes", "sigs.k8s.io/metrics-server/cmd/metrics-server", ""},
	{"pause", "kubernetes", "./pause", ""},
	{"pulumi", "pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.274.1"},
	{"pulumi-language-go", "pulumi-language-go", "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go", "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.60.0"},
	{"pulumi-resource-kubernetes", "pulumi-kubernetes", ".", "-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=" + KubernetesProvider},
}

const (
	// KubernetesProvider is the version of the Kubernetes provider that the program's SDK asks for.
	KubernetesProvider = "4.25.0"
	// AWSProvider is the version of the AWS provider that the program's SDK asks for.
	AWSProvider = "6.83.2"
)

// Build builds what is missing or no longer what its sources say. It is slow
// the first time (half an hour on two processors), and a second afterwards.
func Build(h home.Home) error {
	for _, t := range built {
		want, err := t.stamp(h)
		if err != nil {
			return err
		}
		stampFile := h.Bin("." + t.name + ".stamp")
		have, err := os.ReadFile(stampFile)
		if _, missing := os.Stat(h.Bin(t.name)); err == nil && missing == nil && string(have) == want {
			continue
		}
		err = step.Run("build "+t.name, func() error {
			if t.name == "pulumi-resource-kubernetes" {
				if err := copyEmbedded(h); err != nil {
					return err
				}
			}
			cmd := exec.Command("go", "build", "-trimpath", "-ldflags", strings.TrimSpace("-s -w "+t.version), "-o", h.Bin(t.name), t.pkg)
			cmd.Dir = h.Source("local/tools", t.module)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-buildvcs=false",
				// A compiler collects much garbage: with memory to spare, a fifth of its time.
				"GOGC=400")
			return step.Command(h.Path("logs", "build-"+t.name+".log"), cmd)
		})
		if err != nil {
			return err
		}
		if err := os.WriteFile(stampFile, []byte(want), 0o600); err != nil {
			return fmt.Errorf("note the build of %s: %w", t.name, err)
		}
	}
	return nil
}

// stamp names what a tool was built from: its pinned versions, our own lines, the compiler.
func (t tool) stamp(h home.Home) (string, error) {
	copied := func(name string) bool { return strings.HasSuffix(name, ".json") }
	s, err := stamp.Of(h.Source("local/tools", t.module), copied, runtime.Version(), t.pkg, t.version)
	if err != nil {
		return "", fmt.Errorf("stamp %s: %w", t.name, err)
	}
	return s, nil
}

// copyEmbedded puts the two files that the Kubernetes provider embeds where
// its main looks for them: the published module has them under other names.
func copyEmbedded(h home.Home) error {
	dir := h.Source("local/tools/pulumi-kubernetes")
	list := exec.Command("go", "mod", "download", "-json", "github.com/pulumi/pulumi-kubernetes/provider/v4")
	list.Dir = dir
	if out, err := list.CombinedOutput(); err != nil {
		return fmt.Errorf("download the Kubernetes provider: %w: %s", err, out)
	}
	find := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-kubernetes/provider/v4")
	find.Dir = dir
	module, err := find.Output()
	if err != nil {
		return fmt.Errorf("find the Kubernetes provider: %w", err)
	}
	for _, name := range []string{"schema.json", "terraform-mapping.json"} {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(module)), "cmd/pulumi-resource-kubernetes", name))
		if err != nil {
			return fmt.Errorf("read the Kubernetes provider's %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("copy the Kubernetes provider's %s: %w", name, err)
		}
	}
	return nil
}

// Program compiles the checkout's own program with all that it imports, which only the machine's network can download:
// in the node, Pulumi then has no more to do than to link it.
func Program(h home.Home) error {
	return step.Run("compile the program", func() error {
		// Unlike go build, it doesn't link.
		compile := exec.Command("go", "list", "-deps", "-export", "-f", "{{/* nothing to print */}}", ".")
		compile.Dir = h.Root
		return step.Command(h.Path("logs", "program.log"), compile)
	})
}

// Plugins puts the two providers where Pulumi looks for them.
func Plugins(h home.Home) error {
	for name, version := range map[string]string{"kubernetes": KubernetesProvider, "aws": AWSProvider} {
		dir := h.Path("pulumi", "plugins", fmt.Sprintf("resource-%s-v%s", name, version))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the plugin folder: %w", err)
		}
		link := filepath.Join(dir, "pulumi-resource-"+name)
		binary := h.Bin("pulumi-resource-" + name)
		if have, err := os.Readlink(link); err == nil && have == binary {
			continue // another stack's deployment may be starting it now
		}
		if err := os.RemoveAll(link); err != nil {
			return fmt.Errorf("replace the plugin: %w", err)
		}
		if err := os.Symlink(binary, link); err != nil {
			return fmt.Errorf("install the plugin: %w", err)
		}
	}
	return nil
}

// CheckMachine says in one line what this machine lacks that no installation could give it.
func CheckMachine(h home.Home) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this machine runs %s: the local node wants Linux, with root", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("this is user id %d: the local node wants root, for namespaces and containers: sudo make up", os.Geteuid())
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(h.Root, &fs); err != nil {
		return fmt.Errorf("ask for the free disk space: %w", err)
	}
	want := uint64(DiskGiB)
	if _, err := os.Stat(h.Bin("pulumi-resource-kubernetes")); err == nil {
		want = 3
	}
	if v := os.Getenv("THREETIER_DISK_GIB"); v != "" {
		if _, err := fmt.Sscan(v, &want); err != nil {
			return fmt.Errorf("THREETIER_DISK_GIB is %q, want a number of GiB", v)
		}
	}
	if free := fs.Bavail * uint64(fs.Bsize) >> 30; free < want {
		return fmt.Errorf("%s has %d GiB free, want %d: caches, builds, images and data take that much", h.Root, free, want)
	}
	return nil
}

// DiskGiB is the free space that a first run takes, the compiler's cache included.
const DiskGiB = 18
