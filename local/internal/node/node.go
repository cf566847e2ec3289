// Package node is the EKS cluster and the AWS account on one machine: a real
// Kubernetes node, and the databases of the account, in namespaces of their own.
// Killing its first process ends all of it.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"threetier/local/internal/account"
	"threetier/local/internal/home"
	"threetier/local/internal/tools"
)

const (
	// Name is the node's in the cluster.
	Name = "ip-10-0-0-10"
	// Endpoint is the API server's, inside the node's network.
	Endpoint = "https://" + Address + ":6443"
	// PauseImage holds a pod's namespaces.
	PauseImage = "registry.k8s.io/pause:3.10"
)

// logger writes the node's log; not the standard one, which Pulumi's packages silence.
var logger = log.New(os.Stderr, "", log.LstdFlags)

// node is what the supervisor runs.
type node struct {
	home   home.Home
	cgroup string
	client kubernetes.Interface
	// balancers end the TLS of load balancers.
	balancers *balancers
}

// Supervise sets up the node in the namespaces that it was started in, and runs
// it until ctx ends. The network namespace hostNet is where forwarded ports listen.
func Supervise(ctx context.Context, h home.Home, hostNet *os.File) error {
	n := &node{home: h, cgroup: CgroupName(h), balancers: newBalancers(h.Path("account"))}
	control := newControl(h, hostNet)
	if err := control.serve(ctx); err != nil {
		return err
	}
	for _, setUp := range []func() error{n.mounts, setUpNetwork, n.cgroups, n.links} {
		if err := setUp(); err != nil {
			return err
		}
	}
	if err := openPKI(n.home.Path("node", "pki")); err != nil {
		return err
	}
	if err := n.writeFiles(); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", n.pki("admin.kubeconfig"))
	if err != nil {
		return fmt.Errorf("read the node's own kubeconfig: %w", err)
	}
	// The supervisor's questions are few and far between: no client-side throttling of a busy start.
	config.QPS, config.Burst = 100, 200
	if n.client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("make the node's own client: %w", err)
	}
	return n.run(ctx, control)
}

// run starts everything, says when it is ready, and stops it when ctx ends:
// the databases cleanly, the rest as it comes.
func (n *node) run(ctx context.Context, control *control) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	failed := make(chan error, 3)
	part := func(name string, do func(context.Context) error) {
		running.Add(1)
		go func() {
			defer running.Done()
			if err := do(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("run %s: %w", name, err)
			}
		}()
	}
	part("the account", func(ctx context.Context) error {
		return account.Run(ctx, account.Config{
			Log:           slog.New(slog.NewTextHandler(os.Stderr, nil)),
			LoadBalancers: allAddresses(), InUse: n.balancers.uses,
			Dir: n.home.Path("account"), Socket: n.home.Path("run/account.sock"), HostsFile: n.home.Path("run/hosts"),
			Checkout: n.home.Root, Bridge: Bridge, ClusterEndpoint: Endpoint, ClusterCAFile: n.pki("ca.pem"),
		})
	})
	part("the end of containers that need too much memory", n.killForMemory)
	part("the agent of EKS Pod Identity", n.podIdentity)
	part("the control plane", func(ctx context.Context) error {
		for _, p := range n.controlPlane() {
			running.Add(1)
			go func() { defer running.Done(); n.keep(ctx, p) }()
			if err := waitReady(ctx, p); err != nil {
				return err
			}
			logger.Printf("%s is ready", p.name)
		}
		if err := run(n.tool("kubectl"), "--kubeconfig", n.pki("admin.kubeconfig"), "apply",
			"-f", n.home.Path("node/metrics-server.yaml"), "-f", n.home.Path("node/load-balancer.yaml")); err != nil {
			return fmt.Errorf("register the APIs of the cluster's own: %w", err)
		}
		control.setReady()
		return n.balanceLoad(ctx)
	})
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	running.Wait()
	return err
}

// keep runs one process, again whenever it ends, with its output in a log of its own.
func (n *node) keep(ctx context.Context, p process) {
	for ctx.Err() == nil {
		start := time.Now()
		err := n.once(ctx, p)
		if ctx.Err() != nil {
			return
		}
		logger.Printf("%s ended after %.0f s and is started again: %v", p.name, time.Since(start).Seconds(), err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (n *node) once(ctx context.Context, p process) error {
	f, err := os.OpenFile(n.home.Path("logs", p.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open its log: %w", err)
	}
	defer f.Close()
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	return cmd.Run()
}

func waitReady(ctx context.Context, p process) error {
	if p.ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, fmt.Errorf("%s is not ready after two minutes: see logs/%s.log", p.name, p.name))
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, 5*time.Second)
		err := p.ready(attempt)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (n *node) apiReady(ctx context.Context) error {
	_, err := n.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// links puts what runs in the node on its PATH.
func (n *node) links() error {
	for _, name := range tools.KubernetesPrograms {
		if err := os.Symlink(n.home.Bin(name), n.tool(name)); err != nil {
			return fmt.Errorf("name %s: %w", name, err)
		}
	}
	// The kubeconfig asks the aws command for its token.
	if err := os.Symlink(n.home.Bin("local"), n.tool("aws")); err != nil {
		return fmt.Errorf("name aws: %w", err)
	}
	script := fmt.Appendf(nil, pulumi, n.home.Root, n.home.Path("run"), n.home.Bin("pulumi"))
	return os.WriteFile(n.tool("pulumi"), script, 0o700)
}

// pulumi starts Pulumi. Its language host runs go in the checkout that is deployed: once to list all modules, which would write go.sum, so
// that it is given a copy, and once to run the program, in the one way that keeps what it has linked.
const pulumi = `#!/bin/sh
set -eu
root=%q copy=%q
[ -z "${THREETIER_PROJECT:-}" ] || { root=$THREETIER_PROJECT copy=$THREETIER_PROJECT/.local/project; }
cmp -s "$root/go.mod" "$copy/go.mod" || cp "$root/go.mod" "$root/go.sum" "$copy/"
export GOFLAGS="${GOFLAGS:-} -modfile=$copy/go.mod" PULUMI_GO_USE_RUN=true PULUMI_IGNORE_AMBIENT_PLUGINS=true
exec %q "$@"
`

func (n *node) writeToken() error {
	path := n.home.Path("node", "token")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := writeFile(path, []byte(rand.Text())); err != nil {
			return err
		}
	}
	token, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	return writeFile(n.home.Path("node", "tokens.csv"), []byte(string(token)+",local-deployer,local-deployer,system:masters\n"))
}
