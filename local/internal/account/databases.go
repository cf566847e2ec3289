package account

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// getInstances finds all, or those with the tags.
func (a *service) getInstances(c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids, arns := []string{}, []string{}
	for _, rec := range a.store.all(kindInstance) {
		have := map[string][]string{"db-instance-id": {rec.Instance.Identifier}, "engine": {"postgres"}}
		for key, value := range tagsOf(rec.Inputs) {
			have["tag:"+key] = []string{value}
		}
		ok, err := filterBy(c, have)
		if err != nil {
			return nil, err
		}
		if ok && rec.Region == c.region {
			ids = append(ids, rec.Instance.Identifier)
			arns = append(arns, arn("rds", rec.Region, "db:"+rec.Instance.Identifier))
		}
	}
	return map[string]any{"id": c.region, "instanceIdentifiers": ids, "instanceArns": arns,
		"filters": c.inputs["filters"], "tags": tagsOf(c.inputs)}, nil
}

// getInstance answers with what runs: the full version, and the size that the storage has.
func (a *service) getInstance(c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rec := a.instanceByName(text(c.inputs, "dbInstanceIdentifier"))
	if rec == nil || rec.Region != c.region {
		return nil, refuse("DBInstanceNotFound", "DBInstance %s not found.", text(c.inputs, "dbInstanceIdentifier"))
	}
	out := a.viewInstance(rec)
	for name, from := range map[string]string{"dbInstanceArn": "arn", "dbInstanceClass": "instanceClass",
		"dbInstancePort": "port", "dbSubnetGroup": "dbSubnetGroupName", "engineVersion": "engineVersionActual",
		"masterUsername": "username", "preferredBackupWindow": "backupWindow", "preferredMaintenanceWindow": "maintenanceWindow",
		"vpcSecurityGroups": "vpcSecurityGroupIds"} {
		out[name] = out[from]
	}
	out["id"], out["dbInstanceIdentifier"] = rec.Instance.Identifier, rec.Instance.Identifier
	out["dbParameterGroups"] = []any{out["parameterGroupName"]}
	out["optionGroupMemberships"] = []any{out["optionGroupName"]}
	out["maxAllocatedStorage"] = number(rec.Inputs, "maxAllocatedStorage")
	out["dbClusterIdentifier"], out["timezone"] = "", ""
	return out, nil
}

// getSnapshot finds one by its name, or by its ARN in this account.
func (a *service) getSnapshot(c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := text(c.inputs, "dbSnapshotIdentifier")
	snap := a.store.get(kindSnapshot, strings.TrimPrefix(asked, arn("rds", c.region, "snapshot:")))
	if snap == nil || snap.Region != c.region || text(c.inputs, "snapshotType") != typeOf(snap.ID) {
		return nil, refuse("DBSnapshotNotFound", "DBSnapshot %s not found.", asked)
	}
	created := snap.Created.Format(time.RFC3339)
	return map[string]any{
		"id": snap.ID, "dbSnapshotIdentifier": snap.ID, "dbSnapshotArn": arn("rds", c.region, "snapshot:"+snap.ID),
		"dbInstanceIdentifier": snap.Snapshot.Source, "allocatedStorage": number(snap.Inputs, "allocatedStorage"),
		"encrypted": truth(snap.Inputs, "storageEncrypted"), "engine": "postgres", "engineVersion": snapshotVersion(snap),
		"kmsKeyId": text(snap.Inputs, "kmsKeyId"), "iops": number(snap.Inputs, "iops"), "licenseModel": "postgresql-license",
		"port": number(snap.Inputs, "port"), "status": snap.Snapshot.Status, "snapshotType": snap.Snapshot.Type,
		"storageType": fallback(snap.Inputs, "storageType", "gp2"), "vpcId": vpcID, "snapshotCreateTime": created,
		"originalSnapshotCreateTime": created, "sourceRegion": "", "sourceDbSnapshotIdentifier": "", "availabilityZone": "",
		"optionGroupName": fmt.Sprintf("default:postgres-%d", majorOf(snapshotVersion(snap))), "tags": tagsOf(snap.Inputs),
	}, nil
}

// getEngineVersion tells where a version can be upgraded to.
func getEngineVersion(c *call) (map[string]any, error) {
	version := resolve(text(c.inputs, "version"), "")
	if text(c.inputs, "engine") != "postgres" || version == "" {
		return nil, refuse("InvalidParameterCombination", "Cannot find version %s for %s", text(c.inputs, "version"),
			text(c.inputs, "engine"))
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
func getOrderableDbInstance(c *call) (map[string]any, error) {
	class := text(c.inputs, "instanceClass")
	if text(c.inputs, "engine") != "postgres" || classMemory(class) == 0 {
		return nil, refuse("InvalidParameterValue", "no RDS DB Instance Classes match the criteria; try a different search")
	}
	return map[string]any{
		"id": class, "engine": "postgres", "instanceClass": class, "storageType": text(c.inputs, "storageType"), "multiAzCapable": true,
	}, nil
}
