// Package node is the EKS cluster and the AWS account on one machine: a real
// Kubernetes node, and the databases of the account, in namespaces of their own.
// Killing its first process ends all of it.
package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"threetier/local/internal/account"
	"threetier/local/internal/home"
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
}

// Supervise sets the node up in the namespaces that it was started in, and runs
// it until ctx ends. The network namespace hostNet is where forwarded ports listen.
func Supervise(ctx context.Context, h home.Home, hostNet *os.File) error {
	n := &node{home: h, cgroup: CgroupName(h)}
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
	failed := make(chan error, 2)
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
			Dir: n.home.Path("account"), Socket: n.home.Path("run/account.sock"), HostsFile: n.home.Path("run/hosts"),
			Bridge: Bridge, ClusterEndpoint: Endpoint, ClusterCAFile: n.pki("ca.pem"),
		})
	})
	part("the control plane", func(ctx context.Context) error {
		for _, p := range n.controlPlane() {
			running.Add(1)
			go func() { defer running.Done(); n.keep(ctx, p) }()
			if err := waitReady(ctx, p); err != nil {
				return err
			}
			logger.Printf("%s is ready", p.name)
		}
		if err := run(n.tool("kubectl"), "--kubeconfig", n.pki("admin.kubeconfig"), "apply", "-f", n.home.Path("node/metrics-server.yaml")); err != nil {
			return fmt.Errorf("register the metrics server: %w", err)
		}
		control.setReady()
		return balanceLoad(ctx, n.client)
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

// links gives the one Kubernetes binary the names of its components.
func (n *node) links() error {
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"} {
		if err := os.Symlink(n.home.Bin("hyperkube"), n.tool(name)); err != nil {
			return fmt.Errorf("name %s: %w", name, err)
		}
	}
	// The kubeconfig asks the aws command for its token.
	for name, program := range map[string]string{"aws": "local", "pulumi": "pulumi"} {
		if err := os.Symlink(n.home.Bin(program), n.tool(name)); err != nil {
			return fmt.Errorf("name %s: %w", name, err)
		}
	}
	return nil
}

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

// CgroupName is the folder of the node's pods in each cgroup hierarchy: one per node.
func CgroupName(h home.Home) string {
	return fmt.Sprintf("threetier-%x", sha256.Sum256([]byte(h.Path())))[:22]
}

// cgroupRoots are the hierarchies that the kubelet and runc use: one with version 2, one per controller with version 1.
func cgroupRoots() ([]string, error) {
	const base = "/sys/fs/cgroup"
	if _, err := os.Stat(base + "/cgroup.controllers"); err == nil {
		return []string{base}, nil
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil, fmt.Errorf("list the cgroup hierarchies: %w", err)
	}
	var roots []string
	for _, e := range entries {
		if e.IsDir() {
			roots = append(roots, filepath.Join(base, e.Name()))
		}
	}
	return roots, nil
}

func (n *node) cgroups() error {
	roots, err := cgroupRoots()
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
	roots, err := cgroupRoots()
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
