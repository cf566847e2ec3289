package tools

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"threetier/local/internal/home"
	"threetier/local/internal/step"
)

// need is a distribution package, and the file that shows that what it gives is
// there: somebody may have it from elsewhere, as Docker's containerd.
type need struct{ pkg, file string }

// debian12 are what the tests use where the distribution has them: its PostgreSQL, beside the later one of bin/trixie.
var debian12 = []need{{"postgresql-15", "/usr/lib/postgresql/15/bin/postgres"}}

var needs = map[string][]need{
	"up": {
		{"containerd", "containerd"}, {"containerd", "ctr"}, {"runc", "runc"},
		{"containernetworking-plugins", "/usr/lib/cni/bridge"},
		{"iptables", "iptables"}, {"ipset", "ipset"}, {"conntrack", "conntrack"}, {"ethtool", "ethtool"},
		{"iproute2", "ip"}, {"procps", "sysctl"}, {"util-linux", "nsenter"}, {"kmod", "modprobe"},
		{"mmdebstrap", "mmdebstrap"}, {"debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg"},
		{"buildah", "buildah"}, {"crun", "crun"},
		{"postgresql-client", "psql"},
		{"curl", "curl"}, {"jq", "jq"},
	},
	"test": {
		{"chromium", "chromium"}, {"libnss3-tools", "certutil"}, {"wrk", "wrk"}, {"openssl", "openssl"}, {"shellcheck", "shellcheck"}, {"libcap2-bin", "/usr/sbin/capsh"},
		// Without a font of its own Chromium shows no text.
		{"fonts-dejavu-core", "/usr/share/fonts/truetype/dejavu"},
	},
}

func (n need) met() bool {
	if strings.HasPrefix(n.file, "/") {
		found, err := filepath.Glob(n.file)
		return err == nil && len(found) > 0
	}
	_, err := exec.LookPath(n.file)
	return err == nil
}

// Install installs the distribution packages that are missing for a purpose: "up" or "test".
func Install(h home.Home, purpose string) error {
	var missing []string
	all := needs[purpose]
	if release, err := os.ReadFile("/etc/os-release"); purpose == "test" && err == nil && strings.Contains(string(release), "VERSION_CODENAME=bookworm") {
		all = slices.Concat(all, debian12)
	}
	for _, n := range all {
		if !n.met() {
			missing = append(missing, n.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing, and there is no apt-get to install them with: %s", names)
	}
	return step.Run("install "+names, func(s *step.Step) error {
		env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		update := exec.Command("apt-get", "update")
		update.Env = env
		if err := s.Command(h.Path("logs", "apt-update.log"), update); err != nil {
			return err
		}
		install := exec.Command("apt-get", append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
		install.Env = env
		if err := s.Command(h.Path("logs", "apt-install.log"), install); err != nil {
			return err
		}
		return noteInstalled(h, missing)
	})
}

// noteInstalled keeps what Install adds to the machine, since nothing else tells it from the machine's own packages.
func noteInstalled(h home.Home, packages []string) error {
	note, err := os.OpenFile(h.Cache("installed"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("note what was installed: %w", err)
	}
	_, err = fmt.Fprintln(note, strings.Join(packages, "\n"))
	return errors.Join(err, note.Close())
}

// Installed are the packages that Install has added to this machine since the last `make clean`.
func Installed(h home.Home) []string {
	note, err := os.ReadFile(h.Cache("installed"))
	if err != nil {
		return nil
	}
	packages := strings.Fields(string(note))
	slices.Sort(packages)
	return slices.Compact(packages)
}
