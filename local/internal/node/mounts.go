package node

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// mounts hides the machine's own run-time folders from the node, and the node's from the machine.
func (n *node) mounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts with the pods: %w", err)
	}
	for _, dir := range []string{"/run", "/var/log"} {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount a %s of the node's own: %w", dir, err)
		}
	}
	// What the last run left of containers and addresses went with its namespaces.
	for _, dir := range []string{"run/containerd", "run/cni", "run/tools"} {
		if err := os.RemoveAll(n.home.Path(dir)); err != nil {
			return fmt.Errorf("clear %s: %w", dir, err)
		}
	}
	for _, dir := range []string{"run/containerd", "run/tools", "logs", "kubelet", "node/kubelet-plugins"} {
		if err := os.MkdirAll(n.home.Path(dir), 0o700); err != nil {
			return fmt.Errorf("make %s: %w", dir, err)
		}
	}
	// The kubelet keeps its plugin sockets there, whatever its root folder.
	if err := os.MkdirAll(kubeletPlugins, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", kubeletPlugins, err)
	}
	if err := syscall.Mount(n.home.Path("node/kubelet-plugins"), kubeletPlugins, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", kubeletPlugins, err)
	}
	resolv := n.home.Path("node", "resolv.conf")
	if err := writeFile(resolv, []byte("nameserver "+dnsAddress+"\noptions timeout:2\n")); err != nil {
		return err
	}
	if err := os.Chmod(resolv, 0o644); err != nil {
		return fmt.Errorf("let everyone read %s: %w", resolv, err)
	}
	target, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		return fmt.Errorf("find resolv.conf: %w", err)
	}
	if err := syscall.Mount(resolv, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount a resolv.conf of the node's own: %w", err)
	}
	return nil
}

const kubeletPlugins = "/var/lib/kubelet"
