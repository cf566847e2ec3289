package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"threetier/local/internal/home"
	"threetier/local/internal/machine"
)

// CgroupName is the folder of the node's pods in each cgroup hierarchy: one per node.
func CgroupName(h home.Home) string {
	return fmt.Sprintf("threetier-%x", sha256.Sum256([]byte(h.Path())))[:22]
}

func (n *node) cgroups() error {
	roots, err := machine.CgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		dir := filepath.Join(root, n.cgroup)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the cgroup: %w", err)
		}
		// A new cpuset has no processor and no memory node, and takes no process before it has.
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			all, err := os.ReadFile(filepath.Join(root, f))
			if err != nil || !strings.HasSuffix(root, "cpuset") {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, f), all, 0o644); err != nil {
				return fmt.Errorf("give the cgroup its %s: %w", f, err)
			}
		}
	}
	return nil
}

// RemoveCgroups takes away what the kernel keeps of a node that has ended.
func RemoveCgroups(h home.Home) error {
	roots, err := machine.CgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		top := filepath.Join(root, CgroupName(h))
		var dirs []string
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("list the cgroups below %s: %w", top, err)
		}
		for i := len(dirs) - 1; i >= 0; i-- {
			if err := removeCgroup(dirs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCgroup waits a moment for the last processes of the group, which are already killed, to be gone.
func removeCgroup(dir string) error {
	var err error
	for range 50 {
		if err = os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("remove the cgroup: %w", err)
}
