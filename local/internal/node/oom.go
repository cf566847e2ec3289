package node

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killForMemory ends a whole container once the kernel has killed one of its processes for memory. A node of EKS does the
// same: the kubelet sets memory.oom.group, which cgroups of version 1 don't have.
func (n *node) killForMemory(ctx context.Context) error {
	dir := filepath.Join("/sys/fs/cgroup/memory", n.cgroup)
	if _, err := os.Stat(dir); err != nil {
		return nil // cgroups of version 2: the kernel does it
	}
	seen := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		for group, kills := range memoryKills(dir) {
			if kills > seen[group] {
				seen[group] = kills
				logger.Printf("a process of %s was killed for memory: its container goes", group)
				killAll(group)
			}
		}
	}
}

// memoryKills are how many processes the kernel has killed for memory, by the cgroup that they were in. Cgroups come and
// go meanwhile: one that can't be read has gone.
func memoryKills(dir string) map[string]int {
	kills := map[string]int{}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(path, "memory.oom_control"))
		if err != nil {
			return nil
		}
		for line := range strings.Lines(string(text)) {
			var count int
			if _, err := fmt.Sscanf(line, "oom_kill %d", &count); err == nil && count > 0 {
				kills[path] = count
			}
		}
		return nil
	})
	return kills
}

func killAll(group string) {
	file, err := os.Open(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return // it has gone
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if pid, err := strconv.Atoi(lines.Text()); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
