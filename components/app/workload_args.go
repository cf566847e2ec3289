package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// DefaultRunAsUser is the uid, and the gid, of every workload: high enough to be nobody on the host.
const DefaultRunAsUser = 10001

// WritableTmp is the one directory that is always writable, since nearly every runtime wants one.
const WritableTmp = "/tmp"

// DefaultRolloutSeconds is enough for a new node to join and an app to start on it, a few times over.
const DefaultRolloutSeconds = 300

// DefaultMinReadySeconds is enough for a process to load its workers, and to be killed where they don't fit into the memory.
const DefaultMinReadySeconds = 10

// WorkloadArgs describe an image that serves HTTP: what Backend and Frontend have in common.
type WorkloadArgs struct {
	// Image is the container image, best by digest. Required.
	Image string
	// Port is where the container listens. Default: DefaultBackendPort, DefaultFrontendPort.
	Port *int
	// Command replaces the image's entrypoint. Default: the image's own.
	Command []string
	// Args replace the image's command. Default: the image's own.
	Args []string
	// HealthPath answers 2xx or 3xx when the app can serve: readiness and startup.
	// Default: DefaultBackendHealthPath, DefaultFrontendHealthPath.
	HealthPath string
	// LivePath fails only when a restart would help; it should not look at the database.
	// Default: a check that the port accepts connections.
	LivePath string
	// Replicas bound the number of pods.
	Replicas ReplicaArgs
	// Resources are what one pod gets.
	Resources ResourceArgs
	// RunAsUser is the uid and gid, for images that insist on their own. Default: DefaultRunAsUser.
	RunAsUser *int
	// WritablePaths are directories that the app writes to, empty at start. Default: WritableTmp alone, which is always there.
	WritablePaths []string
	// RolloutSeconds is how long a rollout may take before it counts as failed.
	// Default: DefaultRolloutSeconds.
	RolloutSeconds *int
	// MinReadySeconds is how long a new pod must stay ready before a rollout counts it, so that one that fails right
	// after its start fails the rollout. Default: DefaultMinReadySeconds.
	MinReadySeconds *int
	// Env are environment variables. A value that isn't a plain pulumi.String may be
	// secret, so it goes into the workload's Secret.
	Env map[string]pulumi.StringInput
	// SecretEnv are environment variables whose values go into the workload's Secret.
	SecretEnv map[string]pulumi.StringInput
	// Egress are the ways out, beside what the tier needs itself. Default: none.
	Egress []EgressArgs
}

// ReplicaArgs bound the number of pods; an autoscaler exists only where they differ.
type ReplicaArgs struct {
	// Min is the least number of pods, 1 or more. Default: the component's, lowered to Max.
	Min *int
	// Max is the largest number of pods, up to MaxReplicas. Default: the component's, raised to Min.
	Max *int
}

// ResourceArgs are what one pod gets.
type ResourceArgs struct {
	// CPU is the share that the scheduler reserves: "100m" or "2". The limit is the next
	// whole core, so a single-threaded process is never throttled. Default: the component's.
	CPU string
	// Memory is reserved and is the limit: "256Mi" or "1Gi". Default: the component's.
	Memory string
}

// workloadDefaults are a component's own values for what its args leave out.
type workloadDefaults struct {
	port        int
	healthPath  string
	minReplicas int
	maxReplicas int
	cpu         string
	memory      string
}

// Problems are what the args can't run with.
func (args WorkloadArgs) Problems() problems.List {
	var ps problems.List
	ps = append(ps, ImageConstraint.Required("image", args.Image)...)
	ps = append(ps, WorkloadPortConstraint.Problems("port", args.Port)...)
	ps = append(ps, RunAsUserConstraint.Problems("runAsUser", args.RunAsUser)...)
	ps = append(ps, RolloutSecondsConstraint.Problems("rolloutSeconds", args.RolloutSeconds)...)
	ps = append(ps, args.readyProblems()...)
	ps = append(ps, URLPathConstraint.Problems("healthPath", args.HealthPath)...)
	ps = append(ps, URLPathConstraint.Problems("livePath", args.LivePath)...)
	ps = append(ps, args.Replicas.Problems().Under("replicas")...)
	ps = append(ps, args.Resources.Problems().Under("resources")...)
	ps = append(ps, WritablePathsConstraint.Problems("writablePaths", args.WritablePaths)...)
	return append(ps, environmentProblems(args.Env, args.SecretEnv)...).Sorted()
}

