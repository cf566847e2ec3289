package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// RDS lists AWS Backup's snapshots for who asks for them, and finds one that nobody took by hand by its type alone.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html
func TestDrillFindsTheSnapshotsOfRDSOfAWSBackupAndOfPeople(t *testing.T) {
	list := func(identifier, day, status string) string {
		return fmt.Sprintf(`{"DBSnapshotIdentifier": %q, "SnapshotCreateTime": "2026-01-%sT02:00:00.123000+00:00", "Status": %q}`, identifier, day, status)
	}
	const ask = "rds describe-db-snapshots --region eu-west-1 --output json --db-"
	answers := map[string]string{
		ask + "instance-identifier shop-prod-database": list("by-hand", "01", "available") + ", " + list("rds:shop-2026-01-02", "02", "available"),
		ask + "instance-identifier shop-prod-database --snapshot-type awsbackup": list("awsbackup:job-3", "03", "available") + ", " +
			list("awsbackup:job-4", "04", "creating"),
		ask + "snapshot-identifier awsbackup:job-3 --snapshot-type awsbackup":     list("awsbackup:job-3", "03", "available"),
		ask + "snapshot-identifier rds:shop-2026-01-02 --snapshot-type automated": list("rds:shop-2026-01-02", "02", "available"),
		ask + "snapshot-identifier by-hand":                                       list("by-hand", "01", "available"),
	}
	aws := "case \"$*\" in\n"
	for asked, found := range answers {
		aws += fmt.Sprintf("%q) echo '{\"DBSnapshots\": [%s]}' ;;\n", asked, found)
	}
	aws += "logs*) echo ResourceNotFoundException >&2; exit 254 ;;\n"
	aws += "*) echo \"aws $*: not found\" >&2; exit 9 ;;\nesac"
	for asked, want := range map[string]string{
		"": "restore awsbackup:job-3 into prod-drill", "awsbackup:job-3": "restore awsbackup:job-3 into prod-drill",
		"rds:shop-2026-01-02": "restore rds:shop-2026-01-02 into prod-drill", "by-hand": "restore by-hand into prod-drill",
		"awsbackup:job-5": "there is no available snapshot awsbackup:job-5",
	} {
		args := []string{"prod"}
		if asked != "" {
			args = append(args, asked)
		}
		said, err := run(t, "drill", []string{"REPORT=" + filepath.Join(t.TempDir(), "report.md")}, map[string]string{
			"aws": aws,
			// The stack can't be made: what the drill restores is known by then.
			"pulumi": `case "$*" in
"config get --stack prod aws:region") echo eu-west-1 ;;
"stack output databaseIdentifier --stack prod") echo shop-prod-database ;;
*) exit 9 ;;
esac`,
		}, args...)
		require.Error(t, err)
		assert.Contains(t, said, want, "SNAPSHOT=%s", asked)
	}
}

// What is left of a drill is a copy of the data.
func TestDrillPassesWithTheWantedRowsAloneAndLeavesNothing(t *testing.T) {
	const gone = "exit 254"
	for _, c := range []struct{ rows, instance, want string }{
		{`{"table": "orders", "rows": 1000}`, gone, "# Restore drill of prod: passed"},
		{`{"table": "orders", "rows": 999}`, gone, "orders has 999 rows, want 1000"},
		{`{"table": "items", "rows": 5}`, gone, "orders has no rows, want 1000"},
		{`{"table": "orders", "rows": 1000}`, "exit 0", "aws rds delete-db-instance --db-instance-identifier shop-prod-drill-database --skip-final-snapshot"},
	} {
		edits := filepath.Join(t.TempDir(), "edits")
		said, err := run(t, "drill", []string{"REPORT=" + edits + ".md"}, map[string]string{
			"pulumi": `case "$*" in
"config get --stack prod aws:region") echo eu-west-1 ;;
"stack output databaseIdentifier --stack prod") echo shop-prod-database ;;
"config get --stack prod drill:rows") echo '{"orders": 1000}' ;;
"config get --stack prod --path threetier:domain.name") echo shop.example.org ;;
"config get --stack prod --path threetier:frontend.healthHost") echo pages.internal ;;
"config get "*) exit 1 ;;
"config set-all "*) echo "$*" >` + edits + ` ;;
"stack output namespace --stack prod-drill") echo shop ;;
"stack export --stack prod-drill") exit 1 ;;
esac`,
			"aws": `case "$*" in
*describe-db-snapshots*) echo '{"DBSnapshots": [{"DBSnapshotIdentifier": "s", "SnapshotCreateTime": "2026-01-01T02:00:00+00:00", "Status": "available"}]}' ;;
*describe-db-instances*) ` + c.instance + ` ;;
esac`,
			"kubectl": `case "$*" in
*--dry-run=client*) echo '{"spec": {"template": {"spec": {"containers": [{}]}}}}' ;;
"--namespace shop get job psql-drill"*) echo '{"status": {"conditions": [{"status": "True", "type": "Complete"}]}}' ;;
logs*) echo '` + c.rows + `' ;;
*) cat >/dev/null ;;
esac`,
		}, "prod")
		assert.Equal(t, strings.HasSuffix(c.want, ": passed"), err == nil, said)
		assert.Contains(t, said, c.want)
		set, err := os.ReadFile(edits)
		require.NoError(t, err)
		assert.Contains(t, string(set), " threetier:backend.healthHost=shop.example.org", "the app may know no other name")
		assert.Equal(t, 1, strings.Count(string(set), "healthHost"), "a name that the config has stays")
	}
}

// RDS makes the log groups of a deleted instance again when it sends its last lines.
func TestDrillRemovesTheScratchLogsBeforeAndAfter(t *testing.T) {
	dir := t.TempDir()
	pulumi := `case "$*" in
"config get --stack prod aws:region") echo eu-west-1 ;;
"stack output databaseIdentifier --stack prod") echo shop-prod-database ;;
*) exit 9 ;;
esac`
	said, err := run(t, "drill", []string{"REPORT=" + filepath.Join(dir, "report.md")}, map[string]string{"pulumi": pulumi,
		"aws": "case \"$*\" in logs*) echo \"$*\" >>" + dir + "/removed ;; *describe-db-instances*) exit 254 ;; *) echo '{\"DBSnapshots\": []}' ;; esac"}, "prod")
	require.Error(t, err)
	removed, readErr := os.ReadFile(filepath.Join(dir, "removed"))
	require.NoError(t, readErr, said)
	const both = "logs delete-log-group --region eu-west-1 --log-group-name /aws/rds/instance/shop-prod-drill-database/postgresql --output json\n" +
		"logs delete-log-group --region eu-west-1 --log-group-name /aws/rds/instance/shop-prod-drill-database/upgrade --output json\n"
	assert.Equal(t, both+both, string(removed), said)

	said, err = run(t, "drill", []string{"REPORT=" + filepath.Join(dir, "report.md")}, map[string]string{"pulumi": pulumi, "aws": "echo AccessDenied >&2; exit 254"}, "prod")
	require.Error(t, err)
	assert.Contains(t, said, "failed: ")
	assert.Contains(t, said, "AccessDenied")
}
