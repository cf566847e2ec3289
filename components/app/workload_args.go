package app

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// DefaultMinReadySeconds is enough for a process to load its workers, and to be killed where they don't fit into the memory.
const DefaultMinReadySeconds = 10

// WorkloadArgs describe an image that serves HTTP: what Backend and Frontend have in common.
type WorkloadArgs struct {
	// Image is the container image, best by digest. Required.
	Image string
	// Port is where the container listens. Default: DefaultBackendPort, DefaultFrontendPort.
	Port *int
	// FormerPort is the port before a change of Port: the Service and the network policies keep it open. Default: none.
	FormerPort *int
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
	Replicas pods.ReplicaArgs
	// Resources are what one pod gets.
	Resources pods.ResourceArgs
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
	ps = append(ps, pods.ImageConstraint.Required("image", args.Image)...)
	ps = append(ps, WorkloadPortConstraint.Problems("port", args.Port)...)
	ps = append(ps, FormerPortConstraint.Problems("formerPort", args.FormerPort)...)
	ps = append(ps, RunAsUserConstraint.Problems("runAsUser", args.RunAsUser)...)
	ps = append(ps, pods.RolloutSecondsConstraint.Problems("rolloutSeconds", args.RolloutSeconds)...)
	ps = append(ps, args.readyProblems()...)
	ps = append(ps, URLPathConstraint.Problems("healthPath", args.HealthPath)...)
	ps = append(ps, URLPathConstraint.Problems("livePath", args.LivePath)...)
	ps = append(ps, args.Replicas.Problems().Under("replicas")...)
	ps = append(ps, args.Resources.Problems().Under("resources")...)
	ps = append(ps, WritablePathsConstraint.Problems("writablePaths", args.WritablePaths)...)
	return append(ps, pods.EnvProblems(args.Env, args.SecretEnv)...).Sorted()
}

// formerPortProblems want a port that was another one.
func (args WorkloadArgs) formerPortProblems(byDefault int) problems.List {
	if args.FormerPort == nil || *args.FormerPort != *optional.Or(args.Port, byDefault) {
		return nil
	}
	return problems.List{{Path: "formerPort", Value: strconv.Itoa(*args.FormerPort), Want: "another one than port, or none once all pods have the new one"}}
}

// ports are where the tier may be reached: with defaults, the pods' own first.
func (args WorkloadArgs) ports() []int {
	if args.FormerPort == nil {
		return []int{*args.Port}
	}
	return []int{*args.Port, *args.FormerPort}
}

func (args WorkloadArgs) policyPorts() []pulumi.IntInput {
	var all []pulumi.IntInput
	for _, port := range args.ports() {
		all = append(all, pulumi.Int(port))
	}
	return all
}

// readyProblems want a rollout to have time for pods that must stay ready for a while.
func (args WorkloadArgs) readyProblems() problems.List {
	ps := MinReadySecondsConstraint.Problems("minReadySeconds", args.MinReadySeconds)
	rollout := *optional.Or(args.RolloutSeconds, pods.DefaultRolloutSeconds)
	if len(ps) == 0 && args.MinReadySeconds != nil && *args.MinReadySeconds > rollout/3 {
		ps = append(ps, problems.Problem{
			Path: "minReadySeconds", Value: strconv.Itoa(*args.MinReadySeconds), Want: fmt.Sprintf("at most a third of rolloutSeconds (%d)", rollout),
		})
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

func (args WorkloadArgs) sets(name string) bool {
	return args.Env[name] != nil || args.SecretEnv[name] != nil
}

// withDefaults fills in what the args leave out; the args themselves stay as they are.
func (args WorkloadArgs) withDefaults(d workloadDefaults) WorkloadArgs {
	args.Port = optional.Or(args.Port, d.port)
	args.RunAsUser = optional.Or(args.RunAsUser, pods.DefaultRunAsUser)
	args.RolloutSeconds = optional.Or(args.RolloutSeconds, pods.DefaultRolloutSeconds)
	args.MinReadySeconds = optional.Or(args.MinReadySeconds, min(DefaultMinReadySeconds, *args.RolloutSeconds/3))
	args.HealthPath = cmp.Or(args.HealthPath, d.healthPath)
	args.Replicas = args.Replicas.WithDefaults(d.minReplicas, d.maxReplicas)
	args.Resources = args.Resources.WithDefaults(d.cpu, d.memory)
	if !slices.Contains(args.WritablePaths, pods.WritableTmp) {
		args.WritablePaths = append([]string{pods.WritableTmp}, args.WritablePaths...)
	}
	return args
}
