package account

import (
	"strings"
	"testing"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/state"
)

// oldest is an instance of PostgreSQL 15 with a table, an extension and the planner's statistics.
func (f *fixture) oldest() (id string, inputs props) {
	f.Helper()
	f.create(rds.KindParameterGroup, props{"name": "old", "family": "postgres15", "parameters": []any{props{"name": "work_mem", "value": "5000"}}})
	f.create(rds.KindParameterGroup, props{"name": "new", "family": "postgres17", "parameters": []any{props{"name": "work_mem", "value": "6000"}}})
	inputs = f.instanceInputs("shop", props{"engineVersion": "15", "parameterGroupName": "old"})
	id = f.create(state.KindInstance, inputs).ID
	f.mustQuery("shop", "CREATE EXTENSION pg_stat_statements; CREATE TABLE items AS SELECT generate_series(1, 1000) AS id; ANALYZE items; SELECT 1", "1")
	return id, state.Merge(inputs, props{"engineVersion": "17", "parameterGroupName": "new", "allowMajorVersionUpgrade": true})
}

const (
	major      = "SELECT current_setting('server_version_num')::int / 10000"
	statistics = "SELECT count(*) FROM pg_stats WHERE tablename = 'items'"
	extension  = "SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements'"
)

func TestMajorUpgradeIsReal(t *testing.T) {
	f := newFixture(t)
	id, next := f.oldest()
	f.create(state.KindInstance, props{"identifier": "reader", "replicateSourceDb": "shop", "instanceClass": "db.t4g.micro",
		"vpcSecurityGroupIds": next["vpcSecurityGroupIds"]})
	f.mustQuery("shop", major, "15")
	f.mustQuery("shop", statistics, "1")
	f.mustQuery("shop", extension, "1.10")
	f.mustQuery("shop", "SHOW work_mem", "5000kB")

	f.update(state.KindInstance, id, next)
	f.mustQuery("shop", major, "17")
	f.mustQuery("shop", "SELECT sum(id) FROM items", "500500")
	f.mustQuery("reader", major, "17")
	f.mustQuery("reader", "SELECT sum(id) FROM items", "500500")
	// What RDS leaves to its user.
	f.mustQuery("shop", statistics, "0")
	f.mustQuery("shop", extension, "1.10")
	f.mustQuery("shop", "SHOW work_mem", "4MB")
	if !f.describe("shop").PendingReboot {
		t.Error("the new parameter group is in effect, want it to wait for a reboot")
	}

	f.act("reboot", nil)
	f.mustQuery("shop", "SHOW work_mem", "6000kB")
	f.mustQuery("shop", "ANALYZE items; ALTER EXTENSION pg_stat_statements UPDATE; "+statistics, "1")
	f.mustQuery("shop", extension, "1.11")
	if d := f.describe("shop"); d.PendingReboot || !strings.HasPrefix(d.Version, "17.") {
		t.Errorf("after the reboot: pending %v, PostgreSQL %s", d.PendingReboot, d.Version)
	}
}

func TestUpgradeThatFailsLeavesTheInstanceAsItWas(t *testing.T) {
	f := newFixture(t)
	id, next := f.oldest()
	f.mustQuery("shop", "CREATE TABLE hindrance (name regproc); SELECT 1", "1")
	f.refusedWith(f.changed(id, next), "UpgradeFailure", "shop runs PostgreSQL 15.14 again: pg_upgrade from 15.")
	f.mustQuery("shop", major, "15")
	f.mustQuery("shop", "SHOW work_mem", "5000kB")
	f.mustQuery("shop", "DROP TABLE hindrance; SELECT 1", "1")
	f.update(state.KindInstance, id, next)
	f.mustQuery("shop", "SELECT current_setting('server_version_num')::int / 10000, sum(id) FROM items", "17|500500")
}
