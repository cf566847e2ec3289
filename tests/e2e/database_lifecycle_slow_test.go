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

// finalSnapshots are those that the stack's database has left.
func finalSnapshots(t *testing.T, stack string) []string {
	t.Helper()
	var all []struct {
		Identifier string `json:"identifier"`
		Status     string `json:"status"`
	}
	account(t, http.MethodGet, "/snapshots", "", &all)
	var names []string
	for _, s := range all {
		if s.Status == "available" && strings.HasPrefix(s.Identifier, namespace(stack)+"-database-final-") {
			names = append(names, s.Identifier)
		}
	}
	return names
}

// A durable database ends in two steps, and what it leaves begins another.
func TestSlowDurableDatabaseOutlivesItsStackAndComesBack(t *testing.T) {
	t.Parallel()
	durable := newTestStack(t, "durable", "prod")
	durable.up(t)
	var want []string
	for i := range 5 {
		want = append(want, addItem(t, durable.site, fmt.Sprintf("kept %d", i)).Title)
	}

	var snapshot string
	t.Run("AlarmsLogGroupsAndEventsGoToTheTopic", func(t *testing.T) { isWatched(t, durable) })
	t.Run("DestroyIsRefusedWithWhatToDo", func(t *testing.T) { refusesDestroy(t, durable, want) })
	t.Run("ReplicaIsTakenAwayAndTheDatabaseStaysProtected", func(t *testing.T) { takesReplicaAway(t, durable) })
	t.Run("RetiredItIsDeletedAndLeavesASnapshot", func(t *testing.T) { snapshot = deleteForGood(t, durable) })
	if t.Failed() {
		t.FailNow()
	}

	restored := newTestStack(t, "restored", "dev")
	restored.set(t, "database", "restoreFrom: "+snapshot)
	restored.set(t, "database", "readReplicas: 1")
	restored.set(t, "backend", `databaseEnv: { DB_HOST: "{host}", DB_READER_HOST: "{readerHost}", DB_PORT: "{port}", DB_NAME: "{name}", `+
		`DB_USER: "{username}", DB_PASSWORD: "{password}", DB_SSLMODE: verify-full, DB_SSLROOTCERT: "{caFile}" }`)
	restored.up(t)
	t.Run("SnapshotIsRestoredIntoAnotherStack", func(t *testing.T) { holds(t, restored, want) })
	t.Run("ReplicaIsReadAndNotWritten", func(t *testing.T) { readsFromReplica(t, restored) })
	t.Run("RestoreIsDoneOnce", func(t *testing.T) {
		restored.wantsNothing(t, "a restore")
		restored.unset(t, "database", "restoreFrom")
		restored.wantsNothing(t, "restoreFrom was removed")
	})
}

