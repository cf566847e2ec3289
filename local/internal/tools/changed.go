package tools

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"threetier/local/internal/files"
	"threetier/local/internal/home"
)

// patch is a change of one place in a published package.
type patch struct{ pkg, file, old, new string }

// wholePackage is the file in _instead that stands for all of a package.
const wholePackage = "package.go"

// copies are the modules of which a tool wants something else than what is published.
type copies struct {
	source   string // the tool's folder in the checkout
	dir      string
	replaced map[string]bool
}

// modfile is the tool's go.mod with the copies in it. The one in the checkout stays as it is.
func (c copies) modfile() string { return filepath.Join(c.dir, "go.mod") }

// changed makes the tool's copies: with its patches, and with the files below _instead. It returns the go.mod that names them.
func (t tool) changed(h home.Home) (modfile string, err error) {
	c := copies{source: h.Source("local/tools", t.module), dir: h.Cache("changed", t.name), replaced: map[string]bool{}}
	if err := os.RemoveAll(c.dir); err != nil {
		return "", fmt.Errorf("clear %s: %w", c.dir, err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := installCopy(filepath.Join(c.dir, name), filepath.Join(c.source, name)); err != nil {
			return "", fmt.Errorf("copy %s: %w", name, err)
		}
	}
	for _, p := range t.patches {
		if err := c.patch(p); err != nil {
			return "", fmt.Errorf("patch %s: %w", p.pkg, err)
		}
	}
	instead := filepath.Join(c.source, "_instead")
	if _, err := os.Stat(instead); errors.Is(err, fs.ErrNotExist) {
		return c.modfile(), nil
	}
	err = filepath.WalkDir(instead, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" {
			return err
		}
		pkg, err := filepath.Rel(instead, filepath.Dir(file))
		if err != nil {
			return err
		}
		return c.put(file, pkg)
	})
	if err != nil {
		return "", fmt.Errorf("change what is compiled: %w", err)
	}
	return c.modfile(), nil
}

// of is where a package can be changed: in a copy of its module.
func (c copies) of(pkg string) (string, error) {
	list := exec.Command("go", "list", "-find", "-f", "{{.Dir}}\n{{.Module.Dir}}\n{{.Module.Path}}", pkg)
	list.Dir = c.source
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", pkg, err)
	}
	found := strings.Split(strings.TrimSpace(string(out)), "\n")
	dir, moduleDir, module := found[0], found[1], found[2]
	copied := filepath.Join(c.dir, module)
	if !c.replaced[module] {
		if err := os.CopyFS(copied, os.DirFS(moduleDir)); err != nil {
			return "", fmt.Errorf("copy %s: %w", module, err)
		}
		edit := exec.Command("go", "mod", "edit", "-replace", module+"="+copied, c.modfile())
		if out, err := edit.CombinedOutput(); err != nil {
			return "", fmt.Errorf("replace %s: %w: %s", module, err, out)
		}
		c.replaced[module] = true
	}
	inModule, err := filepath.Rel(moduleDir, dir)
	return filepath.Join(copied, inModule), err
}

// put puts a file of ours in the place of a published one, or of a whole package.
func (c copies) put(file, pkg string) error {
	dir, err := c.of(pkg)
	if err != nil {
		return err
	}
	name := filepath.Base(file)
	if name == wholePackage {
		published, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return err
		}
		for _, other := range published {
			if err := os.Remove(other); err != nil {
				return err
			}
		}
	} else if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("%s stands for a file of %s, want one that is published: %w", name, pkg, err)
	}
	return installCopy(filepath.Join(dir, name), file)
}

func (c copies) patch(p patch) error {
	dir, err := c.of(p.pkg)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, p.file)
	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := strings.Count(string(source), p.old); n != 1 {
		return fmt.Errorf("%s has %q %d times, want once: is the version another than the patch was made for?", p.file, p.old, n)
	}
	return files.Write(file, []byte(strings.Replace(string(source), p.old, p.new, 1)), 0o600)
}

func installCopy(target, file string) error {
	return install(target, func(w io.Writer) error { return copyFile(w, file) })
}
