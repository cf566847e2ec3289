//go:build e2e && slow

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSlowMajorUpgradeKeepsTheRowsAndLeavesThreeSteps(t *testing.T) {
	t.Parallel()
	s := newRolesStack(t, "upgraded")
	s.set(t, "database", `engineVersion: "15"`)
	s.set(t, "database", `parameters: { work_mem: "8192" }`)
	s.up(t)
	ask := func(sql string) string {
		t.Helper()
		return strings.TrimSpace(must(t, "echo %q | bin/psql %s -tA", sql, s.name))
	}
	l := startLoadOf(s.site, 20, orders)
	eventually(t, time.Minute, "orders before the upgrade", func() bool { return l.sent() > 200 })
	const about = "select current_setting('server_version_num')::int / 10000, current_setting('work_mem')," +
		" (select extversion from pg_extension where extname = 'pg_stat_statements')," +
		" (select count(*) > 0 from pg_stats where tablename = 'orders')"
	if before := ask(about); !strings.HasPrefix(before, "15|8MB|1.10|") {
		t.Fatalf("before the upgrade: %s", before)
	}

	s.set(t, "database", `engineVersion: "17"`)
	s.allow(t, "database", "upgrade to 17")
	began := time.Now()
	s.up(t)
	failed := len(l.failed())
	t.Logf("the up took %s, of %d requests %d failed", time.Since(began).Round(time.Second), l.sent(), failed)
	if failed == 0 {
		t.Error("no request failed while the database was away, want it to be away for real")
	}
	sent := l.sent()
	eventually(t, time.Minute, "answers after the upgrade", func() bool { return l.sent() > sent+100 && len(l.failed()) < failed+100 })
	l.end()
	if kept := ask(fmt.Sprintf("select count(*) >= %d from orders", len(l.added()))); kept != "t" {
		t.Errorf("there are fewer orders than the %d that the site stored", len(l.added()))
	}
	// Autovacuum may be quick with the table that has changed since.
	if after := ask(about); !strings.HasPrefix(after, "17|4MB|1.10|") {
		t.Errorf("after the upgrade: %s, want the group to wait and the extension to be old", after)
	}
	if out := must(t, "make status STACK=%s", s.name); !strings.Contains(out, "parameters: pending-reboot") {
		t.Errorf("make status doesn't say that parameters wait:\n%s", out)
	}

	out := must(t, "make after-upgrade STACK=%s", s.name)
	for _, want := range []string{"reboot, since its parameter group waits for one", "extension pg_stat_statements: 1.11, was 1.10", "tables analyzed"} {
		if !strings.Contains(out, want) {
			t.Errorf("make after-upgrade lacks %q:\n%s", want, out)
		}
	}
	if after := ask(about); after != "17|8MB|1.11|t" {
		t.Errorf("after the three steps: %s", after)
	}
	again := must(t, "make after-upgrade STACK=%s", s.name)
	for _, want := range []string{"its parameters are in effect", "none is older than the server's"} {
		if !strings.Contains(again, want) {
			t.Errorf("the second make after-upgrade lacks %q:\n%s", want, again)
		}
	}
	s.disallow(t, "upgrade to 17")
	s.up(t) // the state forgets that the upgrade was allowed; AWS is asked for nothing
	s.wantsNothing(t, "the upgrade and its steps")
}
