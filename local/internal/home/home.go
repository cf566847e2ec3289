// Package home knows where the local node keeps its things: all of them below
// one folder, which git ignores and `make clean` removes.
package home

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Home is where one local node lives.
type Home struct {
	// Root is the checkout, as an absolute path.
	Root string
	// Project is the checkout whose program, apps and stack configs are deployed: Root, unless THREETIER_PROJECT names
	// another one, such as a worktree of an earlier commit.
	Project string
	// dir is the folder of the node's state and data.
	dir string
}

// Find is the home of the checkout that THREETIER_ROOT names (the bin/local script
// sets it): its folder .local, or the one that THREETIER_HOME names, for a second
// node beside it. Tools and the images' layers are the checkout's in any case.
func Find() (Home, error) {
	root := os.Getenv("THREETIER_ROOT")
	if root == "" {
		return Home{}, fmt.Errorf("THREETIER_ROOT is not set, want the checkout's folder: start this command as bin/local")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return Home{}, fmt.Errorf("find the checkout: %w", err)
	}
	h := Home{Root: root, Project: root, dir: filepath.Join(root, ".local")}
	if project := os.Getenv("THREETIER_PROJECT"); project != "" {
		if h.Project, err = filepath.Abs(project); err != nil {
			return Home{}, fmt.Errorf("find THREETIER_PROJECT: %w", err)
		}
	}
	if dir := os.Getenv("THREETIER_HOME"); dir != "" {
		if h.dir, err = filepath.Abs(dir); err != nil {
			return Home{}, fmt.Errorf("find THREETIER_HOME: %w", err)
		}
	}
	// A Unix socket's address holds 107 bytes, and containerd puts its own below its state folder.
	if len(h.Path("run/containerd/containerd.sock.ttrpc")) > 107 {
		return Home{}, fmt.Errorf("the path %q is too long for the sockets below it, want at most 68 characters", h.dir)
	}
	return h, nil
}

// Path is a place in the node's own folder.
func (h Home) Path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

// Cache is a place below the checkout's .local, for what every node of the checkout can use.
func (h Home) Cache(elem ...string) string {
	return filepath.Join(append([]string{h.Root, ".local"}, elem...)...)
}

// Bin is one of the built tools.
func (h Home) Bin(name string) string { return h.Cache("bin", name) }

// Deployed is a place in the checkout that is deployed.
func (h Home) Deployed(elem ...string) string {
	return filepath.Join(append([]string{h.Project}, elem...)...)
}

// Source is a place in the checkout.
func (h Home) Source(elem ...string) string {
	return filepath.Join(append([]string{h.Root}, elem...)...)
}

// Lock waits until no other command holds what is locked, and says so: "node" is
// held by what changes the node as a whole and shared by what works on its stacks,
// "setup" by what builds tools and images, and each stack has its own.
func (h Home) Lock(what string, mode int) (*os.File, error) {
	dir := h.Path("run")
	if what == "setup" {
		dir = h.Cache("run") // what is built is the checkout's, for all of its nodes
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the locks: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, strings.ReplaceAll(what, " ", "-")+"-command.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if syscall.Flock(int(f.Fd()), mode|syscall.LOCK_NB) != nil {
		fmt.Fprintf(os.Stderr, "another command is at work on the %s: waiting for it to end\n", what)
		if err := syscall.Flock(int(f.Fd()), mode); err != nil {
			return nil, fmt.Errorf("wait for the lock: %w", err)
		}
	}
	return f, nil
}

// Inherit hands a lock to every command that is started from now on: they hold
// it still, should this one be killed, so that the next never works beside their rest.
func Inherit(f *os.File) error {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("let commands inherit the lock: %w", err)
	}
	return nil
}
