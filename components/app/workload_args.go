package app

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/nginx"
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
	HealthHost           string
	ReadySeconds         int
	Replicas             pods.ReplicaArgs
	Resources            pods.ResourceArgs
	DiskGiB              int
	RunAsUser            int
	WritablePaths        []string
	EmptyPaths           []string
	RolloutSeconds       int
	StopSeconds          int
	MinReadySeconds      *int
	Env, SecretEnv       map[string]pulumi.StringInput
	SecretFiles          map[string]pulumi.StringInput
	Egress               []EgressArgs
	Ingress              []pods.IngressArgs
	PodAnnotations       map[string]string

	// https tells that the app's clients come by HTTPS.
	https bool
}

// workloadDefaults are a component's own values for what its args leave out.
type workloadDefaults struct {
	port                     int
	healthPath               string
	minReplicas, maxReplicas int
	cpu, memory              string
}

// readyEvery is so short that the site is back soon after its database is.
const readyEvery = 3

// urlPath is where a probe asks.
var urlPath = constraint.Text{Pattern: `^/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%&=-]*)?$`, Want: "a path that starts with /"}

func (args *WorkloadArgs) keys(d workloadDefaults) keys.Table {
	rollout := cmp.Or(args.RolloutSeconds, pods.DefaultRolloutSeconds)
	twice := ""
	for _, dir := range args.EmptyPaths {
		if slices.Contains(args.WritablePaths, dir) {
			twice = dir
		}
	}
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
			Doc("Path of the readiness probe. It answers 2xx when the app can serve. A redirect to the same host is followed."),
		keys.Text("healthHost", &args.HealthHost).Match(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`, "a host name, like shop.example.org").
			Otherwise("the domain's name, else the first of nginx.hosts, else the pod's address").Example("shop.example.org").
			Doc("Host header of the probes, for an app that refuses hosts that it doesn't know. With a certificate or a domain, the probes also say X-Forwarded-Proto: https."),
		keys.Text("livePath", &args.LivePath).Is(urlPath).Otherwise("a check of the TCP port").Example("/healthz").
			Doc("Path of the liveness probe. It should fail only if a restart helps, so it should not check the database."),
		keys.Number("readySeconds", &args.ReadySeconds).Between(readyEvery, pods.MaxTimeoutSeconds).Default(3 * readyEvery).Example("60").
			Doc("Time that a busy pod can leave healthPath unanswered before it gets no more requests, in seconds. " +
				"It counts for an answer that says no, too. If it is more than a minute, livePath has the same time."),
		args.Replicas.Key(d.minReplicas, d.maxReplicas),
		args.Resources.Key(d.cpu, d.memory),
		pods.DiskKey(&args.DiskGiB),
		keys.Number("runAsUser", &args.RunAsUser).Between(1, 1<<31-1).Default(pods.DefaultRunAsUser).Example("1000").
			Doc("User and group id of the container, for images that need a specific one."),
		keys.Texts("writablePaths", &args.WritablePaths).Once("each directory once").Each(directory).
			Otherwise("[" + pods.WritableTmp + "]").Example("[/etc/nginx/conf.d, /var/cache/app]").
			Doc("Writable directories. Each begins with the image's files that runAsUser can read; " + pods.WritableTmp + " is always writable, and empty. " +
				"The rest of the file system is read-only. The image must have a shell and cp: without them the pod fails with \"sh\": executable file not found, and emptyPaths is the key."),
		keys.Texts("emptyPaths", &args.EmptyPaths).Once("each directory once").Each(directory).
			Refuse(twice != "", strconv.Quote(twice)+", which is in writablePaths too", "it in one of the two").Otherwise("none").Example("[/var/spool/app]").
			Doc("Writable directories that are empty at the start, also in an image without a shell."),
		pods.RolloutKey(&args.RolloutSeconds, pods.DefaultRolloutSeconds),
		keys.Number("stopSeconds", &args.StopSeconds).Between(1, pods.MaxTimeoutSeconds).Otherwise("the longest timeoutSeconds of its routes").Example("900").
			Doc("Time that a stopping pod has to finish running requests, in seconds: a long download, a stream, a WebSocket. " +
				"NGINX has the longest of its tiers. timeoutSeconds of a route is another time, that of silence."),
		keys.Number("minReadySeconds", &args.MinReadySeconds).Between(0, pods.DefaultRolloutSeconds/3).Default(min(defaultMinReadySeconds, rollout/3)).Example("30").
			Needs(args.MinReadySeconds == nil || *args.MinReadySeconds <= rollout/3, fmt.Sprintf("at most a third of rolloutSeconds (%d)", rollout)).
			Doc("Time that a new pod must stay ready before the rollout goes on, in seconds. A pod that fails in this time fails the rollout."),
		pods.IngressKey(&args.Ingress),
		pods.AnnotationsKey(&args.PodAnnotations),
		pods.FilesKey(&args.SecretFiles, logins.CADir, identityDir),
	}, pods.EnvKeys(&args.Env, &args.SecretEnv, [2]string{"{LOG_LEVEL: info}", "{JWT_SECRET_KEY: {secure: …}}"}, [2]string{
		"Environment variables. If any value of the workload is secret, all of them are stored in its Secret.",
		"Environment variables that are stored in a Kubernetes Secret.",
	})...)
}

// directory is one that a pod may have a volume at.
var directory = constraint.Text{
	Pattern: `^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$`, // no segment is empty, . or ..
	Want:    "an absolute directory below /, without a trailing slash",
	Words:   "absolute directories below /",
	Except:  "^" + constraint.Either(parents(logins.CADir)) + "$",
	Instead: "a directory that doesn't hold " + logins.CAFile,
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

// knownAs fills in what the app's clients see of it.
func (args *WorkloadArgs) knownAs(way nginx.Args) {
	args.HealthHost, args.https = cmp.Or(args.HealthHost, way.Host()), way.Certified()
}

func (args WorkloadArgs) sets(name string) bool {
	return args.Env[name] != nil || args.SecretEnv[name] != nil
}

// directories are those that the app writes to. Nearly every runtime wants WritableTmp, and no image has anything there.
func (args WorkloadArgs) directories() (empty, copied []string) {
	isTmp := func(dir string) bool { return dir == pods.WritableTmp }
	empty = append([]string{pods.WritableTmp}, slices.DeleteFunc(slices.Clone(args.EmptyPaths), isTmp)...)
	return empty, slices.DeleteFunc(slices.Clone(args.WritablePaths), isTmp)
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
