//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// drivers are programs that connect by every driver of the table in docs/reference/app.md.
func drivers(t *testing.T) [][]string {
	t.Helper()
	folder, goes := filepath.Join(root, "tests/e2e/drivers"), filepath.Join(t.TempDir(), "pgx")
	must(t, "cd tests/e2e/drivers && npm ci --no-audit --no-fund && go -C pgx build -o %s .", goes)
	return [][]string{
		{filepath.Join(root, "bin", "trixie"), "/usr/bin/python3", filepath.Join(folder, "drivers.py")}, {"node", filepath.Join(folder, "drivers.mjs")}, {goes},
	}
}

// connectByEveryDriver gives the drivers the default environment of a backend, with a file of certificates.
func connectByEveryDriver(t *testing.T, drivers [][]string, certificates string) (lines []string) {
	t.Helper()
	host, port, _ := strings.Cut(output(t, "dev", "databaseEndpoint"), ":")
	user, secret := login(t, "dev")
	for _, driver := range drivers {
		cmd := exec.Command(".local/bin/local", append([]string{"exec", "--"}, driver...)...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "DB_HOST="+host, "DB_PORT="+port, "DB_NAME=app", "DB_USER="+user, "DB_PASSWORD="+secret,
			"DB_SSLROOTCERT="+certificates, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+certificates,
			fmt.Sprintf("DATABASE_URL=postgresql://%s:%s@%s:%s/app?sslmode=verify-full&sslrootcert=%s", user, secret, host, port, certificates))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("connect by %s: %v\n%s", driver, err, out)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	}
	return lines
}

// notVerified is how Python, Node.js and Go say it.
var notVerified = regexp.MustCompile(`(?i)certificate verify failed|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|self-signed certificate in certificate chain|failed to verify certificate`)

func TestEveryDriverVerifiesTheDatabaseByTheDefaultEnvironment(t *testing.T) {
	right := filepath.Join(home, "account", "ca.pem")
	wrong := filepath.Join(home, "node", "pki", "ca.pem")
	all := drivers(t)
	for _, line := range connectByEveryDriver(t, all, right) {
		if !strings.HasSuffix(line, ": TLS True") {
			t.Error(line)
		}
	}
	lines := connectByEveryDriver(t, all, wrong)
	for _, line := range lines {
		if !notVerified.MatchString(line) {
			t.Errorf("with certificates that aren't the database's: %s", line)
		}
	}
	if len(lines) != 15 {
		t.Errorf("%d ways to connect, want 15", len(lines))
	}
}
