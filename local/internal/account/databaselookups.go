package account

import (
	"fmt"
	"strings"
)

// getInstances lists the database instances, all of them: filters and tags are not followed.
func getInstances(a *Account, c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids, arns := []string{}, []string{}
	for _, rec := range a.store.all(kindInstance) {
		ids = append(ids, rec.Instance.Identifier)
		arns = append(arns, arn("rds", c.region, "db:"+rec.Instance.Identifier))
	}
	return map[string]any{"id": c.region, "instanceIdentifiers": ids, "instanceArns": arns}, nil
}

// getInstance answers with the version that runs and the size that the storage has: a resource's may be older.
func getInstance(a *Account, c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rec := a.instanceByName(text(c.inputs, "dbInstanceIdentifier"))
	if rec == nil {
		return nil, refuse("DBInstanceNotFound", "DBInstance %s not found.", text(c.inputs, "dbInstanceIdentifier"))
	}
	view := a.viewInstance(rec)
	return map[string]any{
		"id": rec.Instance.Identifier, "dbInstanceIdentifier": rec.Instance.Identifier, "dbInstanceArn": view["arn"],
		"resourceId": rec.ID, "address": view["address"], "port": rec.Instance.Port, "engine": "postgres",
		"engineVersion": a.versionOf(rec), "dbInstanceClass": view["instanceClass"], "dbName": text(rec.Inputs, "dbName"),
		"masterUsername": text(rec.Inputs, "username"), "multiAz": view["multiAz"], "allocatedStorage": rec.storage(),
		"maxAllocatedStorage": number(rec.Inputs, "maxAllocatedStorage"), "storageType": view["storageType"],
		"storageEncrypted": view["storageEncrypted"], "iops": view["iops"], "tags": tagsOf(rec.Inputs),
		"replicateSourceDb": text(rec.Inputs, "replicateSourceDb"), "availabilityZone": view["availabilityZone"],
	}, nil
}

func getSnapshot(a *Account, c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := text(c.inputs, "dbSnapshotIdentifier")
	snap := a.store.get(kindSnapshot, name[strings.LastIndex(name, ":")+1:])
	if snap == nil {
		return nil, refuse("DBSnapshotNotFound", "DBSnapshot not found: %s", name)
	}
	return map[string]any{
		"id": snap.ID, "dbSnapshotIdentifier": snap.ID, "dbInstanceIdentifier": snap.Snapshot.Source,
		"dbSnapshotArn": arn("rds", c.region, "snapshot:"+snap.ID), "engine": "postgres",
		"engineVersion": snap.Snapshot.Version, "allocatedStorage": number(snap.Inputs, "allocatedStorage"),
		"status": snap.Snapshot.Status, "snapshotType": snap.Snapshot.Type, "storageType": text(snap.Inputs, "storageType"),
		"encrypted": truth(snap.Inputs, "storageEncrypted"), "port": number(snap.Inputs, "port"),
	}, nil
}

// getEngineVersion knows versions by their full name alone.
func getEngineVersion(_ *Account, c *call) (map[string]any, error) {
	version := text(c.inputs, "version")
	if text(c.inputs, "engine") != "postgres" || roundOf(version) < 0 {
		return nil, refuse("InvalidParameterValue", "no RDS engine versions match the criteria: %s %s", text(c.inputs, "engine"), version)
	}
	minors, majors := []string{}, []string{}
	for _, round := range rounds {
		for major, minor := range round {
			target := fmt.Sprintf("%d.%d", major, minor)
			switch {
			case target == version || checkUpgrade(version, target) != nil:
			case major == majorOf(version):
				minors = append(minors, target)
			default:
				majors = append(majors, target)
			}
		}
	}
	return map[string]any{
		"id": version, "engine": "postgres", "version": version, "versionActual": version, "status": "available",
		"parameterGroupFamily": fmt.Sprintf("postgres%d", majorOf(version)), "validMinorTargets": minors,
		"validMajorTargets": majors, "validUpgradeTargets": append(minors, majors...),
	}, nil
}

// getOrderableDbInstance offers every class that there is, in its newest version.
func getOrderableDbInstance(_ *Account, c *call) (map[string]any, error) {
	class := text(c.inputs, "instanceClass")
	if text(c.inputs, "engine") != "postgres" || classMemory(class) == 0 {
		return nil, refuse("InvalidParameterValue", "no RDS DB Instance Classes match the criteria; try a different search")
	}
	return map[string]any{
		"id": class, "engine": "postgres", "instanceClass": class, "storageType": text(c.inputs, "storageType"), "multiAzCapable": true,
	}, nil
}

func getSecurityGroup(a *Account, c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := text(c.inputs, "id")
	vpc := a.vpcOf(id)
	if vpc == "" {
		return nil, refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	}
	return map[string]any{"id": id, "vpcId": vpc, "arn": arn("ec2", c.region, "security-group/"+id), "name": id, "description": "",
		"tags": map[string]string{}}, nil
}
