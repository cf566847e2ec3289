package account

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/state"
)

// changed asks for a modification that may be refused.
func (f *fixture) changed(id string, inputs props) *state.Error {
	f.Helper()
	return f.call("PATCH", "/resources/"+state.KindInstance+"?id="+url.QueryEscape(id), Request{Inputs: inputs}).Error
}

func (f *fixture) refusedWith(err *state.Error, code, words string) {
	f.Helper()
	if err == nil || err.Code != code || !strings.Contains(err.Message, words) {
		f.Errorf("got %v, want %s with %q", err, code, words)
	}
}

func (f *fixture) output(id, name string) any {
	f.Helper()
	return f.call("GET", "/resources/"+state.KindInstance+"?id="+url.QueryEscape(id), Request{}).Outputs[name]
}

func TestStorageGrowsByItselfAndNeverShrinks(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", props{"storageType": "gp3", "maxAllocatedStorage": 100})
	id := f.create(state.KindInstance, inputs).ID
	if f.output(id, "iops") != 3000.0 || f.output(id, "storageThroughput") != 125.0 {
		t.Errorf("iops %v, throughput %v", f.output(id, "iops"), f.output(id, "storageThroughput"))
	}
	f.act("storage", props{"allocatedStorage": 50})
	if have := f.output(id, "allocatedStorage"); have != 50.0 {
		t.Errorf("the storage is %v", have)
	}
	const combination = "InvalidParameterCombination"
	f.refusedWith(f.changed(id, state.Merge(inputs, props{"allocatedStorage": 30})), combination,
		"Invalid storage size for engine name postgres and storage type gp3: 30")
	for _, most := range []any{40, 50, nil} {
		f.refusedWith(f.changed(id, state.Merge(inputs, props{"maxAllocatedStorage": most})), combination,
			"Max storage size must be greater than storage size")
	}
	f.refusedWith(f.changed(id, state.Merge(inputs, props{"allocatedStorage": 400, "maxAllocatedStorage": 1000})), combination,
		"Invalid iops value for engine name postgres and storage type gp3: 3000")
	f.update(state.KindInstance, id, state.Merge(inputs, props{"maxAllocatedStorage": 60}))
	if have := f.output(id, "allocatedStorage"); have != 50.0 {
		t.Errorf("a size that wasn't asked for again is %v", have)
	}
	f.update(state.KindInstance, id, state.Merge(inputs, props{"allocatedStorage": 400, "maxAllocatedStorage": 1000, "iops": 12000}))
	if f.output(id, "allocatedStorage") != 400.0 || f.output(id, "storageThroughput") != 500.0 {
		t.Errorf("storage %v, throughput %v", f.output(id, "allocatedStorage"), f.output(id, "storageThroughput"))
	}
}

func TestRestoredInstanceIsLeftWhereItsModificationIsRefused(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", props{"maxAllocatedStorage": 100, "storageType": "gp3"})
	f.create(state.KindInstance, inputs)
	f.mustQuery("shop", "CREATE TABLE items AS SELECT 7 AS id; SELECT id FROM items", "7")
	f.act("storage", props{"allocatedStorage": 50})
	f.act("snapshots", props{"snapshotIdentifier": "big"})
	f.create(rds.KindParameterGroup, props{"name": "new", "family": "postgres18", "parameters": []any{}})
	restore := func(more props) Response {
		asked := state.Merge(inputs, props{"identifier": "again", "snapshotIdentifier": "big", "deletionProtection": true}, more)
		return f.call("POST", "/resources/"+state.KindInstance, Request{Region: region, Owner: "urn", Inputs: asked})
	}
	f.refusedWith(restore(props{"engineVersion": "18", "parameterGroupName": "new"}).Error, "InvalidParameterCombination",
		"The parameter group new with DBParameterGroupFamily postgres18 can't be used for this instance.")
	if d := f.describe("again"); d.Identifier != "" {
		t.Error("an instance is left by a refused restore")
	}
	half := restore(nil)
	f.refusedWith(half.Error, "InvalidParameterCombination",
		"Invalid storage size for engine name postgres and storage type gp3: 20")
	d := f.describe("again")
	if half.ID == "" || d.ResourceID != half.ID || !d.DeletionProtection {
		t.Errorf("the restored instance is %+v, the answer %+v", d, half)
	}
	whole := restore(props{"allocatedStorage": 50})
	if whole.Error != nil || whole.ID != half.ID {
		t.Errorf("the corrected restore got %q, %v", whole.ID, whole.Error)
	}
	f.mustQuery("again", "SELECT id FROM items", "7")
}

