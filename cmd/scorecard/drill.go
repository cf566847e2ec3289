package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// What bin/drill writes.
var (
	drillVerdict = regexp.MustCompile(`^# Restore drill of \S+: (passed|failed)\n`)
	drillEnd     = regexp.MustCompile(`(?m)^\| ended \| (\S+) \|$`)
)

// lastDrill says how the stack's last restore drill ended, and how long ago, by its report in the checkout.
func lastDrill(root, stack string, now time.Time) string {
	name := "drill-" + stack + ".md"
	report, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return fmt.Sprintf("RESTORE DRILL  %s: no report here: make drill STACK=%s, or gh run download --name drill-%s", stack, stack, stack)
	}
	verdict, end := drillVerdict.FindSubmatch(report), drillEnd.FindSubmatch(report)
	if verdict == nil || end == nil {
		return fmt.Sprintf("RESTORE DRILL  %s: %s isn't a report of a drill", stack, name)
	}
	ended, err := time.Parse(time.RFC3339, string(end[1]))
	if err != nil {
		return fmt.Sprintf("RESTORE DRILL  %s: %s ended at %s, want a time", stack, name, end[1])
	}
	return fmt.Sprintf("RESTORE DRILL  %s: %s %d days ago", stack, verdict[1], int(now.Sub(ended).Hours()/24))
}
