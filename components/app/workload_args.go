package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// defaultMinReadySeconds is enough for a process to load its workers, and to be killed where they don't fit into the memory.
const defaultMinReadySeconds = 10

// WorkloadArgs describe an image that serves HTTP: what Backend and Frontend have in common. A value of Env that isn't a
// plain pulumi.String may be secret, so it goes into the workload's Secret. keys says what the other fields mean.
type WorkloadArgs struct {
	Image                string
	Port, FormerPort     int
	Command, Args        []string
	HealthPath, LivePath string
	Replicas             pods.ReplicaArgs
	Resources            pods.ResourceArgs
	RunAsUser            int
	WritablePaths        []string
	RolloutSeconds       int
	MinReadySeconds      *int
	Env, SecretEnv       map[string]pulumi.StringInput
	Egress               []EgressArgs
}

// workloadDefaults are a component's own values for what its args leave out.
type workloadDefaults struct {
	port                     int
	healthPath               string
	minReplicas, maxReplicas int
	cpu, memory              string
}

// urlPath is where a probe asks.
var urlPath = constraint.Text{Pattern: `^/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%&=-]*)?$`, Want: "a path that starts with /"}

func (args *WorkloadArgs) keys(d workloadDefaults) keys.Table {
	rollout := cmp.Or(args.RolloutSeconds, pods.DefaultRolloutSeconds)
	return append(keys.Table{
		keys.Text("image", &args.Image).Is(pods.Image).Required().Example("ghcr.io/acme/app@sha256:…").
			Doc("Container image, preferably by digest."),
		keys.Number("port", &args.Port).Between(1, 65535).Default(d.port).Example("3000").
			Doc("Port that the container listens on."),
		keys.Number("formerPort", &args.FormerPort).Between(1, 65535).Otherwise("none").Example("8000").
			Needs(args.FormerPort == 0 || args.FormerPort != cmp.Or(args.Port, d.port), "another one than port, or none once all pods have the new one").
			Doc("The port before a change of port. The Service and the network policies keep it open too, until this key is removed. " +
				"A change of port on a running stack is refused without it."),
		keys.Texts("command", &args.Command).Otherwise("the image's entrypoint").Example("[uvicorn, app.main:app]").
			Doc("Replaces the image's entrypoint."),
		keys.Texts("args", &args.Args).Otherwise("the image's command").Example(`[--port, "3000"]`).
			Doc("Replaces the image's command."),
		keys.Text("healthPath", &args.HealthPath).Is(urlPath).Default(d.healthPath).Example("/readyz").
			Doc("Path of the readiness and startup probes. It answers 2xx or 3xx when the app can serve."),
		keys.Text("livePath", &args.LivePath).Is(urlPath).Otherwise("a check of the TCP port").Example("/healthz").
			Doc("Path of the liveness probe. It should fail only if a restart helps, so it should not check the database."),
		args.Replicas.Key(d.minReplicas, d.maxReplicas),
		args.Resources.Key(d.cpu, d.memory),
		keys.Number("runAsUser", &args.RunAsUser).Between(1, 1<<31-1).Default(pods.DefaultRunAsUser).Example("1000").
			Doc("User and group id of the container, for images that need a specific one."),
		keys.Texts("writablePaths", &args.WritablePaths).Once("each directory once").Each(constraint.Text{
			Pattern: `^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$`, // no segment is empty, . or ..
			Want:    "an absolute directory below /, without a trailing slash",
			Words:   "absolute directories below /",
			Except:  "^" + constraint.Either(parents(logins.CADir)) + "$",
			Instead: "a directory that doesn't hold " + logins.CAFile,
		}).Otherwise("[" + pods.WritableTmp + "]").Example("[/tmp, /var/cache/app]").
			Doc("Writable directories, empty at start. The rest of the file system is read-only."),
		pods.RolloutKey(&args.RolloutSeconds, pods.DefaultRolloutSeconds),
		keys.Number("minReadySeconds", &args.MinReadySeconds).Between(0, pods.DefaultRolloutSeconds/3).Default(min(defaultMinReadySeconds, rollout/3)).Example("30").
			Needs(args.MinReadySeconds == nil || *args.MinReadySeconds <= rollout/3, fmt.Sprintf("at most a third of rolloutSeconds (%d)", rollout)).
			Doc("Time that a new pod must stay ready before the rollout goes on, in seconds. A pod that fails in this time fails the rollout."),
	}, pods.EnvKeys(&args.Env, &args.SecretEnv, [2]string{"{LOG_LEVEL: info}", "{JWT_SECRET_KEY: {secure: …}}"}, [2]string{
		"Environment variables. If any value of the workload is secret, all of them are stored in its Secret.",
		"Environment variables that are stored in a Kubernetes Secret.",
	})...)
}

// parents are a directory and those above it, without the root.
func parents(dir string) []string {
	var all []string
	for ; dir != ""; dir = dir[:strings.LastIndex(dir, "/")] {
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}

func (args WorkloadArgs) sets(name string) bool {
	return args.Env[name] != nil || args.SecretEnv[name] != nil
}

// writable are the directories that the app writes to: nearly every runtime wants WritableTmp.
func (args WorkloadArgs) writable() []string {
	if slices.Contains(args.WritablePaths, pods.WritableTmp) {
		return args.WritablePaths
	}
	return append([]string{pods.WritableTmp}, args.WritablePaths...)
}

// ports are where the tier may be reached: the pods' own first.
func (args WorkloadArgs) ports() []int {
	if args.FormerPort == 0 {
		return []int{args.Port}
	}
	return []int{args.Port, args.FormerPort}
}

func (args WorkloadArgs) policyPorts() []pulumi.IntInput {
	var all []pulumi.IntInput
	for _, port := range args.ports() {
		all = append(all, pulumi.Int(port))
	}
	return all
}
