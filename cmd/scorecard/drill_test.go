package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLastDrillIsThatOfTheReport(t *testing.T) {
	now := time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)
	for report, want := range map[string]string{
		"": "RESTORE DRILL  prod: no report here: make drill STACK=prod, or gh run download --name drill-prod",
		"# Restore drill of prod: passed\n\n| | |\n| --- | --- |\n| ended | 2026-03-02T11:00:00Z |\n": "RESTORE DRILL  prod: passed 7 days ago",
		"# Restore drill of prod: failed\n\nno rows.\n\n| ended | 2026-03-09T11:00:00Z |\n":           "RESTORE DRILL  prod: failed 0 days ago",
		"# Something else\n": "RESTORE DRILL  prod: drill-prod.md isn't a report of a drill",
	} {
		root := t.TempDir()
		if report != "" {
			if err := os.WriteFile(filepath.Join(root, "drill-prod.md"), []byte(report), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := lastDrill(root, "prod", now); got != want {
			t.Errorf("the report %q gives %q, want %q", report, got, want)
		}
	}
}
