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

// What a database goes through while its stack serves. The changes build on one stack, for a stack of each would take
// minutes; every one works without those before it.
func TestSlowDatabaseChangesUnderAServingStack(t *testing.T) {
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
	t.Run("DynamicParametersApplyAtOnceAndStaticOnesAtAReboot", func(t *testing.T) { appliesParameters(t, s) })
	t.Run("UnknownParameterIsRefusedInOneLine", func(t *testing.T) { refusesParameter(t, s) })
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

func upgrades(t *testing.T, s *testStack) {
	const group = "aws:rds/parameterGroup:ParameterGroup"
	version := func() string {
		return fmt.Sprint(recorded(t, "rds/instance", s.instances(t)[0].ResourceID)["engineVersion"])
	}
	kept := addItem(t, s.site, "outlives the upgrade").Title
	s.set(t, "database", `engineVersion: "18"`)
	if out := refused(t, "%s", s.command("up")); !strings.Contains(out, "database.allow: { upgrade to 18: … }") {
		t.Errorf("the refusal doesn't name the exception:\n%s", out)
	}
	must(t, "cp %[1]s/logs/%[2]s-up.events.jsonl %[1]s/logs/%[2]s-up-refused.events.jsonl", home, s.name)
	if v := version(); v != "17" {
		t.Errorf("after the refusal the version is %s, want 17", v)
	}

	s.allow(t, "database", "upgrade to 18")
	s.up(t)
	if v := version(); !strings.HasPrefix(v, "18.") {
		t.Errorf("after the upgrade the version is %s, want one of 18", v)
	}
	if groups := ofType(t, s.name, group); len(groups) != 1 || groups[0].Inputs["family"] != "postgres18" {
		t.Errorf("the parameter groups are %v, want one of postgres18", groups)
	}
	holds(t, s, []string{kept})
	// The exception has done its work, and isn't there for the next change.
	if out := refused(t, "%s", s.command("preview")); !strings.Contains(out, `allow.upgrade to 18 is "a test does it", want none: the instance has PostgreSQL 18`) {
		t.Errorf("the refusal doesn't say that the upgrade is through:\n%s", out)
	}
	s.disallow(t, "upgrade to 18")
	s.preview(t)

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
