package app

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/problems"
)

// ProcessArgs describe a command that runs in the backend's image with the backend's environment, Secrets, files and
// network access: what Worker and Job have in common.
type ProcessArgs struct {
	// Command replaces the image's entrypoint. Required.
	Command []string
	// Resources are what one pod gets. Default: DefaultBackendCPU, DefaultBackendMemory.
	Resources pods.ResourceArgs
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
	return append(ps, pods.EnvProblems(args.Env, args.SecretEnv)...)
}

func (args ProcessArgs) withDefaults() ProcessArgs {
	args.Resources = args.Resources.WithDefaults(DefaultBackendCPU, DefaultBackendMemory)
	return args
}

// process is a tier of the workload's image for another command, with all that the workload's own pods get.
func (w *workload) process(ctx *pulumi.Context, parent pulumi.Resource, name, label string, args ProcessArgs) (pods.Set, error) {
	t := w.Set
	t.Name, t.Label = name, label
	t.Resources = args.Resources
	t.DrainSeconds = 0 // nobody sends it requests
	t.Annotations = nil
	own, err := t.Env(ctx, parent, args.Env, args.SecretEnv)
	if err != nil {
		return pods.Set{}, err
	}
	t.Container = w.baseContainer()
	t.Container.Command = pods.Strings(args.Command)
	t.Container.Env = append(pods.WithoutNames(w.env, own), own...)
	return t, nil
}

// processKind are the args of a Worker or a Job.
type processKind[T any] interface {
	Problems() problems.List
	withDefaults() T
}

func processProblems[T processKind[T]](key string, processes map[string]T) problems.List {
	var ps problems.List
	for _, name := range slices.Sorted(maps.Keys(processes)) {
		ps = append(ps, ProcessesConstraint.Names.Check(key, name)...)
		ps = append(ps, processes[name].Problems().Under(key+"."+name)...)
	}
	return ps
}

// jobNameProblems refuse the names of the program's own CronJobs, and of people's runs of them, whose end isn't watched.
func jobNameProblems(jobs map[string]JobArgs) problems.List {
	var ps problems.List
	for name := range jobs {
		if name == logins.PsqlName || strings.HasPrefix(name, logins.PsqlName+"-") {
			ps = append(ps, problems.Problem{Path: "jobs", Value: strconv.Quote(name), Want: "another name: those of make psql begin with this"})
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
