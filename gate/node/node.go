// Package node is the local node by its commands, for the gate and the tests.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
)

// Node is the local node of a checkout, and the namespace of one stack on it.
type Node struct{ Root, Namespace string }

// Command is one of bin/local's. Where ctx ends, it and every process that it has started get SIGTERM.
func (n Node) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(n.Root, ".local/bin/local"), args...)
	cmd.Dir = n.Root
	cmd.Env = Environment("THREETIER_ROOT=" + n.Root)
	// A group of its own: an interrupt from the keyboard reaches it by ctx alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return cmd
}

// Inside runs a program inside the node.
func (n Node) Inside(ctx context.Context, args ...string) *exec.Cmd {
	return n.Command(ctx, append([]string{"exec", "--"}, args...)...)
}

// Kubectl runs in the stack's namespace.
func (n Node) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	return n.Inside(ctx, append([]string{"kubectl", "--namespace", n.Namespace}, args...)...)
}

// Get reads objects.
func (n Node) Get(ctx context.Context, into any, args ...string) error {
	out, err := Output(n.Kubectl(ctx, append([]string{"get", "--output", "json"}, args...)...))
	if err != nil {
		return fmt.Errorf("get %s: %w", args[0], err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	return nil
}

// Output is a command's, with what it has said of its failure.
func Output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

// portsGiven is how many ports FreePort has looked at.
var portsGiven atomic.Int32

// FreePort is one that nobody listens on now, and that it hasn't given before. It is below those that the kernel gives to
// outgoing connections: one of these could be taken by a client before the stack listens there.
func FreePort() (int, error) {
	const before, last = 20000, 30000
	for port := before + int(portsGiven.Add(1)); port <= last; port = before + int(portsGiven.Add(1)) {
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no port from %d to %d of 127.0.0.1 is free, want one for a stack", before+1, last)
}
