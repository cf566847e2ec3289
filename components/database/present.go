package database

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/allow"
	"threetier/internal/problems"
)

// present is what AWS has before this run.
type present struct {
	// identifiers are those of all instances in the region.
	identifiers []string
	// instance is nil where it is to be created.
	instance *rds.LookupInstanceResult
	// snapshot is nil where there is nothing to restore from.
	snapshot *rds.LookupSnapshotResult
	// upgrade is the version that an upgrade of the major leads to; empty where none is asked for.
	upgrade string
}

// lookUpPresent finds the instance, or the snapshot to create it from.
func (b *builder) lookUpPresent(lookups ...pulumi.InvokeOption) error {
	// A list has room for none, where a lookup of one instance fails in the same way for none and for no permission.
	all, err := rds.GetInstances(b.ctx, &rds.GetInstancesArgs{}, lookups...)
	if err != nil {
		return fmt.Errorf("look up RDS instances: %w", err)
	}
	b.present.identifiers = all.InstanceIdentifiers
	identifier := b.identifier()
	if slices.Contains(all.InstanceIdentifiers, identifier) {
		b.present.instance, err = rds.LookupInstance(b.ctx, &rds.LookupInstanceArgs{DbInstanceIdentifier: &identifier}, lookups...)
		if err != nil {
			return fmt.Errorf("look up RDS instance %s: %w", identifier, err)
		}
		return errors.Join(b.lookUpClass(lookups...), b.lookUpUpgrade(lookups...))
	}
	if err := b.lookUpClass(lookups...); err != nil || b.args.RestoreFrom == "" {
		return err
	}
	shared := strings.HasPrefix(b.args.RestoreFrom, "arn:")
	b.present.snapshot, err = rds.LookupSnapshot(b.ctx, &rds.LookupSnapshotArgs{
		DbSnapshotIdentifier: &b.args.RestoreFrom, IncludeShared: &shared, SnapshotType: snapshotType(b.args.RestoreFrom),
	}, lookups...)
	if err != nil {
		return fmt.Errorf("look up snapshot %s: %w", b.args.RestoreFrom, err)
	}
	return nil
}

// snapshotType is what RDS wants to be told of a snapshot that nobody took by hand; nil for one that somebody did.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html
func snapshotType(identifier string) *string {
	_, name, shared := strings.Cut(identifier, ":snapshot:")
	if !shared {
		name = identifier
	}
	prefix, _, _ := strings.Cut(name, ":")
	if kind, given := map[string]string{"rds": "automated", "awsbackup": "awsbackup"}[prefix]; given {
		return &kind
	}
	return nil
}

// lookUpClass asks whether the region has the class where it isn't the instance's already: which families and sizes there
// are changes from year to year.
func (b *builder) lookUpClass(lookups ...pulumi.InvokeOption) error {
	class := b.args.InstanceClass
	if b.present.instance != nil && b.present.instance.DbInstanceClass == class {
		return nil
	}
	storage, latest := "gp3", true
	_, err := rds.GetOrderableDbInstance(b.ctx, &rds.GetOrderableDbInstanceArgs{
		Engine: "postgres", InstanceClass: &class, StorageType: &storage,
		PreferredInstanceClasses: []string{class}, EngineLatestVersion: &latest, // of its many versions, any will do
	}, lookups...)
	if err != nil {
		return fmt.Errorf("instanceClass is %s, want a class that %s has for PostgreSQL: %w", class, b.args.Region, err)
	}
	return nil
}

// lookUpUpgrade finds the newest version of the wanted major that RDS upgrades the instance to. The major alone stands
// for its default minor, which RDS refuses where the instance's own minor is newer than that one.
// https://github.com/terraform-aws-modules/terraform-aws-rds/issues/627
func (b *builder) lookUpUpgrade(lookups ...pulumi.InvokeOption) error {
	running := b.present.instance.EngineVersion
	if !b.args.Allow.Has(b.args.upgrade()) || majorOf(running) >= majorOf(b.args.EngineVersion) {
		return nil
	}
	deprecatedToo := true
	version, err := rds.GetEngineVersion(b.ctx, &rds.GetEngineVersionArgs{
		Engine: "postgres", Version: &running, IncludeAll: &deprecatedToo,
	}, lookups...)
	if err != nil {
		return fmt.Errorf("look up PostgreSQL %s: %w", running, err)
	}
	for _, target := range version.ValidUpgradeTargets {
		if majorOf(target) == majorOf(b.args.EngineVersion) && minorOf(target) >= minorOf(b.present.upgrade) {
			b.present.upgrade = target
		}
	}
	if b.present.upgrade == "" {
		return problems.List{{
			Path: "engineVersion", Value: strconv.Quote(b.args.EngineVersion),
			Want: fmt.Sprintf("a major that RDS upgrades PostgreSQL %s to: it offers %s", running, strings.Join(version.ValidUpgradeTargets, ", ")),
		}}.Err()
	}
	return nil
}

// majorOf is 17 for 17.9 and for 17.
func majorOf(version string) int {
	major, _, _ := strings.Cut(version, ".")
	number, _ := strconv.Atoi(major)
	return number
}

