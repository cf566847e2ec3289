package node

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"
)

//go:embed files
var files embed.FS

// process is one of the programs that make up the node.
type process struct {
	name string
	args []string
	// ready says whether others that need it may start; nil: at once.
	ready func(ctx context.Context) error
}

// writeFiles renders the components' configuration.
func (n *node) writeFiles() error {
	ca, err := os.ReadFile(n.pki("ca.pem"))
	if err != nil {
		return fmt.Errorf("read the cluster's CA: %w", err)
	}
	values := map[string]string{
		"Home": n.home.Path(), "Name": Name, "Address": Address, "PodSubnet": podSubnet, "PodRange": podRange,
		"DNSAddress": dnsAddress, "PauseImage": PauseImage, "CNIPlugins": cniPlugins(), "CgroupRoot": n.cgroup,
		"CABundle": base64.StdEncoding.EncodeToString(ca),
	}
	templates, err := template.ParseFS(files, "files/*")
	if err != nil {
		return fmt.Errorf("parse the components' configuration: %w", err)
	}
	places := map[string]string{
		"containerd.toml": "containerd.toml", "kubelet.yaml": "kubelet.yaml", "kube-proxy.yaml": "kube-proxy.yaml",
		"Corefile": "Corefile", "metrics-server.yaml": "metrics-server.yaml", "load-balancer.yaml": "load-balancer.yaml",
		"cni.conflist": "cni/10-pods.conflist", "audit.yaml": "audit.yaml",
	}
	for name, place := range places {
		var out bytes.Buffer
		if err := templates.ExecuteTemplate(&out, name, values); err != nil {
			return fmt.Errorf("render %s: %w", name, err)
		}
		if err := writeFile(n.home.Path("node", place), out.Bytes()); err != nil {
			return err
		}
	}
	// The API server reads who a token stands for; `aws eks get-token` hands the token out.
	return n.writeToken()
}

func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// cniPlugins is where the distribution puts the network plugins.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir
		}
	}
	return "/usr/lib/cni"
}

// controlPlane are the processes in the order in which they need each other.
func (n *node) controlPlane() []process {
	return []process{
		{name: "containerd", args: []string{"containerd", "--config", n.home.Path("node/containerd.toml")},
			ready: func(ctx context.Context) error { return n.ctr(ctx, "version") }},
		{name: "etcd", args: []string{n.home.Bin("etcd"), "--data-dir", n.home.Path("node/etcd"),
			"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380",
			// A killed process loses nothing by this: only the machine's own power cut would.
			"--unsafe-no-fsync", "--auto-compaction-retention=1h", "--log-level=warn"},
			ready: reachable("127.0.0.1:2379")},
		{name: "kube-apiserver", args: n.apiServer(), ready: n.apiReady},
		{name: "kube-controller-manager", args: []string{n.tool("kube-controller-manager"),
			"--kubeconfig", n.pki("kube-controller-manager.kubeconfig"), "--use-service-account-credentials",
			"--service-account-private-key-file", n.pki("service-account.key"), "--root-ca-file", n.pki("ca.pem"),
			"--allocate-node-cidrs", "--cluster-cidr", podRange, "--node-cidr-mask-size=24",
			"--service-cluster-ip-range", serviceRange, "--leader-elect=false", "--bind-address=127.0.0.1",
			// Seconds instead of minutes: a test waits for the pods to come and go.
			"--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
			"--horizontal-pod-autoscaler-initial-readiness-delay=10s"}},
		{name: "kube-scheduler", args: []string{n.tool("kube-scheduler"),
			"--kubeconfig", n.pki("kube-scheduler.kubeconfig"), "--leader-elect=false", "--bind-address=127.0.0.1"}},
		{name: "coredns", args: []string{n.home.Bin("coredns"), "-conf", n.home.Path("node/Corefile")},
			ready: reachable("127.0.0.1:8181")},
		{name: "kubelet", args: []string{n.tool("kubelet"), "--config", n.home.Path("node/kubelet.yaml"),
			"--kubeconfig", n.pki("kubelet.kubeconfig"), "--root-dir", n.home.Path("kubelet"),
			"--hostname-override", Name, "--node-ip", Address, "--provider-id=aws:///eu-west-1a/i-0local",
			"--node-labels=topology.kubernetes.io/region=eu-west-1,topology.kubernetes.io/zone=eu-west-1a"},
			ready: n.nodeReady},
		{name: "kube-proxy", args: []string{n.tool("kube-proxy"), "--config", n.home.Path("node/kube-proxy.yaml")}},
		{name: "kube-router", args: []string{n.home.Bin("kube-router"), "--kubeconfig", n.pki("admin.kubeconfig"),
			"--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--hostname-override", Name,
			"--service-cluster-ip-range", serviceRange, "--iptables-sync-period=1m", "--health-port=0"}},
		{name: "metrics-server", args: []string{n.home.Bin("metrics-server"), "--secure-port=4443",
			"--kubeconfig", n.pki("admin.kubeconfig"), "--authentication-kubeconfig", n.pki("admin.kubeconfig"),
			"--authorization-kubeconfig", n.pki("admin.kubeconfig"), "--metric-resolution=10s", "--kubelet-request-timeout=5s",
			"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority", n.pki("ca.pem"),
			"--tls-cert-file", n.pki("metrics-server.pem"), "--tls-private-key-file", n.pki("metrics-server.key")},
			ready: reachable(Address + ":4443")},
	}
}

func (n *node) apiServer() []string {
	return []string{n.tool("kube-apiserver"),
		"--advertise-address", Address, "--secure-port=6443", "--etcd-servers=http://127.0.0.1:2379",
		"--service-cluster-ip-range", serviceRange,
		"--tls-cert-file", n.pki("kube-apiserver.pem"), "--tls-private-key-file", n.pki("kube-apiserver.key"),
		"--client-ca-file", n.pki("ca.pem"), "--token-auth-file", n.home.Path("node/tokens.csv"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--kubelet-client-certificate", n.pki("admin.pem"), "--kubelet-client-key", n.pki("admin.key"),
		"--kubelet-certificate-authority", n.pki("ca.pem"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file", n.pki("service-account.pem"),
		"--service-account-signing-key-file", n.pki("service-account.key"),
		"--requestheader-client-ca-file", n.pki("ca.pem"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file", n.pki("front-proxy.pem"), "--proxy-client-key-file", n.pki("front-proxy.key"),
		"--enable-aggregator-routing=true",
		// What EKS sends to CloudWatch.
		"--audit-policy-file", n.home.Path("node/audit.yaml"), "--audit-log-path", n.home.Path("logs/audit.log"),
		"--audit-log-maxsize=20", "--audit-log-maxbackup=1",
	}
}

// tool is a name under which the one Kubernetes binary is called.
func (n *node) tool(name string) string { return n.home.Path("run", "tools", name) }

func (n *node) pki(file string) string { return n.home.Path("node", "pki", file) }

func (n *node) ctr(ctx context.Context, args ...string) error {
	args = append([]string{"--address", n.home.Path("run/containerd/containerd.sock"), "--namespace", "k8s.io"}, args...)
	if out, err := exec.CommandContext(ctx, "ctr", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ctr: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func reachable(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		dialer := net.Dialer{Timeout: time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("reach %s: %w", address, err)
		}
		return conn.Close()
	}
}