// readyProblems want a rollout to have time for pods that must stay ready for a while.
func (args WorkloadArgs) readyProblems() problems.List {
	ps := MinReadySecondsConstraint.Problems("minReadySeconds", args.MinReadySeconds)
	rollout := *optional.Or(args.RolloutSeconds, DefaultRolloutSeconds)
	if len(ps) == 0 && args.MinReadySeconds != nil && *args.MinReadySeconds > rollout/3 {
		ps = append(ps, problems.Problem{
			Path: "minReadySeconds", Value: strconv.Itoa(*args.MinReadySeconds), Want: fmt.Sprintf("at most a third of rolloutSeconds (%d)", rollout),
		})
	}
	return ps
}

// Problems are what the bounds can't be.
func (args ReplicaArgs) Problems() problems.List {
	ps := MinReplicasConstraint.Problems("min", args.Min)
	ps = append(ps, MaxReplicasConstraint.Problems("max", args.Max)...)
	if len(ps) == 0 && args.Min != nil && args.Max != nil && *args.Max < *args.Min {
		ps = append(ps, problems.Problem{Path: "max", Value: strconv.Itoa(*args.Max), Want: fmt.Sprintf("min (%d) or more", *args.Min)})
	}
	return ps
}

// Problems are what Kubernetes would refuse, or what is surely a slip ("256M" for "256Mi").
func (args ResourceArgs) Problems() problems.List {
	return append(CPUConstraint.Problems("cpu", args.CPU), MemoryConstraint.Problems("memory", args.Memory)...)
}

// environmentProblems are those of env and secretEnv.
func environmentProblems(env, secretEnv map[string]pulumi.StringInput) problems.List {
	ps := envProblems("env", slices.Collect(maps.Keys(env)))
	ps = append(ps, envProblems("secretEnv", slices.Collect(maps.Keys(secretEnv)))...)
	for name := range env {
		if _, twice := secretEnv[name]; twice {
			ps = append(ps, problems.Problem{Path: "env." + name, Value: "in secretEnv too", Want: "it in one of the two"})
		}
	}
	return ps
}

// commandProblems refuse a command without a first word; none where there is no command.
func commandProblems(c constraint.List, key string, command []string) problems.List {
	if command == nil || len(command) > 0 && command[0] != "" {
		return nil
	}
	return problems.List{{Path: key, Value: "empty", Want: c.Want}}
}

// envProblems names no value: it could be secret.
func envProblems(key string, names []string) problems.List {
	var ps problems.List
	for _, name := range names {
		ps = append(ps, envNames.Check(key, name)...)
	}
	return ps
}

// sets tells whether env or secretEnv has a variable.
func (args WorkloadArgs) sets(name string) bool {
	return args.Env[name] != nil || args.SecretEnv[name] != nil
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

// wholeCores is the CPU limit: the request, rounded up.
func wholeCores(cpu string) int { return (milliCPU(cpu) + 999) / 1000 }

// withDefaults fills in what the args leave out; the args themselves stay as they are.
func (args WorkloadArgs) withDefaults(d workloadDefaults) WorkloadArgs {
	args.Port = optional.Or(args.Port, d.port)
	args.RunAsUser = optional.Or(args.RunAsUser, DefaultRunAsUser)
	args.RolloutSeconds = optional.Or(args.RolloutSeconds, DefaultRolloutSeconds)
	args.MinReadySeconds = optional.Or(args.MinReadySeconds, min(DefaultMinReadySeconds, *args.RolloutSeconds/3))
	args.HealthPath = cmp.Or(args.HealthPath, d.healthPath)
	args.Replicas = args.Replicas.withDefaults(d.minReplicas, d.maxReplicas)
	args.Resources = args.Resources.withDefaults(d.cpu, d.memory)
	if !slices.Contains(args.WritablePaths, WritableTmp) {
		args.WritablePaths = append([]string{WritableTmp}, args.WritablePaths...)
	}
	return args
}

// autoscaled tells whether the bounds differ; both are known.
func (args ReplicaArgs) autoscaled() bool { return *args.Min != *args.Max }

// withDefaults lets a bound that is given move the other one.
func (args ReplicaArgs) withDefaults(low, high int) ReplicaArgs {
	switch {
	case args.Min != nil && args.Max != nil:
		low, high = *args.Min, *args.Max
	case args.Min != nil:
		low, high = *args.Min, max(high, *args.Min)
	case args.Max != nil:
		low, high = min(low, *args.Max), *args.Max
	}
	return ReplicaArgs{Min: &low, Max: &high}
}

func (args ResourceArgs) withDefaults(cpu, memory string) ResourceArgs {
	return ResourceArgs{CPU: cmp.Or(args.CPU, cpu), Memory: cmp.Or(args.Memory, memory)}
}
