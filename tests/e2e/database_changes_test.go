//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a database goes through while its stack serves. The changes build on one stack, for a stack of each would take
// minutes; every one works without those before it.
func TestDatabaseChangesUnderAServingStack(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "changes", "dev")
	for _, line := range []string{
		"storageGiB: 400", "maxStorageGiB: 1000", "iops: 16000", "throughputMiBs: 1000", "kmsKeyArn: " + kmsKey,
		`maintenanceWindow: "sun:03:15-sun:03:45"`, `backupWindow: "04:00-05:00"`,
	} {
		s.set(t, "database", line)
	}
	s.upAsPlanned(t)
	t.Run("WindowsKeyAndSpeedAreTheConfigs", func(t *testing.T) { hasItsOwnSettings(t, s) })
	t.Run("PasswordIsRotatedWithoutLosingARequest", func(t *testing.T) { rotates(t, s) })
	t.Run("DynamicParametersApplyAtOnceAndStaticOnesAtAReboot", func(t *testing.T) { appliesParameters(t, s) })
	t.Run("UnknownParameterIsRefusedInOneLine", func(t *testing.T) { refusesParameter(t, s) })
	t.Run("WrongCertificateFailsTheRolloutAndSaysWhy", func(t *testing.T) { refusesCertificate(t, s) })
	t.Run("MajorUpgradeWantsToBeAllowed", func(t *testing.T) { upgrades(t, s) })
}

const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"

func hasItsOwnSettings(t *testing.T, s *testStack) {
	have := recorded(t, "rds/instance", s.instances(t)[0].ResourceID)
	for name, want := range map[string]string{
		"allocatedStorage": "400", "iops": "16000", "storageThroughput": "1000", "kmsKeyId": kmsKey,
		"maintenanceWindow": "sun:03:15-sun:03:45", "backupWindow": "04:00-05:00",
	} {
		if got := fmt.Sprint(have[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	s.wantsNothing(t, "an up with windows, a key and a speed")
}

func ofType(t *testing.T, stack, kind string) []stateResource {
	t.Helper()
	return slices.DeleteFunc(state(t, stack), func(r stateResource) bool { return r.Type != kind })
}

func rotates(t *testing.T, s *testStack) {
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
	t.Logf("%d requests, %d of them writes, %d failed", l.sent.Load(), len(l.added), len(failed))
	if l.sent.Load() < 200 || len(l.added) < 10 {
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

// settings asks the server itself.
func (s *testStack) settings(t *testing.T, names ...string) []string {
	t.Helper()
	sql := "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where name in ('" + strings.Join(names, "','") + "')"
	out, err := psql(t, s.name, "verify-full", sql)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Fields(out)
}

func (s *testStack) wantsSettings(t *testing.T, when string, want ...string) {
	t.Helper()
	// A reload reaches the server's processes one after the other.
	var have []string
	eventually(t, time.Minute, fmt.Sprintf("%s %v", when, want), func() bool {
		have = s.settings(t, "max_connections", "work_mem")
		return slices.Equal(have, want)
	})
}

func appliesParameters(t *testing.T, s *testStack) {
	startTime := func() string {
		out, err := psql(t, s.name, "verify-full", "select pg_postmaster_start_time()")
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	before, begun := s.settings(t, "max_connections", "work_mem"), startTime()
	s.set(t, "database", `parameters: { work_mem: "8192", max_connections: "77" }`)
	s.up(t)
	s.wantsSettings(t, "after the up", before[0], "work_mem=8192")
	if startTime() != begun {
		t.Error("a dynamic parameter restarted the server")
	}
	if !s.instances(t)[0].PendingReboot {
		t.Error("the static parameter isn't waiting for a reboot")
	}
	s.wantsNothing(t, "an up that leaves a parameter waiting")
	account(t, http.MethodPost, "/instances/"+s.instances(t)[0].Identifier+"/reboot", "", nil)
	s.wantsSettings(t, "after the reboot", "max_connections=77", "work_mem=8192")
	if s.instances(t)[0].PendingReboot {
		t.Error("after the reboot something still waits for one")
	}
	eventually(t, time.Minute, "the site back after the reboot", func() bool {
		a, err := request(http.MethodGet, s.site+"/api/items", nil, nil)
		return err == nil && a.status == http.StatusOK
	})
}

func refusesParameter(t *testing.T, s *testStack) {
	before := s.read(t)
	defer func() { s.write(t, before) }()
	s.set(t, "database", `parameters: { work_memory: "8192" }`)
	out := refused(t, "%s", s.command("preview"))
	want := `threetier:database.parameters.work_memory is "8192", want a PostgreSQL setting that RDS lets a parameter group change`
	if strings.Count(out, want) != 1 {
		t.Errorf("the refusal is\n%s\nwant one line with %q", out, want)
	}
}

func (s *testStack) certify(t *testing.T, trusted bool) {
	t.Helper()
	account(t, http.MethodPost, "/instances/"+s.instances(t)[0].Identifier+"/certificate",
		fmt.Sprintf(`{"inputs": {"trusted": %t}}`, trusted), nil)
}

func refusesCertificate(t *testing.T, s *testStack) {
	const reason = "certificate verify failed"
	oldPods := pods(t, s.name, "backend")
	// A restart of the server closed the backend's connections: requests open those of the pool again, the readiness
	// probe its own. What isn't open yet can't be opened with the wrong certificate.
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

func upgrades(t *testing.T, s *testStack) {
	const group = "aws:rds/parameterGroup:ParameterGroup"
	version := func() string {
		return fmt.Sprint(recorded(t, "rds/instance", s.instances(t)[0].ResourceID)["engineVersion"])
	}
	kept := addItem(t, s.site, "outlives the upgrade").Title
	s.set(t, "database", `engineVersion: "18"`)
	if out := refused(t, "%s", s.command("up")); !strings.Contains(out, "allowMajorVersionUpgrade") {
		t.Errorf("the refusal doesn't name allowMajorVersionUpgrade:\n%s", out)
	}
	must(t, "cp %[1]s/logs/%[2]s-up.events.jsonl %[1]s/logs/%[2]s-up-refused.events.jsonl", home, s.name)
	if v := version(); v != "17" {
		t.Errorf("after the refusal the version is %s, want 17", v)
	}

	s.set(t, "database", "allowMajorVersionUpgrade: true")
	s.up(t)
	if v := version(); !strings.HasPrefix(v, "18.") {
		t.Errorf("after the upgrade the version is %s, want one of 18", v)
	}
	if groups := ofType(t, s.name, group); len(groups) != 1 || groups[0].Inputs["family"] != "postgres18" {
		t.Errorf("the parameter groups are %v, want one of postgres18", groups)
	}
	holds(t, s, []string{kept})

	// The new group is made before the instance changes over to it; the old one goes afterwards.
	done := map[string]int{}
	for i, e := range append(events(t, s.name, "up-refused"), events(t, s.name, "up")...) {
		if e.ResOp != nil {
			done[e.ResOp.Metadata.Op+" "+e.ResOp.Metadata.Type] = i + 1
		}
	}
	made, changed, gone := done["create "+group], done["update aws:rds/instance:Instance"], done["delete "+group]
	if made == 0 || changed < made || gone < changed {
		t.Errorf("the new group was made at event %d, the instance changed at %d, the old group went at %d: want this order", made, changed, gone)
	}
}
