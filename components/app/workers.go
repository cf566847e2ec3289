package app

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/component"
	"threetier/internal/keys"
)

// WorkerType is Worker's type token.
const WorkerType = "threetier:index:Worker"

// defaultStopSeconds is Kubernetes' own patience.
const defaultStopSeconds = 30

const (
	// workerStartSeconds is how long a worker must live to count as started: without a port, nothing else shows it. Kubernetes
	// wants it below the rollout's own time, so a short one has a third of that.
	workerStartSeconds = 10
	// healthEvery is between two runs of the health command, each a process of its own.
	healthEvery = 30
)

// WorkerArgs describe a long-running process that nobody sends requests to: a consumer of a queue, say.
type WorkerArgs struct {
	ProcessArgs
	Replicas      pods.ReplicaArgs
	Single        bool
	StopSeconds   int
	Ingress       []pods.IngressArgs
	HealthCommand []string
}

func (args *WorkerArgs) keys() keys.Table {
	return args.ProcessArgs.keys(
		args.Replicas.Key(1, 1),
		keys.Flag("single", &args.Single).
			Refuse(args.Single && max(args.Replicas.Min, args.Replicas.Max) > 1, "true", "false with replicas of more than one pod").Example("true").
			Doc("Never runs the process twice at once, such as a scheduler or a bot. A rollout ends the old pod before it starts the new one. "+
				"Where a node is drained or lost, the new pod waits for a lock of the database, which the old one holds. A lost connection to the database frees the lock, so the two can overlap then. The pod has one connection more for it."),
		keys.Number("stopSeconds", &args.StopSeconds).Between(1, pods.MaxTimeoutSeconds).Default(defaultStopSeconds).Example("120").
			Doc("Time that the process has after SIGTERM to finish its work in hand, in seconds."),
		keys.Texts("healthCommand", &args.HealthCommand).Command("a command, like [python3, -m, app.worker, --check]").Otherwise("none").
			Example("[python3, -m, app.worker, --check]").
			Doc("Command that succeeds in the container while the process is healthy. If it fails three times, the container is restarted."),
		pods.IngressKey(&args.Ingress),
	)
}

// Worker is a long-running process beside the backend.
type Worker struct {
	pulumi.ResourceState

	// Deployment is the Deployment's name.
	Deployment pulumi.StringOutput `pulumi:"deployment"`

	pods pulumi.Resource
	tier pods.Tier
}

// newWorker creates the pods, once the backend's migration succeeded.
func (b *Backend) newWorker(ctx *pulumi.Context, name, process string, args WorkerArgs, opts ...pulumi.ResourceOption) (*Worker, error) {
	worker := &Worker{}
	return component.New(ctx, WorkerType, name, worker, opts, func() error {
		t, err := b.workload.process(ctx, worker, name, workerLabel(process), args.ProcessArgs)
		if err != nil {
			return err
		}
		t.Replicas = args.Replicas
		t.RequestSeconds = args.StopSeconds
		t.MinReady = min(workerStartSeconds, t.RolloutSeconds/3)
		if args.Single {
			if err := b.keepSingle(ctx, worker, &t); err != nil {
				return err
			}
		}
		checkHealth(&t, args.HealthCommand)
		pods, err := t.Deploy(ctx, worker, b.migration...)
		if err != nil {
			return err
		}
		worker.tier, worker.pods = t.Tier(pods), pods.Complete
		worker.Deployment = worker.tier.Deployment
		return nil
	})
}

// keepSingle has the old pod end before the new one starts. That is a rollout's order alone: whoever evicts the pod has it
// replaced at once, so it holds a lock of the database, too.
func (b *Backend) keepSingle(ctx *pulumi.Context, parent pulumi.Resource, t *pods.Set) error {
	t.Recreate, t.RolloutSeconds = true, t.RolloutSeconds+t.RequestSeconds
	if b.roles == nil {
		return nil
	}
	lock, err := b.roles.OneWorker(ctx, parent, *t)
	if err != nil {
		return fmt.Errorf("lock it: %w", err)
	}
	t.Before = corev1.ContainerArray{logins.HardenedLock(*t, lock)}
	return nil
}

// workerLabel can't be that of another tier.
func workerLabel(name string) string { return "worker-" + name }

// checkHealth runs the command in the container: until it first succeeds, the worker hasn't started.
func checkHealth(t *pods.Set, command []string) {
	if command == nil {
		return
	}
	const startEvery = 5
	probe := func(every, failures int) corev1.ProbeArgs {
		return corev1.ProbeArgs{
			Exec:          corev1.ExecActionArgs{Command: pods.Strings(command)},
			PeriodSeconds: pulumi.Int(every), TimeoutSeconds: pulumi.Int(10), FailureThreshold: pulumi.Int(failures),
		}
	}
	t.Container.StartupProbe = probe(startEvery, t.RolloutSeconds/startEvery)
	t.Container.LivenessProbe = probe(healthEvery, 3)
}
