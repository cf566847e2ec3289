//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRowsOutliveTheNodeAndTheNodeLeavesNothing(t *testing.T) {
	kept := addItem(t, dev, "outlives the node")
	cgroup := strings.TrimSpace(must(t, "grep -o 'threetier-[0-9a-f]*' %s/node/kubelet.yaml", home))
	machine := func() string {
		return must(t, "ip -o link | cut -d: -f2; iptables-save | grep -v '^[#:]' | sort; find /sys/fs/cgroup -maxdepth 2 -name '%s'", cgroup)
	}
	if running := machine(); !strings.Contains(running, cgroup) {
		t.Fatalf("the running node has no cgroup %s: this test looks for the wrong thing", cgroup)
	}
	pid := strings.TrimSpace(must(t, "cat %s/run/node.pid", home))
	ns := strings.TrimSpace(must(t, "readlink /proc/%s/ns/net", pid))
	must(t, "make down")
	after := machine()
	if strings.Contains(after, cgroup) || strings.Contains(after, "KUBE-") || strings.Contains(after, "node0") {
		t.Errorf("make down left on the machine:\n%s", after)
	}
	if left := must(t, "for p in /proc/[0-9]*; do [ \"$(readlink $p/ns/net)\" = '%s' ] && echo $p; done; true", ns); left != "" {
		t.Errorf("make down left processes: %s", left)
	}
	if mounts := must(t, "grep '%s' /proc/mounts || true", home); mounts != "" {
		t.Errorf("make down left mounts:\n%s", mounts)
	}
	must(t, "make up PORT=%d", devPort)
	// The pods start again with the node, those of prod without an up of its own.
	endsWithTheTest(t, "prod")
	for _, stack := range []string{dev, prod} {
		eventually(t, 2*time.Minute, stack+" serving again", func() bool {
			a, err := request(http.MethodGet, stack+"/api/items", nil, nil)
			return err == nil && a.status == http.StatusOK
		})
	}
	if all := fmt.Sprint(titles(t, dev)); !strings.Contains(all, kept.Title) {
		t.Errorf("after down and up the items are %s, want %q among them", all, kept.Title)
	}
}

func TestKilledUpIsTakenUpByTheNext(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "killed", "dev")
	for i := range 3 {
		after := time.Duration(5000+rand.IntN(15000)) * time.Millisecond
		start := time.Now()
		kill(t, s.command("up"), after.String()+" later", func() bool { return time.Since(start) > after })
		t.Logf("kill %d after %s", i+1, after)
	}
	s.up(t)
	addItem(t, s.site, "after three kills")
	for _, tier := range []string{"backend", "frontend", "nginx"} {
		if n := strings.Fields(kubectl(t, "killed", "get deployments -l app.kubernetes.io/name="+tier+" -o name")); len(n) != 1 {
			t.Errorf("there are %d deployments of %s, want 1: %v", len(n), tier, n)
		}
	}
	if n := strings.Count(kubectl(t, "killed", "get configmaps -o name"), "nginx-config"); n != 1 {
		t.Errorf("there are %d nginx-config, want 1", n)
	}
}

func TestSecondUpAtTheSameTimeWaitsAndSaysSo(t *testing.T) {
	first := exec.Command("make", "up", fmt.Sprintf("PORT=%d", devPort))
	first.Dir = root
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the first up at work", func() bool {
		_, err := shell("flock --nonblock " + home + "/run/stack-dev-command.lock true")
		return err != nil
	})
	out := must(t, "make up PORT=%d", devPort)
	if err := first.Wait(); err != nil {
		t.Errorf("the first up: %v", err)
	}
	if !strings.Contains(out, "another command is at work") {
		t.Errorf("the second up said nothing of the first:\n%s", out)
	}
}

func TestWhatCannotWorkIsRefusedInOneLine(t *testing.T) {
	config := func(edits ...string) string {
		file := filepath.Join(t.TempDir(), "refused.yaml")
		must(t, "sed %s Pulumi.dev.yaml > %s", strings.Join(edits, " "), file)
		return file
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := strconv.Itoa(other.Addr().(*net.TCPAddr).Port)
	cases := []struct{ name, command, want string }{
		{"not root", "THREETIER_ROOT=$PWD setpriv --reuid 65534 --clear-groups .local/bin/local up", "wants root"},
		{"too little disk", "THREETIER_DISK_GIB=100000 make up", "GiB free, want 100000"},
		{"no namespaces", "capsh --drop=cap_sys_admin -- -c 'make up'", "this machine doesn't let root make namespaces"},
		{"a stack without a config", "make up STACK=nowhere", "there is no file"},
		{"a port in use", "bin/local up --stack inuse --port " + taken + " --config-file " + config("-e s/a/a/"), "port " + taken + " of 127.0.0.1 is in use"},
		{"an archive that is none", "bin/local load README.md", "README.md can't be loaded, want a docker- or OCI-archive"},
		{"an archive that isn't there", "bin/local load nowhere.tar", "no such file"},
		{"to unload what isn't loaded", "bin/local unload acme/nowhere:1", "docker.io/acme/nowhere:1 isn't loaded"},
		{"an image that isn't there", "bin/local up --stack noimage --config-file " + config("-e s,acme/backend:1.0.0,acme/backend:9.9.9,"), "neither built here nor loaded"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := refused(t, "%s", c.command)
			if !strings.Contains(out, c.want) || strings.Count(out, "error: ") != 1 {
				t.Errorf("it said %q, want one error with %q", out, c.want)
			}
		})
	}
	if out := must(t, ".local/bin/local exec -- kubectl get namespaces -o name"); strings.Contains(out, "inuse") || strings.Contains(out, "noimage") {
		t.Errorf("a refused up made a namespace: %s", out)
	}
}

func TestSixMistakesAreSixLinesAndNothingRegistered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mistakes.yaml")
	yaml := `config:
  aws:region: eu-west-1
  threetier:cluster: {eks: acme-dev}
  threetier:database: {storageGiB: 5, lifecycle: eternal, colour: blue}
  threetier:backend: {image: "ghcr.io/acme/backend:1.0.0", port: many}
  threetier:frontend: {image: "ghcr.io/acme/frontend:1.0.0", replicas: {min: 3, max: 2}}
  threetier:databse: {port: 5433}
`
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	out := refused(t, "bin/local up --stack mistakes --port %d --config-file %s", freePort(), file)
	for _, key := range []string{"threetier:database.storageGiB", "threetier:database.lifecycle", "threetier:database.colour", "threetier:backend.port", "threetier:frontend.replicas", "threetier:databse"} {
		if !strings.Contains(out, key) {
			t.Errorf("the error doesn't name %s:\n%s", key, out)
		}
	}
	for _, e := range events(t, "mistakes", "up") {
		if e.ResOp != nil && e.ResOp.Metadata.Type != "pulumi:pulumi:Stack" {
			t.Errorf("a %s was registered", e.ResOp.Metadata.Type)
		}
	}
}

// Its folder may be entered by everybody.
func TestNothingOfDebian13GivesRoot(t *testing.T) {
	if out := must(t, "find .local/trixie -xdev -type f -perm /6000"); out != "" {
		t.Errorf("setuid or setgid programs below .local/trixie:\n%s", out)
	}
}
