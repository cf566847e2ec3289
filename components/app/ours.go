package app

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/internal/problems"
)

// OwnerLabel says whose the namespace and every other object with a fixed name is: Pulumi's provider takes over an object
// that is there already, and deletes by name. Its value outlives a new name of the stack.
const OwnerLabel = "threetier/owner"

// ProjectLabel and StackLabel are on a namespace that somebody made for the stack, with the rights of its roles in it: the
// stack takes it as its own.
const (
	ProjectLabel = "threetier/project"
	StackLabel   = "threetier/stack"
)

// Before is what was there before this run.
type Before struct {
	// Find reads what is at a path of the Kubernetes API, and tells whether there is something.
	Find func(ctx context.Context, path string, object any) (bool, error)
	// Owner is the value of OwnerLabel on the stack's own objects; empty where that isn't known before the first up.
	Owner string
	// Namespace is where the stack runs since its last up; empty where it has had none.
	Namespace string
	// Project and Stack are the values of ProjectLabel and StackLabel on a namespace that was made for the stack.
	Project, Stack string
}

// liveObject is as much of an object as says whose it is.
type liveObject struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	// Spec is a Service's.
	Spec struct {
		Ports []struct {
			Name string `json:"name"`
			Port int    `json:"port"`
		} `json:"ports"`
	} `json:"spec"`
}

// owned is an object with a fixed name: kind and name for people, path for the API, key for the stack config.
type owned struct{ kind, name, path, key string }

// named are all objects with fixed names inside of the namespace.
func (args AppArgs) named() []owned {
	at := "/namespaces/" + args.Namespace
	service := func(name string) owned {
		return owned{"service", name, "/api/v1" + at + "/services/" + name, ""}
	}
	cronJob := func(name, key string) owned {
		return owned{"cron job", name, "/apis/batch/v1" + at + "/cronjobs/" + name, key}
	}
	all := []owned{
		service(BackendServiceName), cronJob(logins.PsqlName, ""), cronJob(logins.PsqlName+logins.WritesSuffix, ""),
	}
	if args.Frontend != nil {
		all = append(all, service(FrontendServiceName))
	}
	if args.Nginx.Behind {
		quota := owned{"resource quota", quotaName, "/api/v1" + at + "/resourcequotas/" + quotaName, ""}
		all = append(all, service(nginx.ServiceName), cronJob(logins.DropName, ""), quota)
	}
	for _, tier := range []string{backendLabel, frontendLabel} {
		if args.Nginx.Sticks(tier) {
			all = append(all, service(nginx.PodsService(tier)))
		}
	}
	if len(args.Backend.Permissions) > 0 {
		all = append(all, owned{"service account", backendAccount, "/api/v1" + at + "/serviceaccounts/" + backendAccount, ""})
	}
	for name := range args.Jobs {
		all = append(all, cronJob(name, "threetier:jobs."+name))
	}
	return all
}

// TakenNames are objects that have the stack's names and aren't the stack's: nothing may be registered with one of them.
func (args AppArgs) TakenNames(ctx context.Context, before Before) (problems.List, error) {
	if before.Namespace != "" && before.Namespace != args.Namespace {
		return problems.List{{
			Path: "threetier:namespace", Value: args.Namespace,
			Want: before.Namespace + ", where the stack runs: in another one everything would be replaced, and the app would be gone meanwhile",
		}}, nil
	}
	var namespace liveObject
	found, err := before.Find(ctx, "/api/v1/namespaces/"+args.Namespace, &namespace)
	if err != nil {
		return nil, fmt.Errorf("look for namespace %s: %w", args.Namespace, err)
	}
	adopts := args.Adopt != ""
	if ps := args.namespaceProblems(namespace, found, before); len(ps) > 0 || !found {
		return ps, nil
	}
	var ps problems.List
	for _, object := range args.named() {
		var live liveObject
		found, err := before.Find(ctx, object.path, &live)
		if err != nil {
			return nil, fmt.Errorf("look for %s %s: %w", object.kind, object.name, err)
		}
		if found && !before.owns(live, !adopts) {
			ps = append(ps, taken(object, args.Namespace))
			continue
		}
		ps = append(ps, args.movedPort(object, live)...)
	}
	if adopts {
		strangers, err := args.strangers(ctx, before)
		if err != nil {
			return nil, err
		}
		ps = append(ps, strangers...)
	}
	return ps.Sorted(), nil
}

// movedPort refuses another port of a Service that runs, unless it keeps the one from before: nginx's pods use that until
// they are replaced.
func (args AppArgs) movedPort(object owned, live liveObject) problems.List {
	key, tier := "threetier:backend", args.Backend.WorkloadArgs
	switch object.name {
	case BackendServiceName:
	case FrontendServiceName:
		key, tier = "threetier:frontend", args.Frontend.WorkloadArgs
	default:
		return nil
	}
	for _, port := range live.Spec.Ports {
		if port.Name == pods.PortName && !slices.Contains(tier.ports(), port.Port) {
			return problems.List{{
				Path: key + ".port", Value: strconv.Itoa(tier.Port),
				Want: fmt.Sprintf("%d, where it is reached now, or %s.formerPort: %[1]d beside it, until all pods have the new port", port.Port, key),
			}}
		}
	}
	return nil
}

func taken(object owned, namespace string) problems.Problem {
	problem := problems.Problem{
		Path:  fmt.Sprintf("%s %s in namespace %s", object.kind, object.name, namespace),
		Value: "there, and isn't this stack's", Want: "it gone",
	}
	if object.key != "" {
		problem.Want += ", or another name for " + object.key
	}
	return problem
}

