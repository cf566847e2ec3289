// Package tools gets the programs that the local node runs: distribution
// packages where they exist, the rest built from their pinned modules.
package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"threetier/local/internal/home"
	"threetier/local/internal/stamp"
	"threetier/local/internal/step"
)

// tool is a program that the local node runs: this machine's own where it has the version, else that of the official
// release, else built.
type tool struct {
	name string
	// module is the folder below local/tools whose go.mod pins the versions.
	module string
	pkg    string
	// set is a variable that the linker sets, as the release does.
	set string
	// version is that of the release. Empty: there is none whose sum can be checked.
	version  string
	releases []release
	// says are the arguments that make the program say its version.
	says []string
	// patches are what the build changes in its modules.
	patches []patch
}

const (
	kubernetesVersion = "v1.35.8"
	pulumiVersion     = "v3.274.1"

	kubernetesProviderModule = "github.com/pulumi/pulumi-kubernetes/provider/v4"
)

var all = []tool{
	{name: "hyperkube", module: "kubernetes", pkg: "./hyperkube",
		set:     "-X k8s.io/component-base/version.gitVersion=" + kubernetesVersion + " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35",
		version: kubernetesVersion, releases: kubernetesReleases(), says: []string{"--version"}},
	{name: "etcd", module: "kubernetes", pkg: "go.etcd.io/etcd/server/v3", version: "v3.6.16", says: []string{"--version"}, releases: []release{{
		"etcd", "github.com/etcd-io/etcd/releases/download/{v}/etcd-{v}-linux-{arch}.tar.gz", "github.com/etcd-io/etcd/releases/download/{v}/SHA256SUMS"}}},
	{name: "coredns", module: "kubernetes", pkg: "./coredns", version: "v1.12.4", says: []string{"-version"}, releases: []release{{
		"coredns", "github.com/coredns/coredns/releases/download/{v}/coredns_{n}_linux_{arch}.tgz", "{url}.sha256"}}},
	{name: "kube-router", module: "kubernetes", pkg: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", version: "v2.1.0", says: []string{"--version"}, releases: []release{{
		"kube-router", "github.com/cloudnativelabs/kube-router/releases/download/{v}/kube-router_{n}_linux_{arch}.tar.gz",
		"github.com/cloudnativelabs/kube-router/releases/download/{v}/kube-router_{n}_checksums.txt"}}},
	{name: "metrics-server", module: "kubernetes", pkg: "sigs.k8s.io/metrics-server/cmd/metrics-server",
		// Its own definitions have names from before Kubernetes 1.35, which that doesn't find.
		patches: []patch{{"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options", "options.go",
			`"sigs.k8s.io/metrics-server/pkg/api/generated/openapi"`, `"k8s.io/kubernetes/pkg/generated/openapi"`}}},
	{name: "pause", module: "kubernetes", pkg: "./pause"},
	{name: "pulumi", module: "pulumi", pkg: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
		set: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=" + pulumiVersion, version: pulumiVersion, says: []string{"version"}, releases: []release{pulumiRelease("pulumi")}},
	{name: "pulumi-language-go", module: "pulumi-language-go", pkg: "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go",
		set: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.60.0", version: pulumiVersion, releases: []release{pulumiRelease("pulumi-language-go")}},
	{name: "pulumi-resource-kubernetes", module: "pulumi-kubernetes", pkg: ".",
		set: "-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=" + KubernetesProvider, version: "v" + KubernetesProvider, releases: []release{{
			"pulumi-resource-kubernetes", "github.com/pulumi/pulumi-kubernetes/releases/download/{v}/pulumi-resource-kubernetes-{v}-linux-{arch}.tar.gz",
			"github.com/pulumi/pulumi-kubernetes/releases/download/{v}/pulumi-kubernetes_{n}_checksums.txt"}},
		// The one line that keeps it from compiling against the CLI's own version of pkg/v3.
		patches: []patch{{kubernetesProviderModule + "/pkg/gen", "schema.go", "Provider: pschema.ResourceSpec{", "Provider: &pschema.ResourceSpec{"}}},
}

// KubernetesPrograms are those that hyperkube is, or that a release has one by one.
var KubernetesPrograms = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"}

func kubernetesReleases() (list []release) {
	for _, name := range KubernetesPrograms {
		list = append(list, release{name, "dl.k8s.io/release/{v}/bin/linux/{arch}/" + name, "{url}.sha256"})
	}
	return list
}

func pulumiRelease(program string) release {
	return release{program, "github.com/pulumi/pulumi/releases/download/{v}/pulumi-{v}-linux-{x64}.tar.gz",
		"github.com/pulumi/pulumi/releases/download/{v}/pulumi-{n}-checksums.txt"}
}

// programs are what a tool puts into the folder of programs.
func (t tool) programs() []string {
	if t.name == "hyperkube" {
		return KubernetesPrograms
	}
	return []string{t.name}
}

const (
	// KubernetesProvider is the version of the Kubernetes provider that the program's SDK asks for.
	KubernetesProvider = "4.25.0"
	// AWSProvider is the version of the AWS provider that the program's SDK asks for.
	AWSProvider = "6.83.4"
)

// Get gets what is missing or no longer what the checkout says. Building all of it takes a quarter of an hour on two
// processors.
func Get(h home.Home) error {
	f := &fetcher{home: h, dead: map[string]error{}, kept: map[string]string{}}
	defer func() { _ = os.RemoveAll(h.Cache("downloads")) }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	f.noReleases = sync.OnceFunc(func() {
		f.expectBuilds()
		go downloadSources(ctx, h)
	})
	// Two at a time, of which each compiles little that the other does: one's downloads and links leave the processors to
	// the other. What the Kubernetes provider shares with hyperkube is compiled when its turn comes.
	return AtOnce(
		func() error { return f.getAll(func(t tool) bool { return t.module == "kubernetes" }) },
		func() error {
			return errors.Join(f.getAll(func(t tool) bool { return t.module != "kubernetes" }), program(h))
		})
}

// AtOnce does all at the same time, and waits for all.
func AtOnce(do ...func() error) error {
	failed := make([]error, len(do))
	var wait sync.WaitGroup
	for i, one := range do {
		wait.Go(func() { failed[i] = one() })
	}
	wait.Wait()
	return errors.Join(failed...)
}

func (f *fetcher) getAll(wanted func(tool) bool) error {
	for _, t := range all {
		if !wanted(t) {
			continue
		}
		if err := f.get(t); err != nil {
			return err
		}
	}
	return nil
}

// complete says whether a tool is there as the checkout wants it, and the stamp that it has then.
func (t tool) complete(h home.Home) (want string, complete bool, err error) {
	if want, err = t.stamp(h); err != nil {
		return "", false, err
	}
	have, err := os.ReadFile(t.stampFile(h))
	complete = err == nil && string(have) == want
	for _, program := range t.programs() {
		_, missing := os.Stat(h.Bin(program))
		complete = complete && missing == nil
	}
	return want, complete, nil
}

func (t tool) stampFile(h home.Home) string { return h.Bin("." + t.name + ".stamp") }

// expectBuilds announces the builds of everything that is missing.
func (f *fetcher) expectBuilds() {
	for _, t := range all {
		if _, complete, err := t.complete(f.home); err == nil && !complete {
			step.Expect("build " + t.name)
		}
	}
	step.Expect(compileProgram)
}

// downloadSources gets what is compiled later, while the processors have other work. An error is the build's to report.
func downloadSources(ctx context.Context, h home.Home) {
	packages := map[string][]string{h.Root: {"."}}
	for _, t := range all {
		dir := h.Source("local/tools", t.module)
		packages[dir] = append(packages[dir], t.pkg)
	}
	for dir, names := range packages {
		list := exec.CommandContext(ctx, "go", append([]string{"list", "-e", "-deps"}, names...)...)
		list.Dir = dir
		_ = list.Run()
	}
}

func (f *fetcher) get(t tool) error {
	h := f.home
	want, complete, err := t.complete(h)
	if err != nil || complete {
		return err
	}
	if !f.link(t) {
		err := errNoRelease
		if t.version != "" {
			err = step.Run("fetch "+t.name, func(*step.Step) error { return f.fetchAll(t) })
		}
		if errors.Is(err, errNoRelease) {
			if t.version != "" {
				f.noReleases()
			}
			err = step.Run("build "+t.name, func(s *step.Step) error { return t.build(h, s) })
		}
		if err != nil {
			return err
		}
	}
	step.Forget("build " + t.name)
	if err := os.WriteFile(t.stampFile(h), []byte(want), 0o600); err != nil {
		return fmt.Errorf("note where %s comes from: %w", t.name, err)
	}
	return nil
}

// link takes this machine's own programs, if all of them have the version.
func (f *fetcher) link(t tool) bool {
	found := map[string]string{}
	for _, program := range t.programs() {
		says := t.says
		if program == "kubectl" {
			says = []string{"version", "--client"}
		}
		file, ok := onPath(program, t.version, says)
		if !ok {
			return false
		}
		found[program] = file
	}
	for program, file := range found {
		if err := link(file, f.home.Bin(program)); err != nil {
			return false
		}
		fmt.Fprintf(os.Stderr, "  %s is %s\n", program, file)
	}
	return true
}

func link(file, name string) error {
	if err := os.RemoveAll(name); err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	return os.Symlink(file, name)
}

func (f *fetcher) fetchAll(t tool) error {
	for _, r := range t.releases {
		if err := f.fetch(r.of(t.version), f.home.Bin(r.program)); err != nil {
			return err
		}
	}
	return nil
}

func (t tool) build(h home.Home, s *step.Step) error {
	if t.module == "pulumi-kubernetes" {
		if err := copyEmbedded(h); err != nil {
			return err
		}
	}
	modfile, err := t.changed(h)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(filepath.Dir(modfile)) }()
	// What changes how a package is compiled, as -trimpath or cgo, is the same for everything that is built: they share packages.
	cmd := exec.Command("go", "build", "-modfile", modfile, "-buildvcs=false", "-ldflags", strings.TrimSpace("-s -w "+t.set), "-o", h.Bin(t.name), t.pkg)
	cmd.Dir = h.Source("local/tools", t.module)
	cmd.Env = append(os.Environ(), "GOWORK=off",
		// A compiler collects much garbage: with memory to spare, a fifth of its time.
		"GOGC=400")
	// An own program that was linked here before is not to be written through.
	if err := os.RemoveAll(h.Bin(t.name)); err != nil {
		return fmt.Errorf("replace %s: %w", t.name, err)
	}
	if err := s.Command(h.Path("logs", "build-"+t.name+".log"), cmd); err != nil {
		return err
	}
	for _, program := range t.programs() {
		if program != t.name {
			if err := link(t.name, h.Bin(program)); err != nil {
				return err
			}
		}
	}
	return nil
}