func TestMajorUpgradeWantsATargetOfTheSameRoundOrLater(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", props{"engineVersion": "16", "allowMajorVersionUpgrade": true})
	id := f.create(state.KindInstance, inputs).ID
	if have := f.output(id, "engineVersionActual"); have != "16.10" {
		t.Errorf("16 stands for %v", have)
	}
	f.act("maintenance", nil) // minors are installed by RDS
	f.refusedWith(f.changed(id, state.Merge(inputs, props{"engineVersion": "17"})), "InvalidParameterCombination",
		"Cannot upgrade postgres from 16.13 to 17.6")
	f.refusedWith(f.changed(id, state.Merge(inputs, props{"engineVersion": "16.8"})), "InvalidParameterCombination",
		"Cannot find upgrade path from 16.13 to 16.8.")
	f.update(state.KindInstance, id, state.Merge(inputs, props{"engineVersion": "17.9"}))
	if have := f.output(id, "engineVersionActual"); have != "17.9" {
		t.Errorf("upgraded to %v", have)
	}
	f.update(state.KindInstance, id, state.Merge(inputs, props{"engineVersion": "17"}))
	if have := f.output(id, "engineVersionActual"); have != "17.9" {
		t.Errorf("the major alone made it %v", have)
	}
}

func TestProtectedReplicaIsNotDeleted(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	reader := props{"identifier": "reader", "replicateSourceDb": "shop", "instanceClass": "db.t4g.micro", "deletionProtection": true}
	id := f.create(state.KindInstance, reader).ID
	f.refusedWith(f.remove(state.KindInstance, id, reader), "InvalidParameterCombination", "Cannot delete protected DB Instance")
	f.update(state.KindInstance, id, state.Merge(reader, props{"deletionProtection": false}))
	if err := f.remove(state.KindInstance, id, reader); err != nil {
		t.Error(err)
	}
}

func TestSpeedOfAStripedVolumeKeepsToItsRangesAndRatios(t *testing.T) {
	f := newFixture(t)
	refused := func(more props, code, words string) {
		t.Helper()
		inputs := f.instanceInputs("shop", state.Merge(props{"storageType": "gp3", "allocatedStorage": 400, "storageEncrypted": true}, more))
		f.refusedWith(f.call("POST", "/resources/"+state.KindInstance, Request{Region: region, Owner: "urn", Inputs: inputs}).Error, code, words)
	}
	const combination, value = "InvalidParameterCombination", "InvalidParameterValue"
	refused(props{"allocatedStorage": 399, "iops": 12000}, combination, "a storage size less than 400")
	refused(props{"iops": 11999}, combination, "Invalid iops value for engine name postgres and storage type gp3: 11999")
	refused(props{"allocatedStorage": 2000, "iops": 64001}, combination, "Invalid iops value")
	refused(props{"iops": 20001}, combination, "Invalid iops to storage (GB) ratio")
	refused(props{"storageThroughput": 499}, combination, "Invalid storage throughput value")
	refused(props{"storageThroughput": 3001}, combination, "Invalid storage throughput to iops ratio")
	refused(props{"backupWindow": "3:00-4:00"}, value, "PreferredBackupWindow")
	refused(props{"maintenanceWindow": "sun:3:00-sun:4:00"}, value, "PreferredMaintenanceWindow")
	refused(props{"maintenanceWindow": "sun:03:00-sun:03:20"}, value, "must be at least 30 minutes")
	refused(props{"maintenanceWindow": "sun:23:30-mon:00:15", "backupWindow": "00:00-00:30"}, value, "must not overlap")
	refused(props{"kmsKeyId": "alias/shop"}, "KMSKeyNotAccessibleFault", "alias/shop")
	refused(props{"kmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/0123"}, "KMSKeyNotAccessibleFault", "us-east-1")
	refused(props{"kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/0123", "storageEncrypted": false}, combination, "without enabling encryption")
	refused(props{"engineVersion": "13", "engineLifecycleSupport": "open-source-rds-extended-support-disabled"}, combination, "standard support ended on 2026-02-28")

	fine := props{"storageType": "gp3", "allocatedStorage": 400, "iops": 16000, "storageThroughput": 1000, "storageEncrypted": true,
		"kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/0123", "maintenanceWindow": "sun:03:15-sun:03:45", "backupWindow": "04:00-05:00"}
	id := f.create(state.KindInstance, f.instanceInputs("shop", fine)).ID
	for name, want := range fine {
		if have := f.output(id, name); fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, have, want)
		}
	}
}