// minorOf is 9 for 17.9, and 0 for 17.
func minorOf(version string) int {
	_, minor, _ := strings.Cut(version, ".")
	number, _ := strconv.Atoi(minor)
	return number
}

// problems are what AWS would refuse halfway through a deployment, given what it has.
func (p present) problems(args DatabaseArgs) problems.List {
	if p.instance != nil {
		return slices.Concat(p.versionProblems(args), p.growthProblems(args), p.speedProblems(args), p.windowProblems(args))
	}
	return append(args.Allow.Unneeded("there is no instance yet", args.upgrade()), p.snapshotProblems(args)...)
}

func (p present) versionProblems(args DatabaseArgs) problems.List {
	running := p.instance.EngineVersion
	have, want := majorOf(running), majorOf(args.EngineVersion)
	problem := problems.Problem{Path: "engineVersion", Value: strconv.Quote(args.EngineVersion)}
	switch {
	case have == want:
		return args.Allow.Unneeded("the instance has PostgreSQL "+running+" already", args.upgrade())
	case have > want:
		problem.Want = fmt.Sprintf(`"%d" or a later one: the instance has PostgreSQL %s, and none goes back`, have, running)
	case !args.Allow.Has(args.upgrade()):
		problem.Want = allow.Or(fmt.Sprintf(`"%d", which the instance has`, have), "database.allow", args.upgrade())
	case p.instance.DbInstanceClass != args.InstanceClass:
		// RDS checks the new class against the old version: both in one step may be refused.
		problem = problems.Problem{
			Path: "instanceClass", Value: args.InstanceClass,
			Want: fmt.Sprintf("%s, which the instance has, until its engineVersion is upgraded", p.instance.DbInstanceClass),
		}
	default:
		return nil
	}
	return problems.List{problem}
}

// growthProblems are about a ceiling that a volume has grown to. RDS looks at it only where it changes.
func (p present) growthProblems(args DatabaseArgs) problems.List {
	size, ceiling := p.instance.AllocatedStorage, *args.MaxStorageGiB
	switch {
	case ceiling == p.instance.MaxAllocatedStorage || size <= args.StorageGiB:
		return nil
	case ceiling == 0:
		return problems.List{{
			Path: "maxStorageGiB", Value: "0", Want: fmt.Sprintf("storageGiB %d beside it: the volume has grown to that", size),
		}}
	case ceiling < leastMaxStorage(size):
		return problems.List{{
			Path: "maxStorageGiB", Value: strconv.Itoa(ceiling),
			Want: fmt.Sprintf("%d to %d: the volume has grown to %d GiB", leastMaxStorage(size), maxStorageGiB, size),
		}}
	}
	return nil
}

// speedProblems are about a volume that has grown: with its speed, its size is sent, which mustn't be below the present one.
func (p present) speedProblems(args DatabaseArgs) problems.List {
	size := p.instance.AllocatedStorage
	if size <= args.StorageGiB {
		return nil
	}
	var ps problems.List
	for _, speed := range []struct {
		path    string
		given   int
		present int
	}{{"iops", args.IOPS, p.instance.Iops}, {"throughputMiBs", args.ThroughputMiBs, p.instance.StorageThroughput}} {
		if speed.given != 0 && speed.given != speed.present {
			ps = append(ps, problems.Problem{
				Path: speed.path, Value: strconv.Itoa(speed.given), Want: fmt.Sprintf("storageGiB %d beside it: the volume has grown to that", size),
			})
		}
	}
	return ps
}

func (p present) snapshotProblems(args DatabaseArgs) problems.List {
	if p.snapshot == nil {
		return nil
	}
	size := max(p.snapshot.AllocatedStorage, args.StorageGiB)
	switch {
	case p.snapshot.Engine != "postgres":
		return problems.List{{
			Path: "restoreFrom", Value: args.RestoreFrom, Want: "a snapshot of postgres, this one is of " + p.snapshot.Engine,
		}}
	case majorOf(p.snapshot.EngineVersion) != majorOf(args.EngineVersion):
		return problems.List{{
			Path: "engineVersion", Value: strconv.Quote(args.EngineVersion),
			Want: fmt.Sprintf(`"%d", which the snapshot %s has`, majorOf(p.snapshot.EngineVersion), args.RestoreFrom),
		}}
	case args.KMSKeyARN != "" && args.KMSKeyARN != p.snapshot.KmsKeyId:
		return problems.List{{
			Path: "kmsKeyArn", Value: args.KMSKeyARN,
			Want: fmt.Sprintf("%s, which the snapshot %s has, or a copy of the snapshot that is encrypted with the key",
				cmp.Or(p.snapshot.KmsKeyId, "none"), args.RestoreFrom),
		}}
	case *args.MaxStorageGiB != 0 && *args.MaxStorageGiB < leastMaxStorage(size):
		return problems.List{{
			Path: "maxStorageGiB", Value: strconv.Itoa(*args.MaxStorageGiB),
			Want: fmt.Sprintf("%d to %d: the snapshot %s has %d GiB", leastMaxStorage(size), maxStorageGiB, args.RestoreFrom, size),
		}}
	}
	return nil
}
