//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// drill runs make drill, and returns its report, which it also prints.
func drill(t *testing.T, s *testStack, passes bool) string {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.md")
	command := "REPORT=" + report + " make drill STACK=" + s.name
	var said string
	if passes {
		said = must(t, "%s", command)
	} else {
		said = refused(t, "%s", command)
	}
	text, err := os.ReadFile(report)
	if err != nil || !strings.Contains(said, string(text)) {
		t.Fatalf("the report: %v\n%s\nwhat was printed:\n%s", err, text, said)
	}
	t.Logf("%s", text)
	left := must(t, ".local/bin/local exec -- pulumi stack ls --json; .local/bin/local exec -- kubectl get namespaces -o name; ls %s/project", home)
	var instances []rdsInstance
	account(t, "GET", "/instances", "", &instances)
	for _, instance := range instances {
		left += instance.Identifier + "\n"
	}
	if strings.Contains(left, s.name+"-drill") {
		t.Errorf("the drill has left something behind:\n%s", left)
	}
	return string(text)
}

// provesBackup has a stack whose table items has five rows or more, and wants that many of them.
func provesBackup(t *testing.T, s *testStack) {
	before := state(t, s.name)
	if report := drill(t, s, false); !strings.Contains(report, "threetier-"+s.name+"-database has no available snapshot.") {
		t.Error("the report of a stack without a snapshot doesn't say so")
	}
	must(t, ".local/bin/local exec -- aws rds create-db-snapshot --db-instance-identifier threetier-%[1]s-database --db-snapshot-identifier %[1]s-by-hand", s.name)
	report := drill(t, s, true)
	for _, want := range []string{"# Restore drill of " + s.name + ": passed\n", "| " + s.name + "-by-hand, of ", "| items | 5 | 5 |", "| alembic_version | 1 |  |", "(RPO) | 0 h ", "(RTO) | 0 h "} {
		if !strings.Contains(report, want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	must(t, ".local/bin/local exec -- pulumi config set --stack %s --path drill:rows.items 6", s.name)
	must(t, ".local/bin/local exec -- pulumi config set --stack %s --path drill:rows.users 1", s.name)
	report = drill(t, s, false)
	for _, want := range []string{": failed\n", "items has 5 rows, want 6, users has no rows, want 1.", "| items | 5 | 6 |"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	if after := state(t, s.name); len(after) != len(before) {
		t.Errorf("the drill has left %d of the stack's %d resources", len(after), len(before))
	}
	s.wantsNothing(t, "its drill")
}
