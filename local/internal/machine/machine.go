// Package machine finds what this machine lacks for the local node, before anything is built or installed.
package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"threetier/local/internal/home"
)

const (
	// DiskGiB is the free space that a first run takes, the compiler's cache included.
	DiskGiB = 18
	// MemoryGiB is what a first run takes: the compiler needs 4.5 GiB for the Kubernetes provider.
	MemoryGiB = 6
)

// elsewhere is what a machine without the node can still do.
const elsewhere = "make plan and make test-fast work here; the node runs in a virtual machine with Debian 12 or Ubuntu"

// Namespaces are the node's own ones.
const Namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// Check is an error of one line if the machine lacks something that the node needs and no installation can give it.
func Check(h home.Home) error {
	if err := user(); err != nil {
		return err
	}
	if err := space(h); err != nil {
		return err
	}
	if !built(h) {
		if err := node(filepath.Join(h.Root, "apps", "frontend", "package.json")); err != nil {
			return err
		}
	}
	return isolation()
}

// built tells that the largest part of a first run is done.
func built(h home.Home) bool {
	_, err := os.Stat(h.Bin("pulumi-resource-kubernetes"))
	return err == nil
}

// node is an error where a first run would end after all of its builds, with the sample app that Node.js builds.
func node(file string) error {
	var app struct{ Engines struct{ Node string } }
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &app) != nil {
		return nil // an app of one's own, which may need no Node.js
	}
	const from = "https://nodejs.org/en/download"
	want := strings.TrimPrefix(app.Engines.Node, ">=")
	_, npm := exec.LookPath("npm")
	version, err := exec.Command("node", "--version").Output()
	if npm != nil || err != nil {
		return fmt.Errorf("node and npm are not installed, want Node.js %s or later: %s", want, from)
	}
	if has := strings.TrimPrefix(strings.TrimSpace(string(version)), "v"); olderThan(has, want) {
		return fmt.Errorf("node is %s, want Node.js %s or later: %s", has, want, from)
	}
	return nil
}

// olderThan compares two versions by their first two numbers.
func olderThan(has, want string) bool {
	var a, b [2]int
	_, _ = fmt.Sscanf(has, "%d.%d", &a[0], &a[1])
	_, _ = fmt.Sscanf(want, "%d.%d", &b[0], &b[1])
	return slices.Compare(a[:], b[:]) < 0
}

// CheckPackages is an error of one line if the machine can't run what bin/trixie runs. That wants a hundredth of the
// node's space.
func CheckPackages() error {
	if err := user(); err != nil {
		return err
	}
	return isolation()
}

func user() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("this is user id %d: the local node wants root, for namespaces and containers: sudo make up", os.Geteuid())
	}
	return nil
}

func space(h home.Home) error {
	free, err := freeDisk(h.Root)
	if err != nil {
		return err
	}
	wantDisk, wantMemory := uint64(DiskGiB), uint64(MemoryGiB)
	if built(h) {
		wantDisk, wantMemory = 3, 4
	}
	for name, want := range map[string]*uint64{"THREETIER_DISK_GIB": &wantDisk, "THREETIER_MEMORY_GIB": &wantMemory} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if *want, err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("%s is %q, want a number of GiB", name, value)
		}
	}
	if free>>30 < wantDisk {
		return fmt.Errorf("%s has %d GiB free, want %d: caches, builds, images and data take that much", h.Root, free>>30, wantDisk)
	}
	// A machine that is sold with 6 GiB has a little less.
	if memory := memory(); memory>>20 < wantMemory<<10*9/10 {
		return fmt.Errorf("this machine has %.1f GiB of memory, want %d; %s", float64(memory)/(1<<30), wantMemory, elsewhere)
	}
	return nil
}

func freeDisk(folder string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return 0, fmt.Errorf("ask for the free disk space: %w", err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}

// memory is that of the machine, or of the container that this is.
func memory() uint64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	least := info.Totalram * uint64(info.Unit)
	for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", file))
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			least = min(least, limit)
		}
	}
	return least
}

// ProbeCommand is the argument with which this program calls itself as the first process of new namespaces.
const ProbeCommand = "probe"

// isolation tries what the node's first process does, in namespaces that end with the try.
func isolation() error {
	probe := exec.Command("/proc/self/exe", ProbeCommand)
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Namespaces}
	out, err := probe.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ended):
		return fmt.Errorf("%s; %s", strings.TrimPrefix(strings.TrimSpace(string(out)), "error: "), elsewhere)
	}
	return fmt.Errorf("this machine doesn't let root make namespaces (%w): a container needs --privileged, a service CAP_SYS_ADMIN; %s", err, elsewhere)
}
