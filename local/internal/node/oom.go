package node

import (
	"bufio"
	"context"
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
	seen := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		for group, kills := range memoryKills(filepath.Join("/sys/fs/cgroup/memory", n.cgroup, "kubepods")) {
			if kills > seen[group] {
				seen[group] = kills
				logger.Printf("a process of %s was killed for memory: its container goes", group)
				killAll(group)
			}
		}
	}
}

// memoryKills are how many processes the kernel has killed for memory, by the cgroup of their container; none with cgroups
// of version 2. Containers come and go meanwhile: one that can't be read has gone.
func memoryKills(dir string) map[string]int {
	kills := map[string]int{}
	for _, pods := range []string{"pod*", "*/pod*"} { // of the classes guaranteed, and burstable or besteffort
		files, err := filepath.Glob(filepath.Join(dir, pods, "*", "memory.oom_control"))
		if err != nil {
			continue // of a pattern alone
		}
		for _, file := range files {
			if count := killsIn(file); count > 0 {
				kills[filepath.Dir(file)] = count
			}
		}
	}
	return kills
}

func killsIn(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		if number, found := strings.CutPrefix(line, "oom_kill "); found {
			if n, err := strconv.Atoi(strings.TrimSpace(number)); err == nil {
				count = n
			}
		}
	}
	return count
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
