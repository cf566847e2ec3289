package awsplugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const checkout = "../../.."

func TestTableOfWhatReplacesNamesEveryTypeAndNothingUnknown(t *testing.T) {
	table, err := readReplaces(checkout)
	if err != nil || !table.by("aws:rds/instance:Instance", "dbName") || table.by("aws:rds/instance:Instance", "port") {
		t.Fatalf("the table is %v, error %v", table, err)
	}
	whole, err := os.ReadFile(filepath.Join(checkout, replacesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ from, to, want string }{
		{`"aws:iam/role:Role"`, `"aws:iam/role:Roll"`, "has no line for aws:iam/role:Role"},
		{`"identifierPrefix"`, `"prefix"`, "names prefix of aws:rds/instance:Instance"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, replacesFile)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(whole), change.from, change.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readReplaces(dir); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("got %v, want %q", err, change.want)
		}
	}
}
