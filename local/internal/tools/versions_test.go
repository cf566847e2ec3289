package tools

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// compiled are the modules that a first start compiles.
var compiled = []string{".", "local", "local/tools/kubernetes", "local/tools/pulumi", "local/tools/pulumi-kubernetes", "local/tools/pulumi-language-go"}

// standardSupport is when EKS ends the standard support of a version, from the release calendar of its user guide:
// https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html. After it, a cluster costs six times as much.
var standardSupport = map[string]string{"1.34": "2026-12-02", "1.35": "2027-03-27", "1.36": "2027-08-02"}

// The node is a version that EKS supports, so that what is tried here is what users have.
func TestEKSSupportsTheNodesVersion(t *testing.T) {
	minor := strings.Join(strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")[:2], ".")
	end, err := time.Parse(time.DateOnly, standardSupport[minor])
	if err != nil {
		t.Fatalf("standardSupport has no date for Kubernetes %s: %v", minor, err)
	}
	if time.Now().After(end) {
		t.Errorf("EKS's standard support of Kubernetes %s ended on %s, want a later version in local/tools/kubernetes/go.mod", minor, standardSupport[minor])
	}
	for file, text := range map[string]string{
		"local/internal/account/lookups.go": `"version":                "` + minor + `"`,
		"gate/recorder/network.go":          `cmp.Or(n.Version, "` + minor + `")`,
		"tests/kube_score_test.go":          `"--kubernetes-version", "v` + minor + `"`,
		"local/internal/tools/tools.go":     "gitMinor=" + strings.TrimPrefix(minor, "1."),
	} {
		source, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), text) {
			t.Errorf("%s has no %s, want the version of the node", file, text)
		}
	}
}

// A package is compiled once for all programs if everything that it imports has the same version in each of their modules.
func TestEveryModuleHasOneVersionInAllThatIsCompiled(t *testing.T) {
	type version struct{ version, module string }
	first := map[string]version{}
	for _, module := range compiled {
		edit := exec.Command("go", "mod", "edit", "-json")
		edit.Dir = filepath.Join("../../..", module)
		out, err := edit.Output()
		if err != nil {
			t.Fatal(module, err)
		}
		var mod struct {
			Require []struct{ Path, Version string }
			Replace []struct {
				Old, New struct{ Path, Version string }
			}
		}
		if err := json.Unmarshal(out, &mod); err != nil {
			t.Fatal(module, err)
		}
		if len(mod.Require) < 50 {
			t.Errorf("%s requires %d modules, want at least 50: is it read as a whole?", module, len(mod.Require))
		}
		replaced := map[string]string{}
		for _, r := range mod.Replace {
			replaced[r.Old.Path] = r.New.Path + " " + r.New.Version
			if r.New.Path == r.Old.Path {
				replaced[r.Old.Path] = r.New.Version
			}
		}
		for _, r := range mod.Require {
			if r.Path == "github.com/pulumi/pulumi/sdk/v3" && module == "local/tools/pulumi-language-go" {
				continue // the last version that has the language host
			}
			if r.Path == "github.com/pulumi/pulumi-kubernetes/sdk/v4" && module == "local/tools/pulumi-kubernetes" {
				continue // a copy of some of its packages
			}
			have := version{r.Version, module}
			if other, ok := replaced[r.Path]; ok {
				have.version = other
			}
			want, ok := first[r.Path]
			if !ok {
				first[r.Path] = have
			} else if want.version != have.version {
				t.Errorf("%s is %s in %s and %s in %s, want one version: go work sync raises the lower in a workspace of all", r.Path, want.version, want.module, have.version, have.module)
			}
		}
	}
}