func (args AppArgs) namespaceProblems(live liveObject, found bool, before Before) problems.List {
	_, marked := live.Metadata.Labels[OwnerLabel]
	switch {
	case args.Adopt != "" && !found:
		return problems.List{{Path: "threetier:adopt", Value: args.Adopt, Want: "a namespace that is there, or no adopt: then the stack makes it"}}
	case args.Adopt != "" && (marked || live.unmarked()):
		return problems.List{{Path: "threetier:adopt", Value: args.Adopt, Want: "none: a stack made the namespace, and deletes it with all that is in it"}}
	case args.Adopt == "" && found && !before.owns(live, true) && !before.isPrepared(live):
		return problems.List{{
			Path: "threetier:namespace", Value: args.Namespace + ", which is there and isn't this stack's",
			Want: "another name, or threetier:adopt: " + args.Namespace + " to run in it and leave it behind",
		}}
	}
	return nil
}

// strangers are pods of others that the app's Services, policies and budgets would select.
func (args AppArgs) strangers(ctx context.Context, before Before) (problems.List, error) {
	var found struct {
		Items []liveObject `json:"items"`
	}
	selector := fmt.Sprintf("%s in (%s),%s!=%s", pods.TierLabel, strings.Join(args.labels(), ","), pods.ManagedByLabel, pods.ManagedBy)
	path := "/api/v1/namespaces/" + args.Namespace + "/pods?labelSelector=" + url.QueryEscape(selector)
	if _, err := before.Find(ctx, path, &found); err != nil {
		return nil, fmt.Errorf("look for pods in namespace %s: %w", args.Namespace, err)
	}
	var ps problems.List
	for _, pod := range found.Items {
		ps = append(ps, problems.Problem{
			Path:  fmt.Sprintf("label %s of pod %s in namespace %s", pods.TierLabel, pod.Metadata.Name, args.Namespace),
			Value: strconv.Quote(pod.Metadata.Labels[pods.TierLabel]), Want: "another value: the stack selects its own pods by it",
		})
	}
	return ps, nil
}

// owns tells that an object is the stack's: by its label, or as one of a stack that came up before there was a label.
func (b Before) owns(live liveObject, orUnmarked bool) bool {
	owner, marked := live.Metadata.Labels[OwnerLabel]
	if marked {
		return owner != "" && owner == b.Owner
	}
	return orUnmarked && b.Namespace != "" && live.unmarked()
}

// isPrepared tells that a namespace was made for this stack, which hasn't been in it yet.
func (b Before) isPrepared(live liveObject) bool {
	labels := live.Metadata.Labels
	_, marked := labels[OwnerLabel]
	return !marked && b.Stack != "" && labels[ProjectLabel] == b.Project && labels[StackLabel] == b.Stack
}

// unmarked tells that this program made the object before there was OwnerLabel: nobody else labels a namespace for both
// controllers, nor an object for a tier of Pulumi's.
func (o liveObject) unmarked() bool {
	_, marked := o.Metadata.Labels[OwnerLabel]
	_, isTier := o.Metadata.Labels[pods.TierLabel]
	_, isNamespace := o.Metadata.Labels[autoModeGate]
	return !marked && o.Metadata.Labels[pods.ManagedByLabel] == pods.ManagedBy && (isTier || isNamespace)
}

// labels are the values of TierLabel on the stack's pods.
func (args AppArgs) labels() []string {
	all := []string{nginx.Label, backendLabel, frontendLabel, migrationLabel, logins.Label, logins.PsqlName}
	return slices.Concat(all, args.processLabels(true))
}

// ownPods are all of the namespace where that is the stack's own.
func (args AppArgs) ownPods() metav1.LabelSelectorArgs {
	if args.Adopt == "" {
		return metav1.LabelSelectorArgs{}
	}
	return pods.AnyOf(args.labels())
}

// autoNamed are the kinds that a change replaces by an object of another name.
var autoNamed = []string{"kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job"}

// marks gives every object that is changed in place to the stack config, whoever wrote a field last: a leftover
// autoscaler or a manual edit. An object with a fixed name says whose it is.
func marks(owner pulumi.StringInput) pulumi.ResourceOption {
	return pulumi.Transformations([]pulumi.ResourceTransformation{
		func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if !strings.HasPrefix(args.Type, "kubernetes:") || slices.Contains(autoNamed, args.Type) {
				return nil
			}
			field := reflect.ValueOf(args.Props).Elem().FieldByName("Metadata")
			metadata, isMetadata := field.Interface().(metav1.ObjectMetaArgs)
			if !isMetadata {
				return nil // of a patch
			}
			metadata.Annotations = with(metadata.Annotations, "pulumi.com/patchForce", pulumi.String("true"))
			if metadata.Name != nil && owner != nil {
				metadata.Labels = with(metadata.Labels, OwnerLabel, owner)
			}
			field.Set(reflect.ValueOf(metadata))
			return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: args.Opts}
		},
	})
}

// fixedName is known in the preview of a first up, where the metadata isn't, since the owner isn't known yet.
func fixedName(object pulumi.Resource, name string) pulumi.StringOutput {
	return object.URN().ApplyT(func(pulumi.URN) string { return name }).(pulumi.StringOutput)
}

// with is a copy, as pods and their Deployment share a map of labels.
func with(given pulumi.StringMapInput, key string, value pulumi.StringInput) pulumi.StringMap {
	all := pulumi.StringMap{key: value}
	if given, isMap := given.(pulumi.StringMap); isMap {
		for key, value := range given {
			all[key] = value
		}
	}
	return all
}