func isWatched(t *testing.T, s *testStack) {
	const topic = "arn:aws:sns:eu-west-1:123456789012:acme-prod-alerts"
	found := map[string][]string{}
	for _, r := range state(t, s.name) {
		switch r.Type {
		case "aws:cloudwatch/metricAlarm:MetricAlarm":
			for _, actions := range []string{"alarmActions", "okActions"} {
				if fmt.Sprint(r.Inputs[actions]) != "["+topic+"]" {
					t.Errorf("%s of %s are %v, want %s", actions, r.ID, r.Inputs[actions], topic)
				}
			}
			alarm := recorded(t, "cloudwatch/metricAlarm", r.ID)
			if alarm["metricName"] == nil { // the load balancer's targets
				found["alarms"] = append(found["alarms"], "a query")
				continue
			}
			if dimensions := fmt.Sprint(alarm["dimensions"]); dimensions != "map[DBInstanceIdentifier:"+namespace("durable")+"-database]" {
				t.Errorf("the alarm %s looks at %s", r.ID, dimensions)
			}
			found["alarms"] = append(found["alarms"], fmt.Sprint(alarm["metricName"]))
		case "aws:rds/eventSubscription:EventSubscription":
			subscription := recorded(t, "rds/eventSubscription", r.ID)
			if subscription["snsTopic"] != topic {
				t.Errorf("events of %s go to %v, want %s", r.ID, subscription["snsTopic"], topic)
			}
			found["events"] = append(found["events"], fmt.Sprint(subscription["sourceType"]))
		case "aws:cloudwatch/logGroup:LogGroup":
			group := recorded(t, "cloudwatch/logGroup", r.ID)
			found["logs"] = append(found["logs"], fmt.Sprintf("%s for %v days", group["name"], group["retentionInDays"]))
		}
	}
	for what, want := range map[string][]string{
		// One more of the CPU: for a database that says nothing.
		"alarms": {"CPUUtilization", "CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "FreeableMemory", "a query"},
		// One more of the instance: for its availability.
		"events": {"db-instance", "db-instance", "db-parameter-group", "db-security-group"},
		"logs": {
			"/aws/rds/instance/" + namespace("durable") + "-database/postgresql for 30 days",
			"/aws/rds/instance/" + namespace("durable") + "-database/upgrade for 30 days",
		},
	} {
		slices.Sort(found[what])
		if !slices.Equal(found[what], want) {
			t.Errorf("the %s are %q, want %q", what, found[what], want)
		}
	}
}

func refusesDestroy(t *testing.T, s *testStack, rows []string) {
	before := state(t, s.name)
	out := refused(t, "%s", s.command("destroy"))
	for _, want := range []string{"protect", "aws:rds/instance:Instance::database", "lifecycle", "retiring"} {
		if !strings.Contains(out, want) {
			t.Errorf("the refusal doesn't say %q:\n%s", want, out)
		}
	}
	if after := state(t, s.name); len(after) != len(before) {
		t.Errorf("the refused destroy left %d of %d resources", len(after), len(before))
	}
	holds(t, s, rows)
}

// takesReplicaAway does it first as nobody should, then as the runbook says.
func takesReplicaAway(t *testing.T, s *testStack) {
	s.set(t, "database", "readReplicas: 1")
	s.up(t)
	s.set(t, "database", "readReplicas: 0")
	out := refused(t, "%s", s.command("up"))
	for _, want := range []string{
		"the read replica " + namespace("durable") + "-database-replica-1 is to be deleted", "Take a read replica away",
		"Cannot delete protected DB Instance",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the refusal doesn't say %q:\n%s", want, out)
		}
	}
	s.set(t, "database", "readReplicas: 1")
	s.shell(t, s.block(t, "how-to/database.md", `pulumi config set --stack prod --path 'threetier:database.allow["RDS.8"]'`))
	s.unset(t, "database", "readReplicas")
	if left := s.instances(t); len(left) != 1 || left[0].ReplicaOf != "" || !left[0].DeletionProtection {
		t.Errorf("the instances are %+v, want the primary alone, protected", left)
	}
	s.wantsNothing(t, "the replica was taken away")
}

// holds asks the stack's API for rows: it serves, and has them all.
func holds(t *testing.T, s *testStack, rows []string) {
	t.Helper()
	have := titles(t, s.site)
	for _, row := range rows {
		if !slices.Contains(have, row) {
			t.Errorf("the items are %q, want %q among them", have, row)
		}
	}
}

// deleteForGood deletes a durable stack as the runbook says, and returns the one snapshot that this left.
func deleteForGood(t *testing.T, s *testStack) string {
	t.Helper()
	before := finalSnapshots(t, s.name)
	s.shell(t, s.block(t, "how-to/delete.md", "pulumi config set --stack prod --path threetier:database.lifecycle retiring"))
	if instances := s.instances(t); len(instances) > 0 {
		t.Errorf("after destroy there are instances: %v", instances)
	}
	left := slices.DeleteFunc(finalSnapshots(t, s.name), func(name string) bool { return slices.Contains(before, name) })
	if len(left) != 1 {
		t.Fatalf("beside %q the final snapshots are %q, want one", before, left)
	}
	return left[0]
}

func readsFromReplica(t *testing.T, s *testStack) {
	all := s.instances(t)
	if len(all) != 2 || all[1].ReplicaOf != all[0].Identifier {
		t.Fatalf("the instances are %+v, want a primary and its replica", all)
	}
	env := kubectl(t, s.name, "exec deployment/"+deployment(t, s.name, "backend")+" -- env")
	for _, want := range []string{"DB_HOST=" + all[0].Address, "DB_READER_HOST=" + all[1].Address} {
		if !slices.Contains(strings.Split(env, "\n"), want) {
			t.Errorf("the backend's env lacks %s", want)
		}
	}
	user, secret := login(t, s.name)
	title := addItem(t, s.site, "written on the primary").Title
	var out string
	eventually(t, time.Minute, "the new row on the replica", func() bool {
		out, _ = psqlAt(all[1].Address, user, secret, "select title from items where title = '"+title+"'")
		return out == title
	})
	if out, err := psqlAt(all[1].Address, user, secret, "delete from items"); err == nil || !strings.Contains(out, "read-only transaction") {
		t.Errorf("a write on the replica: %q, %v, want it refused", out, err)
	}
}
