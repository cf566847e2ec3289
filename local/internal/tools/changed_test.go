package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"threetier/local/internal/home"
)

// changing is a tool that prints what a published package says, in a checkout of its own.
func changing(t *testing.T, patches ...patch) (tool, home.Home) {
	t.Helper()
	h := testHome(t)
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := installCopy(h.Source("local/tools/changing", name), filepath.Join("../..", name)); err != nil {
			t.Fatal(err)
		}
	}
	main := "package main\n\nimport \"github.com/distribution/reference\"\n\nfunc main() { println(reference.ErrNameEmpty.Error()) }\n"
	if err := os.WriteFile(h.Source("local/tools/changing/main.go"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	return tool{name: "changing", module: "changing", pkg: ".", patches: patches}, h
}

func said(t *testing.T, tool tool, h home.Home) string {
	t.Helper()
	modfile, err := tool.changed(h)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("go", "run", "-modfile", modfile, ".")
	run.Dir = h.Source("local/tools", tool.module)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAPatchedPackageIsCompiled(t *testing.T) {
	tool, h := changing(t, patch{"github.com/distribution/reference", "reference.go", "repository name must have at least one component", "patched"})
	if have := said(t, tool, h); have != "patched" {
		t.Errorf("the program says %q, want patched", have)
	}
}

func TestAPackageOfOursIsCompiledInstead(t *testing.T) {
	tool, h := changing(t)
	ours := h.Source("local/tools/changing/_instead/github.com/distribution/reference", wholePackage)
	if err := os.MkdirAll(filepath.Dir(ours), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "package reference\n\nimport \"errors\"\n\nvar ErrNameEmpty = errors.New(\"ours\")\n"
	if err := os.WriteFile(ours, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if have := said(t, tool, h); have != "ours" {
		t.Errorf("the program says %q, want ours", have)
	}
}

func TestAPatchOfAnotherVersionIsRefused(t *testing.T) {
	tool, h := changing(t, patch{"github.com/distribution/reference", "reference.go", "no such place", ""})
	if _, err := tool.changed(h); err == nil || !strings.Contains(err.Error(), `has "no such place" 0 times, want once`) {
		t.Errorf("the error is %v, want the place that isn't there", err)
	}
}

func TestAFileThatStandsForNoneIsRefused(t *testing.T) {
	tool, h := changing(t)
	ours := h.Source("local/tools/changing/_instead/github.com/distribution/reference/removed.go")
	if err := os.MkdirAll(filepath.Dir(ours), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ours, []byte("package reference\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tool.changed(h); err == nil || !strings.Contains(err.Error(), "removed.go stands for a file of github.com/distribution/reference") {
		t.Errorf("the error is %v, want the file's name", err)
	}
}
