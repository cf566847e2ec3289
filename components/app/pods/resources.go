package pods

import (
	"cmp"
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// ResourceArgs are what one pod gets.
type ResourceArgs struct {
	// CPU is the share that the scheduler reserves: "100m" or "2". The limit is the next
	// whole core, so a single-threaded process is never throttled. Default: the component's.
	CPU string
	// Memory is reserved and is the limit: "256Mi" or "1Gi". Default: the component's.
	Memory string
}

// Problems are what Kubernetes would refuse, or what is surely a slip ("256M" for "256Mi").
func (args ResourceArgs) Problems() problems.List {
	return append(CPUConstraint.Problems("cpu", args.CPU), MemoryConstraint.Problems("memory", args.Memory)...)
}

// WithDefaults is a copy of the args with every field set.
func (args ResourceArgs) WithDefaults(cpu, memory string) ResourceArgs {
	return ResourceArgs{CPU: cmp.Or(args.CPU, cpu), Memory: cmp.Or(args.Memory, memory)}
}

// milliCPU reads a value that CPUConstraint accepts.
func milliCPU(cpu string) int {
	if milli, ok := strings.CutSuffix(cpu, "m"); ok {
		n, _ := strconv.Atoi(milli)
		return n
	}
	cores, _ := strconv.ParseFloat(cpu, 64)
	return int(cores*1000 + 0.5)
}

// WholeCores is the CPU limit: the request, rounded up.
func WholeCores(cpu string) int { return (milliCPU(cpu) + 999) / 1000 }

// MemoryMiB reads a value that MemoryConstraint accepts.
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
			"ephemeral-storage": pulumi.String(ephemeralLimit),
		},
	}
}
