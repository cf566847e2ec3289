package pods

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
)

// ResourceArgs are what one pod gets.
type ResourceArgs struct{ CPU, Memory string }

// Key has cpu and memory for defaults. The limit of CPU is the next whole core, so a single-threaded process is never
// throttled. A size in M is surely a slip for one in Mi.
func (args *ResourceArgs) Key(cpu, memory string) *keys.Key {
	return keys.Object("resources", keys.Table{
		keys.Text("cpu", &args.CPU).Unquoted().Match(`^([1-9][0-9]*m|[0-9]+(\.[0-9]{1,3})?)$`, `cores, like "100m" or "2"`).Except(`^0+(\.0+)?$`, "").
			Numbers(keys.Schema{"type": "number", "minimum": 0.001}).Default(cpu).Example("250m").
			Doc("CPU request. The limit is the request, rounded up to whole cores."),
		keys.Text("memory", &args.Memory).Match("^[1-9][0-9]*(Mi|Gi)$", `a size, like "256Mi" or "1Gi"`).Default(memory).Example("512Mi").
			Doc("Memory request and limit."),
	}).Doc("CPU and memory of one pod.")
}

// defaultDiskGiB is room for logs and temporary files.
const defaultDiskGiB = 2

// DiskKey is the limit of what a pod writes.
func DiskKey(into *int) *keys.Key {
	return keys.Number("diskGiB", into).Between(1, 1000).Default(defaultDiskGiB).Example("10").
		Doc("Limit of the disk of one pod, in GiB: writable directories and logs. A pod that writes more is evicted. The nodes must have the room.")
}

// MilliCPU reads a value that the key accepts.
func MilliCPU(cpu string) int {
	if milli, ok := strings.CutSuffix(cpu, "m"); ok {
		n, _ := strconv.Atoi(milli)
		return n
	}
	cores, _ := strconv.ParseFloat(cpu, 64)
	return int(cores*1000 + 0.5)
}

// WholeCores is the CPU limit: the request, rounded up.
func WholeCores(cpu string) int { return (MilliCPU(cpu) + 999) / 1000 }

// MemoryMiB reads a value that the key accepts.
func MemoryMiB(memory string) int {
	n, _ := strconv.Atoi(memory[:len(memory)-2])
	if strings.HasSuffix(memory, "Gi") {
		return n << 10
	}
	return n
}

func (t Set) resourceRequirements() corev1.ResourceRequirementsArgs {
	return corev1.ResourceRequirementsArgs{
		Requests: pulumi.StringMap{
			"cpu":               pulumi.String(t.Resources.CPU),
			"memory":            pulumi.String(t.Resources.Memory),
			"ephemeral-storage": pulumi.String(ephemeralRequest),
		},
		Limits: pulumi.StringMap{
			"cpu":               pulumi.String(strconv.Itoa(WholeCores(t.Resources.CPU))),
			"memory":            pulumi.String(t.Resources.Memory),
			"ephemeral-storage": pulumi.String(fmt.Sprintf("%dGi", cmp.Or(t.DiskGiB, defaultDiskGiB))),
		},
	}
}
