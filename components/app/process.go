package app

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// ProcessArgs describe a command that runs in the backend's image with the backend's environment, Secrets, files and
// network access: what Worker and Job have in common.
type ProcessArgs struct {
	// Command replaces the image's entrypoint. Required.
	Command []string
	// Resources are what one pod gets. Default: DefaultBackendCPU, DefaultBackendMemory.
	Resources ResourceArgs
	// Env are environment variables beside the backend's; they replace those of the same name. A value that isn't a plain
	// pulumi.String may be secret, so it goes into a Secret of the process.
	Env map[string]pulumi.StringInput
	// SecretEnv are environment variables whose values go into a Secret of the process.
	SecretEnv map[string]pulumi.StringInput
	// Egress are the ways out instead of the backend's; an empty list is none. Default: the backend's.
	Egress []EgressArgs
}

// Problems are what the args can't run with.
func (args ProcessArgs) Problems() problems.List {
	ps := commandProblems(CommandConstraint, "command", args.Command)
	if args.Command == nil {
		ps = CommandConstraint.Required("command", nil)
	}
	ps = append(ps, args.Resources.Problems().Under("resources")...)
	ps = append(ps, egressProblems(args.Egress, EgressToConstraint)...)
	return append(ps, environmentProblems(args.Env, args.SecretEnv)...)
}

func (args ProcessArgs) withDefaults() ProcessArgs {
	args.Resources = args.Resources.withDefaults(DefaultBackendCPU, DefaultBackendMemory)
	return args
}

// process is a tier of the workload's image for another command, with all that the workload's own pods get.
func (w *workload) process(ctx *pulumi.Context, parent pulumi.Resource, name, label string, args ProcessArgs) (tier, error) {
	t := w.tier
	t.name, t.label = name, label
	t.resources = args.Resources
	t.drainSeconds = 0 // nobody sends it requests
	t.annotations = nil
	plain, secret := splitEnv(args.Env, args.SecretEnv)
	secretName, err := t.envSecret(ctx, parent, secret)
	if err != nil {
		return tier{}, fmt.Errorf("create environment secret: %w", err)
	}
	own := append(plainEnv(plain), secretEnv(secretName, slices.Collect(maps.Keys(secret)))...)
	t.container = w.baseContainer()
	t.container.Command = stringArray(args.Command)
	t.container.Env = append(withoutNames(w.env, own), own...)
	return t, nil
}

// withoutNames are the variables that the other ones don't replace: Kubernetes takes each name once.
func withoutNames(env, others corev1.EnvVarArray) corev1.EnvVarArray {
	replaced := map[pulumi.StringInput]bool{}
	for _, variable := range others {
		replaced[variable.(corev1.EnvVarArgs).Name] = true
	}
	return slices.DeleteFunc(slices.Clone(env), func(variable corev1.EnvVarInput) bool {
		return replaced[variable.(corev1.EnvVarArgs).Name]
	})
}

// runToEnd is the template of a pod that ends by itself; annotations may be nil.
func (t tier) runToEnd(annotations pulumi.StringMap) corev1.PodTemplateSpecArgs {
	// Karpenter and EKS Auto Mode would move it to pack their nodes, half-way through.
	all := pulumi.StringMap{"karpenter.sh/do-not-disrupt": pulumi.String("true")}
	maps.Copy(all, annotations)
	return corev1.PodTemplateSpecArgs{
		Metadata: metav1.ObjectMetaArgs{Labels: t.metadata().Labels, Annotations: all},
		Spec:     t.endingPod(),
	}
}

// endingPod stays where it fails, and with it its log.
func (t tier) endingPod() corev1.PodSpecArgs {
	pod := t.podSpec()
	pod.RestartPolicy = pulumi.String("Never")
	pod.TopologySpreadConstraints = nil
	return pod
}

// processKind are the args of a Worker or a Job.
type processKind[T any] interface {
	Problems() problems.List
	withDefaults() T
}

// processProblems are those of all workers, or all jobs.
func processProblems[T processKind[T]](key string, processes map[string]T) problems.List {
	var ps problems.List
	for _, name := range slices.Sorted(maps.Keys(processes)) {
		ps = append(ps, ProcessesConstraint.Names.Check(key, name)...)
		ps = append(ps, processes[name].Problems().Under(key+"."+name)...)
	}
	return ps
}

// jobNameProblems refuse the names of the program's own CronJobs.
func jobNameProblems(jobs map[string]JobArgs) problems.List {
	var ps problems.List
	for _, name := range []string{PsqlName, PsqlName + writesSuffix} {
		if _, taken := jobs[name]; taken {
			ps = append(ps, problems.Problem{Path: "jobs", Value: strconv.Quote(name), Want: "another name: make psql has a CronJob of this one"})
		}
	}
	return ps
}

// settled is a copy with the defaults of each.
func settled[T processKind[T]](processes map[string]T) map[string]T {
	all := map[string]T{}
	for name, args := range processes {
		all[name] = args.withDefaults()
	}
	return all
}

// processes are the network's view of all jobs and workers, in the order of their labels. Without ways out of its own, one
// has the backend's.
func (args AppArgs) processes() []openTier {
	var all []openTier
	for _, name := range slices.Sorted(maps.Keys(args.Jobs)) {
		all = append(all, openTier{jobLabel(name), tierSelector(jobLabel(name)), args.Jobs[name].Egress})
	}
	for _, name := range slices.Sorted(maps.Keys(args.Workers)) {
		all = append(all, openTier{workerLabel(name), tierSelector(workerLabel(name)), args.Workers[name].Egress})
	}
	return all
}

// processLabels are those of all workers and jobs, or of those alone that have the backend's ways out.
func (args AppArgs) processLabels(all bool) []string {
	var labels []string
	for _, process := range args.processes() {
		if all || process.ways == nil {
			labels = append(labels, process.name)
		}
	}
	return labels
}

// createProcesses makes the workers and the jobs. It returns the workers' tiers, and what is there once they run.
func createProcesses(ctx *pulumi.Context, name string, backend *Backend, args AppArgs, opts ...pulumi.ResourceOption) (tiers []Tier, rollouts []pulumi.Resource, err error) {
	for _, worker := range slices.Sorted(maps.Keys(args.Workers)) {
		created, err := backend.newWorker(ctx, name+"-worker-"+worker, worker, args.Workers[worker], opts...)
		if err != nil {
			return nil, nil, err
		}
		tiers, rollouts = append(tiers, created.tier), append(rollouts, created.pods)
	}
	for _, job := range slices.Sorted(maps.Keys(args.Jobs)) {
		if _, err := backend.newJob(ctx, name+"-job-"+job, job, args.Jobs[job], opts...); err != nil {
			return nil, nil, err
		}
	}
	return tiers, rollouts, nil
}

// longestUses are those of the backend and the workers, which stop at a rollout, and of the jobs, which run on.
func (args AppArgs) longestUses(backend *Backend) uses {
	longest := uses{pods: backend.drainSeconds()}
	for _, worker := range args.Workers {
		longest.pods = max(longest.pods, *worker.StopSeconds+stopMarginSeconds)
	}
	for _, job := range args.Jobs {
		longest.jobs = max(longest.jobs, *job.TimeoutSeconds)
	}
	return longest
}
