package account

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"threetier/local/internal/account/state"
	"threetier/local/internal/skip"
)

// inNamespace marks the process that runs in network and mount namespaces of its own.
const inNamespace = "THREETIER_TEST_NAMESPACE"

func TestInstanceHasItsAddressOnTheBridgeAndItsDataBelowAClosedFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		skip.Test(t, "root, to make namespaces")
	}
	if os.Getenv(inNamespace) != "" {
		testOnBridge(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip(string(out))
	}
}

func testOnBridge(t *testing.T) {
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"link", "add", "node0", "type", "bridge"}, {"link", "set", "node0", "up"}} {
		if err := exec.Command("ip", args...).Run(); err != nil {
			skip.Test(t, "a bridge: %v", err)
		}
	}
	f := newFixture(t)
	f.stop()
	closed := filepath.Join(f.cfg.Dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	f.cfg.Dir, f.cfg.Bridge = filepath.Join(closed, "account"), "node0"
	f.cfg.Networks, f.cfg.ClusterCIDRs = nil, nil
	f.run()
	id := f.create(state.KindInstance, f.instanceInputs("shop", nil)).ID
	if d := f.describe("shop"); d.IP != "10.0.2.10" || !addressed(t, d.IP) {
		t.Errorf("address %s, on the bridge: %v", d.IP, addressed(t, d.IP))
	}
	f.mustQuery("shop", "CREATE TABLE items (id int); SELECT count(*) FROM items", "0")
	f.stop()
	f.run()
	f.mustQuery("shop", "SELECT count(*) FROM items", "0")
	if err := f.remove(state.KindInstance, id, props{"skipFinalSnapshot": true}); err != nil {
		t.Fatal(err)
	}
	if addressed(t, "10.0.2.10") {
		t.Error("the address of a deleted instance is still there")
	}
}

func addressed(t *testing.T, ip string) bool {
	t.Helper()
	out, err := exec.Command("ip", "-oneline", "address", "show", "dev", "node0").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), " "+ip+"/32 ")
}
