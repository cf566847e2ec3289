// platform makes what stands before the stacks: network, cluster, roles and registries.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/platform"
)

func main() {
	pulumi.Run(platform.Deploy)
}
