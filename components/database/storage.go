package database

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/problems"
)

// RDS stripes a gp3 volume of PostgreSQL from 400 GiB on, and gives it at least these. An update that raises the size
// alone sends the 3,000 IOPS of the smaller volume with it, and is refused.
// https://github.com/hashicorp/terraform-provider-aws/issues/28382
const (
	stripedStorageGiB    = 400
	stripedIOPS          = 12000
	stripedThroughputMiB = 500
)

// The ratios that RDS holds IOPS to.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html, Iops: 0.5 to 50 per GiB.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ValidStorageOptions.html: throughput 0 to 0.25 per IOPS.
const (
	mostIOPSPerGiB   = 50
	mostGiBPerIOPS   = 2
	leastIOPSPerMiBs = 4
)

// setStorage gives the volume its size. It returns the inputs that count for less than what the volume has grown to.
func (b *builder) setStorage(args *rds.InstanceArgs) (ignored []string) {
	size := b.args.StorageGiB
	if b.present.snapshot != nil {
		// A volume never shrinks: RDS refuses a size below the snapshot's, once the instance is there.
		size = max(size, b.present.snapshot.AllocatedStorage)
	}
	if b.present.instance != nil && b.present.instance.AllocatedStorage > size {
		size = b.present.instance.AllocatedStorage
		ignored = []string{"allocatedStorage", "iops", "storageThroughput"}
	}
	args.AllocatedStorage = pulumi.Int(size)
	if size >= stripedStorageGiB {
		args.Iops = pulumi.Int(cmp.Or(b.args.IOPS, stripedIOPS))
		args.StorageThroughput = pulumi.Int(cmp.Or(b.args.ThroughputMiBs, stripedThroughputMiB))
	}
	return ignored
}

// given is an input that is left out where nobody asked for it.
func given(value int) pulumi.IntPtrInput {
	if value == 0 {
		return nil
	}
	return pulumi.Int(value)
}

// speedProblems hold IOPS and throughput to the size, and to each other.
func (args DatabaseArgs) speedProblems() (ps problems.List) {
	size, iops := args.StorageGiB, cmp.Or(args.IOPS, stripedIOPS)
	hold := func(path string, value int, within constraint.Number, format string, by int) {
		switch {
		case value == 0:
		case size < stripedStorageGiB:
			ps = append(ps, problems.Problem{
				Path: path, Value: strconv.Itoa(value),
				Want: fmt.Sprintf("storageGiB %d or more beside it: RDS sets the speed of a smaller volume itself", stripedStorageGiB),
			})
		default:
			ps = append(ps, where(within.Problems(path, &value), format, by)...)
		}
	}
	hold("iops", args.IOPS, constraint.Number{
		Min: max(stripedIOPS, size/mostGiBPerIOPS), Max: min(maxIOPS, size*mostIOPSPerGiB),
	}, "storageGiB is %d", size)
	hold("throughputMiBs", args.ThroughputMiBs, constraint.Number{
		Min: stripedThroughputMiB, Max: min(maxThroughputMiBs, iops/leastIOPSPerMiBs),
	}, "iops is %d", iops)
	return ps
}
