package recorder

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// RDS is what lookups find of databases. The zero value is an account without any.
type RDS struct {
	// Instances and Snapshots are by identifier.
	Instances map[string]DBInstance
	Snapshots map[string]DBSnapshot
	// UpgradeTargets are the versions that RDS upgrades a version to.
	UpgradeTargets map[string][]string
	// NoClasses are the instance classes that the region doesn't have.
	NoClasses []string
}

// DBInstance is a database that is there before the run.
type DBInstance struct {
	// Version is the full engine version, Class the instance class.
	Version, Class string
	// StorageGiB is the size of the volume, MaxStorageGiB how far it may grow by itself.
	StorageGiB, MaxStorageGiB int
	// IOPS and ThroughputMiBs are the volume's speed.
	IOPS, ThroughputMiBs int
	// MaintenanceWindow and BackupWindow are those in force.
	MaintenanceWindow, BackupWindow string
}

// DBSnapshot is a snapshot that is there before the run.
type DBSnapshot struct {
	// Engine is postgres, or another, Version its full version.
	Engine, Version string
	// StorageGiB is the size of the volume.
	StorageGiB int
	// KMSKeyARN is the key that it is encrypted with.
	KMSKeyARN string
	// Type is what it is only found by; empty for one that somebody took by hand.
	Type string
}

func (r RDS) answer(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	text := func(key resource.PropertyKey) string {
		if value := args[key]; value.IsString() {
			return value.StringValue()
		}
		return ""
	}
	switch token {
	case "aws:rds/getInstances:getInstances":
		ids := []any{}
		for id := range r.Instances {
			ids = append(ids, id)
		}
		return properties(fields{"id": "eu-west-1", "instanceIdentifiers": ids, "instanceArns": []any{}}), nil
	case "aws:rds/getInstance:getInstance":
		if found, ok := r.Instances[text("dbInstanceIdentifier")]; ok {
			return properties(fields{
				"engineVersion": found.Version, "dbInstanceClass": found.Class,
				"allocatedStorage": found.StorageGiB, "maxAllocatedStorage": found.MaxStorageGiB,
				"iops": found.IOPS, "storageThroughput": found.ThroughputMiBs,
				"preferredMaintenanceWindow": found.MaintenanceWindow, "preferredBackupWindow": found.BackupWindow,
			}), nil
		}
	case "aws:rds/getSnapshot:getSnapshot":
		if found, ok := r.Snapshots[text("dbSnapshotIdentifier")]; ok && text("snapshotType") == found.Type {
			return properties(fields{
				"engine": found.Engine, "engineVersion": found.Version, "allocatedStorage": found.StorageGiB,
				"kmsKeyId": found.KMSKeyARN,
			}), nil
		}
	case "aws:rds/getEngineVersion:getEngineVersion":
		if targets, ok := r.UpgradeTargets[text("version")]; ok {
			list := []any{}
			for _, target := range targets {
				list = append(list, target)
			}
			return properties(fields{"version": text("version"), "validUpgradeTargets": list}), nil
		}
	case "aws:rds/getOrderableDbInstance:getOrderableDbInstance":
		if class := text("instanceClass"); !slices.Contains(r.NoClasses, class) {
			return properties(fields{"instanceClass": class}), nil
		}
	default:
		return nil, fmt.Errorf("the program is not known to look %s up", token)
	}
	return nil, fmt.Errorf("%s finds nothing for %v", token, args.Mappable())
}
