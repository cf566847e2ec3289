package stamp

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOfChangesWithWhatIsBuiltAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	of := func(other ...any) string {
		t.Helper()
		s, err := Of(dir, func(name string) bool { return name == "dist" }, other...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write("main.go", "package main")
	first := of("go1.26")
	write("dist/built", "an output")
	if of("go1.26") != first {
		t.Error("what is skipped changes the stamp")
	}
	if of("go1.27") == first {
		t.Error("another compiler doesn't change the stamp")
	}
	write("main.go", "package main // edited")
	edited := of("go1.26")
	if edited == first {
		t.Error("an edit doesn't change the stamp")
	}
	if err := os.Rename(filepath.Join(dir, "main.go"), filepath.Join(dir, "other.go")); err != nil {
		t.Fatal(err)
	}
	if of("go1.26") == edited {
		t.Error("another name doesn't change the stamp")
	}
}
