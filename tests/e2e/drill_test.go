//go:build e2e && slow

package e2e

import (
	"fmt"
	"net/http"
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
	account(t, http.MethodGet, "/instances", "", &instances)
	for _, instance := range instances {
		left += instance.Identifier + "\n"
	}
	if strings.Contains(left, s.name+"-drill") {
		t.Errorf("the drill has left something behind:\n%s", left)
	}
	return string(text)
}

func TestSlowDrillProvesTheBackupAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "drilled", "prod")
	edit(t, s.config, "config:\n", "config:\n  drill:rows: { items: 6, users: 1 }\n")
	s.up(t)
	if report := drill(t, s, false); !strings.Contains(report, "there is no available snapshot of "+namespace("drilled")+"-database.") {
		t.Error("the report of a stack without a snapshot doesn't say so")
	}
	for i := range 5 {
		addItem(t, s.site, fmt.Sprintf("in the snapshot %d", i))
	}
	must(t, ".local/bin/local exec -- aws backup start-backup-job --backup-vault-name Default --iam-role-arn arn:aws:iam::123456789012:role/backup --resource-arn arn:aws:rds:eu-west-1:123456789012:db:%s-database", namespace("drilled"))
	addItem(t, s.site, "after the snapshot")

	report := drill(t, s, false)
	for _, want := range []string{"# Restore drill of drilled: failed\n", "items has 5 rows, want 6, users has no rows, want 1.", "| items | 5 | 6 |"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	must(t, ".local/bin/local exec -- pulumi config rm --stack drilled --path drill:rows.users")
	must(t, ".local/bin/local exec -- pulumi config set --stack drilled --path drill:rows.items 5")
	report = drill(t, s, true)
	for _, want := range []string{"# Restore drill of drilled: passed\n", "| awsbackup:job-", "(RPO) | 0 h ", "(RTO) | 0 h ", "| items | 5 | 5 |", "| alembic_version | 1 |  |"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	s.wantsNothing(t, "its drill")
	if all := titles(t, s.site); len(all) != 6 {
		t.Errorf("after the drill the items are %q, want six", all)
	}
}
