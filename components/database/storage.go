package database

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// RDS stripes a gp3 volume of PostgreSQL from 400 GiB on, and gives it these at the least. An update that raises the size
// alone sends the 3,000 IOPS of the smaller volume with it, and is refused.
// https://github.com/hashicorp/terraform-provider-aws/issues/28382
const (
	stripedStorageGiB    = 400
	stripedIOPS          = 12000
	stripedThroughputMiB = 500
)

// setStorage gives the volume its size. It returns the inputs that count for less than what the volume has grown to.
func (b *builder) setStorage(args *rds.InstanceArgs) (ignored []string) {
	size := *b.args.StorageGiB
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
		args.Iops = pulumi.Int(stripedIOPS)
		args.StorageThroughput = pulumi.Int(stripedThroughputMiB)
	}
	return ignored
}
