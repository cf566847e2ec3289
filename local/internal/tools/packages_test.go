package tools

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"threetier/local/internal/home"
	"threetier/local/internal/skip"
)

func TestAPackageThatCannotBeInstalledIsNamedInOneLine(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		skip.Test(t, "apt-get and root")
	}
	h := testHome(t)
	needs["impossible"] = []need{{"no-such-package-of-threetier", "no-such-command-of-threetier"}}
	defer delete(needs, "impossible")
	err := Install(h, "impossible")
	if err == nil || !strings.Contains(err.Error(), "no-such-package-of-threetier") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %q, want one line that names the package", err)
	}
}

func TestAMachineWithoutAptIsToldWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	h := testHome(t)
	needs["impossible"] = []need{{"no-such-package-of-threetier", "no-such-command-of-threetier"}}
	defer delete(needs, "impossible")
	err := Install(h, "impossible")
	if err == nil || !strings.Contains(err.Error(), "no-such-package-of-threetier") {
		t.Errorf("the error is %v, want the package's name", err)
	}
}

func TestWhatIsThereIsNotInstalled(t *testing.T) {
	needs["there"] = []need{{"coreutils", "ls"}, {"base-files", "/etc/debian_versio*"}}
	defer delete(needs, "there")
	t.Setenv("PATH", "/bin:/usr/bin")
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		skip.Test(t, "Debian")
	}
	if err := Install(testHome(t), "there"); err != nil {
		t.Error(err)
	}
}

func testHome(t *testing.T) home.Home {
	t.Helper()
	// Short: the test's own folder has the test's name in it, and a socket's path is limited.
	dir, err := os.MkdirTemp("", "home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("THREETIER_ROOT", dir)
	h, err := home.Find()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.Path("logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}
