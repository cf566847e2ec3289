package rds

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// getInstances finds all, or those with the tags.
func (a *Service) getInstances(c *state.Call) (map[string]any, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	ids, arns := []string{}, []string{}
	for _, rec := range a.Store.All(state.KindInstance) {
		have := map[string][]string{"db-instance-id": {rec.Instance.Identifier}, "engine": {"postgres"}}
		for key, value := range state.TagsOf(rec.Inputs) {
			have["tag:"+key] = []string{value}
		}
		ok, err := state.FilterBy(c, have)
		if err != nil {
			return nil, err
		}
		if ok && rec.Region == c.Region {
			ids = append(ids, rec.Instance.Identifier)
			arns = append(arns, state.ARN("rds", rec.Region, "db:"+rec.Instance.Identifier))
		}
	}
	return map[string]any{"id": c.Region, "instanceIdentifiers": ids, "instanceArns": arns,
		"filters": c.Inputs["filters"], "tags": state.TagsOf(c.Inputs)}, nil
}

// getInstance answers with what runs: the full version, and the size that the storage has.
func (a *Service) getInstance(c *state.Call) (map[string]any, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec := a.InstanceByName(state.Text(c.Inputs, "dbInstanceIdentifier"))
	if rec == nil || rec.Region != c.Region {
		return nil, state.Refuse("DBInstanceNotFound", "DBInstance %s not found.", state.Text(c.Inputs, "dbInstanceIdentifier"))
	}
	out := a.ViewInstance(rec)
	for name, from := range map[string]string{"dbInstanceArn": "arn", "dbInstanceClass": "instanceClass",
		"dbInstancePort": "port", "dbSubnetGroup": "dbSubnetGroupName", "engineVersion": "engineVersionActual",
		"masterUsername": "username", "preferredBackupWindow": "backupWindow", "preferredMaintenanceWindow": "maintenanceWindow",
		"vpcSecurityGroups": "vpcSecurityGroupIds"} {
		out[name] = out[from]
	}
	out["id"], out["dbInstanceIdentifier"] = rec.Instance.Identifier, rec.Instance.Identifier
	out["dbParameterGroups"] = []any{out["parameterGroupName"]}
	out["optionGroupMemberships"] = []any{out["optionGroupName"]}
	out["maxAllocatedStorage"] = state.Number(rec.Inputs, "maxAllocatedStorage")
	out["dbClusterIdentifier"], out["timezone"] = "", ""
	return out, nil
}

// getSnapshot finds one by its name, or by its ARN in this account.
func (a *Service) getSnapshot(c *state.Call) (map[string]any, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	asked := state.Text(c.Inputs, "dbSnapshotIdentifier")
	snap := a.Store.Get(KindSnapshot, strings.TrimPrefix(asked, state.ARN("rds", c.Region, "snapshot:")))
	if snap == nil || snap.Region != c.Region || state.Text(c.Inputs, "snapshotType") != typeOf(snap.ID) {
		return nil, state.Refuse("DBSnapshotNotFound", "DBSnapshot %s not found.", asked)
	}
	created := snap.Created.Format(time.RFC3339)
	return map[string]any{
		"id": snap.ID, "dbSnapshotIdentifier": snap.ID, "dbSnapshotArn": state.ARN("rds", c.Region, "snapshot:"+snap.ID),
		"dbInstanceIdentifier": snap.Snapshot.Source, "allocatedStorage": state.Number(snap.Inputs, "allocatedStorage"),
		"encrypted": state.Truth(snap.Inputs, "storageEncrypted"), "engine": "postgres", "engineVersion": snapshotVersion(snap),
		"kmsKeyId": state.Text(snap.Inputs, "kmsKeyId"), "iops": state.Number(snap.Inputs, "iops"), "licenseModel": "postgresql-license",
		"port": state.Number(snap.Inputs, "port"), "status": snap.Snapshot.Status, "snapshotType": snap.Snapshot.Type,
		"storageType": state.Fallback(snap.Inputs, "storageType", "gp2"), "vpcId": recorded.VPCID, "snapshotCreateTime": created,
		"originalSnapshotCreateTime": created, "sourceRegion": "", "sourceDbSnapshotIdentifier": "", "availabilityZone": "",
		"optionGroupName": fmt.Sprintf("default:postgres-%d", majorOf(snapshotVersion(snap))), "tags": state.TagsOf(snap.Inputs),
	}, nil
}

// getEngineVersion tells where a version can be upgraded to.
func getEngineVersion(c *state.Call) (map[string]any, error) {
	version := resolve(state.Text(c.Inputs, "version"), "")
	if state.Text(c.Inputs, "engine") != "postgres" || version == "" {
		return nil, state.Refuse("InvalidParameterCombination", "Cannot find version %s for %s", state.Text(c.Inputs, "version"),
			state.Text(c.Inputs, "engine"))
	}
	minor, major := upgradeTargets(version)
	return map[string]any{
		"id": version, "engine": "postgres", "version": version, "versionActual": version, "status": "available",
		"engineDescription": "PostgreSQL", "versionDescription": "PostgreSQL " + version,
		"parameterGroupFamily": fmt.Sprintf("postgres%d", majorOf(version)), "validMinorTargets": minor,
		"validMajorTargets": major, "validUpgradeTargets": slices.Concat(minor, major),
		"exportableLogTypes": []string{"iam-db-auth-error", "postgresql", "upgrade"},
	}, nil
}

// getOrderableDbInstance offers every class that there is, in its newest version.
func getOrderableDbInstance(c *state.Call) (map[string]any, error) {
	class := state.Text(c.Inputs, "instanceClass")
	if state.Text(c.Inputs, "engine") != "postgres" || classMemory(class) == 0 {
		return nil, state.Refuse("InvalidParameterValue", "no RDS DB Instance Classes match the criteria; try a different search")
	}
	return map[string]any{
		"id": class, "engine": "postgres", "instanceClass": class, "storageType": state.Text(c.Inputs, "storageType"), "multiAzCapable": true,
	}, nil
}
