//go:build e2e && slow

package e2e

import (
	"fmt"
	"net/http"
	"slices"
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
	if out, err := psqlTo(s.instances(t)[0].Address+":5432", "shop", "verify-full", "threetier_a", old.password, "select 1"); err == nil || !strings.Contains(out, "is not permitted to log in") {
		t.Errorf("the old login: %v: %s, want it locked", err, out)
	}
	s.upChangesNothing(t)
}

// stillAnswers wants some more good answers.
func (l *traffic) stillAnswers(t *testing.T, after string) {
	t.Helper()
	sent := l.sent()
	eventually(t, time.Minute, "answers after "+after, func() bool { return l.sent() > sent+20 })
	if failed := l.failed(); len(failed) > 0 {
		t.Errorf("after %s %d requests have failed, the first: %s", after, len(failed), failed[0])
	}
}

func TestSlowPasswordIsRotatedWithoutLosingARequest(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "rotated", "dev")
	s.upAsPlanned(t)
	const version = "aws:secretsmanager/secretVersion:SecretVersion"
	secret := func() string { return kubectl(t, s.name, "get secrets -o name") }
	address := s.instances(t)[0].Address
	oldUser, oldPassword := login(t, s.name)
	oldAdministrators, oldSecret, oldVersions, oldPods := administratorsPassword(t, s.name), secret(), ofType(t, s.name, version), pods(t, s.name, "backend")
	if out, err := psqlAt(address, oldUser, oldPassword, "select 1"); err != nil {
		t.Fatalf("before: %v: %s", err, out)
	}

	s.set(t, "database", "passwordVersion: 2")
	l := startLoad(s.site, 40)
	s.upAsPlanned(t)
	time.Sleep(3 * time.Second) // the last requests of the old pods
	l.end()
	failed := l.failed()
	t.Logf("%d requests, %d of them writes, %d failed", l.sent(), len(l.added()), len(failed))
	if l.sent() < 200 || len(l.added()) < 10 {
		t.Error("too few requests were answered to tell anything")
	}
	if len(failed) > 0 {
		t.Errorf("%d requests failed, the first: %s", len(failed), failed[0])
	}

	user, newPassword := login(t, s.name)
	if user == oldUser || newPassword == oldPassword || len(newPassword) != 32 {
		t.Errorf("the app's login was %s and is %s, with a password of %d characters, same: %t", oldUser, user, len(newPassword), newPassword == oldPassword)
	}
	if out, err := psqlAt(address, user, newPassword, "select count(*) from items"); err != nil {
		t.Errorf("the new password: %v: %s", err, out)
	}
	if out, err := psqlAt(address, oldUser, oldPassword, "select 1"); err == nil || !strings.Contains(out, "is not permitted to log in") {
		t.Errorf("the old login: %v: %s, want it locked", err, out)
	}
	if out, err := psqlAt(address, "app_admin", oldAdministrators, "select 1"); err == nil || !strings.Contains(out, "password authentication failed") {
		t.Errorf("the administrator's old password: %v: %s, want it refused", err, out)
	}
	newVersions := ofType(t, s.name, version)
	if len(newVersions) != len(oldVersions) {
		t.Errorf("Secrets Manager holds %v, want as many as %v", newVersions, oldVersions)
	}
	for _, v := range newVersions {
		if slices.ContainsFunc(oldVersions, func(old stateResource) bool { return old.ID == v.ID }) {
			t.Errorf("Secrets Manager still holds %s", v.ID)
		}
		if stages := fmt.Sprint(recorded(t, "secretsmanager/secretVersion", v.ID)["versionStages"]); stages != "[AWSCURRENT]" {
			t.Errorf("the new version's stages are %s", stages)
		}
	}
	if secret() == oldSecret {
		t.Errorf("the Kubernetes Secrets are still %s", oldSecret)
	}
	eventually(t, time.Minute, "the pods with the old password gone", func() bool {
		now := pods(t, s.name, "backend")
		return len(now) > 0 && len(started(oldPods, now)) == len(now)
	})
}

func (s *testStack) certify(t *testing.T, trusted bool) {
	t.Helper()
	account(t, http.MethodPost, "/instances/"+s.instances(t)[0].Identifier+"/certificate",
		fmt.Sprintf(`{"inputs": {"trusted": %t}}`, trusted), nil)
}

func TestSlowWrongCertificateFailsTheRolloutAndSaysWhy(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "certificate", "dev")
	s.up(t)
	const reason = "certificate verify failed"
	oldPods := pods(t, s.name, "backend")
	// What isn't open yet can't be opened with the wrong certificate.
	eventually(t, time.Minute, "all 6 connections of the backend open", func() bool {
		call(t, http.StatusOK, http.MethodGet, s.site+"/api/items", nil, nil)
		open, err := psql(t, s.name, "verify-full", "select count(*) from pg_stat_activity where application_name like '%-backend-%'")
		return err == nil && open == "6"
	})
	s.certify(t, false)
	defer s.certify(t, true)
	s.set(t, "backend", "env: { LOG_LEVEL: info }")
	if out := refused(t, "%s", s.command("up")); !strings.Contains(out, reason) {
		t.Errorf("the failed up doesn't say %q:\n%s", reason, out)
	}
	if left := pods(t, s.name, "backend"); len(started(left, oldPods)) > 0 {
		t.Errorf("of the old pods %v only %v are left", oldPods, left)
	}
	call(t, http.StatusOK, http.MethodGet, s.site+"/api/items", nil, nil)

	// Without a migration in the way, a new pod of the same version doesn't get ready either.
	name := deployment(t, s.name, "backend")
	kubectl(t, s.name, "scale --replicas=2 deployment/"+name)
	eventually(t, time.Minute, "the reason in a new pod's log", func() bool {
		// It fails as long as the container isn't there.
		out, _ := shell(".local/bin/local exec -- kubectl --namespace " + namespace(s.name) + " logs --tail=100 -l app.kubernetes.io/name=backend")
		return strings.Contains(out, reason)
	})
	if ready := kubectl(t, s.name, "get deployment "+name+" -o jsonpath='{.status.readyReplicas}'"); ready != "1" {
		t.Errorf("%s backend pods are ready, want the old one alone", ready)
	}

	s.certify(t, true)
	s.up(t)
	addItem(t, s.site, "written over verified TLS again")
}
