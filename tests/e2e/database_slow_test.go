//go:build e2e && slow

package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestSlowSecondDeletionLeavesASecondSnapshot(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "deleted-twice", "prod")
	for range 2 {
		s.up(t)
		deleteForGood(t, s)
	}
}

// The rotation is killed at three points, and its migration fails once in between: every time the site serves, and the
// next up ends it.
func TestSlowInterruptedRotationServesOn(t *testing.T) {
	t.Parallel()
	s := newRolesStack(t, "interrupted-roles")
	s.up(t)
	s.set(t, "database", "passwordVersion: 2")
	l := startLoadOf(s.site, 20, orders)
	running := func(what string) func() bool {
		return func() bool {
			names, err := shell(".local/bin/local exec -- kubectl --namespace " + namespace(s.name) + " get " + what)
			return err == nil && strings.TrimSpace(names) != ""
		}
	}
	jobs := func(label string) string {
		return "pods -l app.kubernetes.io/name=" + label + " --field-selector=status.phase!=Succeeded -o name"
	}
	kill(t, s.command("up"), "the roles are being made", running(jobs("database-roles")))
	l.stillAnswers(t, "a kill in the roles Job")
	edit(t, s.config, "migrate: [python3, /srv/shop/migrate.py]", "migrate: [python3, -c, 'raise SystemExit(7)']")
	if out := refused(t, "%s", s.command("up")); !strings.Contains(out, "backend-migrate") {
		t.Errorf("the failed up doesn't name the migration:\n%s", out)
	}
	l.stillAnswers(t, "a migration that failed")
	edit(t, s.config, "migrate: [python3, -c, 'raise SystemExit(7)']", "migrate: [python3, /srv/shop/migrate.py]")
	kill(t, s.command("up"), "the migration runs", running(jobs("backend-migration")+" --sort-by=.metadata.creationTimestamp"))
	l.stillAnswers(t, "a kill in the migration")
	old := loginOf(t, s)
	kill(t, s.command("up"), "new pods serve beside the old ones", func() bool { return len(pods(t, s.name, "backend")) > 2 })
	l.stillAnswers(t, "a kill in the rollout")
	s.up(t)
	l.lostNothing(t, 500)
	if now := loginOf(t, s); now.user != "threetier_b" {
		t.Errorf("the app's login is %s", now.user)
	}
	if out, err := psqlTo(s.instances(t)[0].Address, "shop", "threetier_a", old.password, "select 1"); err == nil || !strings.Contains(out, "is not permitted to log in") {
		t.Errorf("the old login: %v: %s, want it locked", err, out)
	}
	s.upChangesNothing(t)
}

// stillAnswers wants some more good answers.
func (l *load) stillAnswers(t *testing.T, after string) {
	t.Helper()
	sent := l.sent.Load()
	eventually(t, time.Minute, "answers after "+after, func() bool { return l.sent.Load() > sent+20 })
	if failed := l.failed(); len(failed) > 0 {
		t.Errorf("after %s %d requests have failed, the first: %s", after, len(failed), failed[0])
	}
}