// stamp names what a tool was built from: its pinned versions, our own lines, the compiler.
func (t tool) stamp(h home.Home) (string, error) {
	copied := func(name string) bool { return strings.HasSuffix(name, ".json") || name == "go" }
	s, err := stamp.Of(h.Source("local/tools", t.module), copied, runtime.Version(), t.pkg, t.set, t.version, t.patches)
	if err != nil {
		return "", fmt.Errorf("stamp %s: %w", t.name, err)
	}
	return s, nil
}

// copyEmbedded puts the two files that the Kubernetes provider embeds where its main looks for them: the published module
// has them under other names. And it puts those folders of the program's SDK that the provider uses where go.mod looks.
func copyEmbedded(h home.Home) error {
	dir := h.Source("local/tools/pulumi-kubernetes")
	module, err := downloaded(dir, kubernetesProviderModule)
	if err != nil {
		return err
	}
	sdk, err := downloaded(h.Root, "github.com/pulumi/pulumi-kubernetes/sdk/v4")
	if err != nil {
		return err
	}
	files := map[string]string{}
	for _, name := range []string{"schema.json", "terraform-mapping.json"} {
		files[name] = filepath.Join(module, "cmd/pulumi-resource-kubernetes", name)
	}
	for _, folder := range []string{"", "utilities", "helm/v4", "yaml/v2"} {
		found, err := filepath.Glob(filepath.Join(sdk, "go/kubernetes", folder, "*.*"))
		if err != nil {
			return fmt.Errorf("list the SDK: %w", err)
		}
		for _, file := range found {
			files[filepath.Join("sdk/go/kubernetes", folder, filepath.Base(file))] = file
		}
	}
	files["sdk/go/kubernetes/yaml/v2/kinds.go"] = filepath.Join(dir, "yaml/kinds.go")
	for name, from := range files {
		if err := installCopy(filepath.Join(dir, name), from); err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
	}
	return nil
}

// downloaded is the folder of a module that the one in dir requires.
func downloaded(dir, module string) (string, error) {
	download := exec.Command("go", "mod", "download", module)
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		return "", fmt.Errorf("download %s: %w: %s", module, err, out)
	}
	find := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	find.Dir = dir
	found, err := find.Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", module, err)
	}
	return strings.TrimSpace(string(found)), nil
}

const compileProgram = "compile the program"

// program compiles the checkout's own program with everything that it imports, which only the machine's network can download:
// in the node, Pulumi then has no more to do than to link it.
func program(h home.Home) error {
	return step.Run(compileProgram, func(s *step.Step) error {
		// Unlike go build, it doesn't link.
		compile := exec.Command("go", "list", "-deps", "-export", "-f", "{{/* nothing to print */}}", ".")
		compile.Dir = h.Root
		compile.Env = append(os.Environ(), "GOGC=400")
		return s.Command(h.Path("logs", "program.log"), compile)
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
