//go:build e2e

package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// driversScript connects by every driver that docs/tutorials/your-app.md names.
//
//go:embed drivers.py
var driversScript string

// connectByEveryDriver gives the drivers the default environment of a backend, with a file of certificates.
func connectByEveryDriver(t *testing.T, certificates string) []string {
	t.Helper()
	host, port, _ := strings.Cut(output(t, "dev", "databaseEndpoint"), ":")
	user, secret := login(t, "dev")
	cmd := exec.Command(".local/bin/local", "exec", "--", filepath.Join(root, "bin", "trixie"), "/usr/bin/python3", "-c", driversScript)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "DB_HOST="+host, "DB_PORT="+port, "DB_NAME=app", "DB_USER="+user, "DB_PASSWORD="+secret,
		"PGSSLMODE=verify-full", "PGSSLROOTCERT="+certificates,
		fmt.Sprintf("DATABASE_URL=postgresql://%s:%s@%s:%s/app?sslmode=verify-full&sslrootcert=%s", user, secret, host, port, certificates))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("connect by every driver: %v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestEveryDriverVerifiesTheDatabaseByTheDefaultEnvironment(t *testing.T) {
	right := filepath.Join(home, "account", "ca.pem")
	wrong := filepath.Join(home, "node", "pki", "ca.pem")
	for _, line := range connectByEveryDriver(t, right) {
		if !strings.HasSuffix(line, ": TLS True") {
			t.Error(line)
		}
	}
	lines := connectByEveryDriver(t, wrong)
	for _, line := range lines {
		if !strings.Contains(strings.ToLower(line), "certificate verify failed") {
			t.Errorf("with certificates that aren't the database's: %s", line)
		}
	}
	if len(lines) != 9 {
		t.Errorf("%d ways to connect, want 9", len(lines))
	}
}
