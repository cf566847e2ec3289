package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"threetier/local/internal/home"
	"threetier/local/internal/skip"
)

// As a command, this test binary is bin/local: it checks the machine, or is the check's own child.
func TestMain(m *testing.M) {
	var do func() error
	switch {
	case len(os.Args) > 1 && os.Args[1] == ProbeCommand:
		do = Probe
	case len(os.Args) > 1 && os.Args[1] == "check":
		do = func() error { return Check(home.Home{Root: "/"}) }
	case len(os.Args) > 2 && os.Args[1] == "node":
		do = func() error { return node(os.Args[2]) }
	default:
		os.Exit(m.Run())
	}
	if err := do(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestEachThingThatAMachineLacksIsNamedInOneLine(t *testing.T) {
	if os.Geteuid() != 0 {
		skip.Test(t, "root, to take things away from it")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	old := t.TempDir()
	app := filepath.Join(old, "package.json")
	for name, text := range map[string]string{"package.json": `{"engines": {"node": ">=20.19"}}`, "npm": "#!/bin/sh\n", "node": "#!/bin/sh\necho v20.9.0\n"} {
		if err := os.WriteFile(filepath.Join(old, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const fits = "THREETIER_DISK_GIB=0 THREETIER_MEMORY_GIB=0 "
	check := fits + self + " check"
	if out, err := exec.Command("sh", "-c", check).CombinedOutput(); err != nil {
		skip.Test(t, "a machine that can run the node: %s", out)
	}
	for _, test := range []struct{ name, command, want string }{
		{"another user", "setpriv --reuid 65534 --clear-groups " + self + " check", "wants root"},
		{"too little disk", "THREETIER_DISK_GIB=100000 " + self + " check", "GiB free, want 100000"},
		{"too little memory", "THREETIER_DISK_GIB=0 THREETIER_MEMORY_GIB=100000 " + self + " check", "GiB of memory, want 100000"},
		{"a disk of no number", "THREETIER_DISK_GIB=much " + self + " check", `THREETIER_DISK_GIB is "much", want a number of GiB`},
		{"no CAP_SYS_ADMIN", fits + "capsh --drop=cap_sys_admin -- -c '" + self + " check'", "doesn't let root make namespaces"},
		{"no CAP_NET_ADMIN", fits + "capsh --drop=cap_net_admin -- -c '" + self + " check'", "doesn't let root make a network bridge"},
		{"no CAP_NET_RAW and no nftables", fits + "capsh --drop=cap_net_raw,cap_net_admin -- -c '" + self + " check'", "doesn't let root"},
		{"control groups that can't be written", fits + "unshare --mount sh -c 'mount --make-rprivate / && mount -t tmpfs -o ro tmpfs /sys/fs/cgroup && " + self + " check'", "control groups"},
		{"no namespaces", fits + "unshare --user --map-root-user --mount-proc --pid --fork sh -c 'echo 0 >/proc/sys/user/max_net_namespaces && " + self + " check'", "doesn't let root make namespaces"},
		{"no Node.js", "PATH=/nowhere " + self + " node " + app, "node and npm are not installed, want Node.js 20.19 or later"},
		{"an old Node.js", "PATH=" + old + " " + self + " node " + app, "node is 20.9.0, want Node.js 20.19 or later"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := exec.Command("sh", "-c", test.command).CombinedOutput()
			said := strings.TrimSpace(string(out))
			if err == nil || !strings.Contains(said, test.want) || strings.Contains(said, "\n") {
				t.Errorf("%s\nerror %v, said %q, want one line with %q", test.command, err, said, test.want)
			}
		})
	}
}

func TestVersionsAreComparedByTheirNumbers(t *testing.T) {
	for has, older := range map[string]bool{"18.20.4": true, "20.9.0": true, "20.19.0": false, "22.1.0": false, "100.0.0": false} {
		if olderThan(has, "20.19") != older {
			t.Errorf("%s is older than 20.19: %v, want %v", has, !older, older)
		}
	}
}
