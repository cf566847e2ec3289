// Package pods makes sets of equal pods: what every tier of the app has in common.
package pods

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// DefaultRunAsUser is the uid, and the gid, of every workload: high enough to be nobody on the host.
	DefaultRunAsUser = 10001
	// PortName is the name of the port that serves, in pods and Services alike.
	PortName = "http"
	// StopMarginSeconds is for what a process does after its last request.
	StopMarginSeconds = 10
	// nodeGoneSeconds is how long a pod stays bound to a node that no longer answers.
	nodeGoneSeconds = 30
	// defaultMaxSurge is how many pods a rollout may add at once.
	defaultMaxSurge = "25%"
	// targetCPUPercent leaves room for the load that arrives while a new pod starts.
	targetCPUPercent = 70
	// ephemeralRequest is what the scheduler counts with for a pod's log and temporary files.
	ephemeralRequest = "64Mi"
)

// Place is where pods run, and whose credentials pull their images.
type Place struct {
	Namespace  pulumi.StringInput
	PullSecret pulumi.StringInput // nil: the images are public
	Placement  PlacementArgs
}

// Set is a set of equal pods: what every tier, Job and CronJob of the app has in common.
type Set struct {
	Name  string // prefix of the logical names
	Label string // value of TierLabel
	Place
	Replicas       ReplicaArgs
	Resources      ResourceArgs
	DiskGiB        int // default: defaultDiskGiB
	UID            int
	RolloutSeconds int
	MinReady       int                   // seconds
	DrainSeconds   int                   // how long a pod that is to stop is still sent requests
	RequestSeconds int                   // the longest request
	Writable       []string              // empty at the start
	Copied         []string              // writable too, with what the image has there
	ServiceAccount pulumi.StringPtrInput // nil: the namespace's default, which may do nothing
	MaxSurge       string                // default: defaultMaxSurge
	Recreate       bool                  // a rollout ends the old pod before it starts the new one
	Sysctls        corev1.SysctlArray
	// FileCapabilities lets programs start whose files have the capability to bind low ports. Nobody gets the capability:
	// privileges can't grow. Linux refuses to start them where it isn't in the container's bounding set.
	FileCapabilities bool
	Volumes          corev1.VolumeArray
	Mounts           corev1.VolumeMountArray
	Container        corev1.ContainerArgs  // what differs between tiers
	Before           corev1.ContainerArray // init containers
	Annotations      pulumi.StringMap      // of the Deployment, beside its own
	PodAnnotations   map[string]string     // of the pods, beside their own
}

// Deploy makes the Deployment and what keeps it alive under load and drains.
func (t Set) Deploy(ctx *pulumi.Context, parent pulumi.Resource, after ...pulumi.Resource) (Rollout, error) {
	_, err := policyv1.NewPodDisruptionBudget(ctx, t.Name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: t.Metadata(),
		Spec: policyv1.PodDisruptionBudgetSpecArgs{
			Selector: Selector(t.Label),
			// Not minAvailable: with one replica that would block every drain for ever.
			MaxUnavailable: pulumi.Int(1),
			// A pod that never gets ready serves nobody, so it mustn't hold up a drain.
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
		},
	}, pulumi.Parent(parent))
	if err != nil {
		return Rollout{}, fmt.Errorf("create disruption budget: %w", err)
	}
	pods, err := t.deployment(ctx, parent, after)
	if err != nil {
		return Rollout{}, fmt.Errorf("create deployment: %w", err)
	}
	if !t.Replicas.Autoscaled() {
		return pods, nil
	}
	if err := t.autoscaler(ctx, parent, pods.deployment); err != nil {
		return Rollout{}, fmt.Errorf("create autoscaler: %w", err)
	}
	return pods, nil
}

func (t Set) deployment(ctx *pulumi.Context, parent pulumi.Resource, after []pulumi.Resource) (Rollout, error) {
	spec := appsv1.DeploymentSpecArgs{
		Selector: Selector(t.Label),
		Strategy: appsv1.DeploymentStrategyArgs{
			Type:          pulumi.String("RollingUpdate"),
			RollingUpdate: appsv1.RollingUpdateDeploymentArgs{MaxUnavailable: pulumi.Int(0), MaxSurge: pulumi.String(cmp.Or(t.MaxSurge, defaultMaxSurge))},
		},
		// A little before Pulumi gives up, so that Kubernetes' own verdict is in its message.
		ProgressDeadlineSeconds: pulumi.Int(t.RolloutSeconds - StopMarginSeconds),
		RevisionHistoryLimit:    pulumi.Int(3),
		Template: corev1.PodTemplateSpecArgs{
			Metadata: metav1.ObjectMetaArgs{Labels: t.Metadata().Labels, Annotations: t.annotations(t.mayMove())},
			Spec:     t.podSpec(),
		},
	}
	if t.Recreate {
		spec.Strategy = appsv1.DeploymentStrategyArgs{Type: pulumi.String("Recreate")}
	}
	if t.MinReady > 0 {
		spec.MinReadySeconds = pulumi.Int(t.MinReady)
	}
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DependsOn(after), t.patience()}
	if !t.Replicas.Autoscaled() {
		spec.Replicas = pulumi.Int(t.Replicas.Min)
	} else {
		// The number is the autoscaler's own: setting it would undo its work at every update, and taking back
		// one that was set before would leave a single pod until the autoscaler is there.
		opts = append(opts, pulumi.IgnoreChanges([]string{"spec.replicas"}))
	}
	metadata := t.Metadata()
	metadata.Annotations = t.Annotations
	deployment, err := appsv1.NewDeployment(ctx, t.Name, &appsv1.DeploymentArgs{Metadata: metadata, Spec: spec}, opts...)
	if err != nil {
		return Rollout{}, err
	}
	awaited, err := t.awaitRollout(ctx, parent, deployment, spec)
	return Rollout{deployment, awaited}, err
}

// podSpec passes Pod Security "restricted", and keeps a pod that is to stop serving until nobody sends it requests.
func (t Set) podSpec() corev1.PodSpecArgs {
	volumes, _ := t.emptyDirs()
	var pullSecrets corev1.LocalObjectReferenceArray
	if t.PullSecret != nil {
		pullSecrets = append(pullSecrets, corev1.LocalObjectReferenceArgs{Name: t.PullSecret.ToStringOutput()})
	}
	return corev1.PodSpecArgs{
		InitContainers:                append(t.copying(), t.Before...),
		Containers:                    corev1.ContainerArray{t.Hardened(t.Container, t.Label)},
		Volumes:                       append(volumes, t.Volumes...),
		ServiceAccountName:            t.ServiceAccount,
		AutomountServiceAccountToken:  pulumi.Bool(false),
		EnableServiceLinks:            pulumi.Bool(false),
		TerminationGracePeriodSeconds: pulumi.Int(t.DrainSeconds + t.RequestSeconds + StopMarginSeconds),
		TopologySpreadConstraints:     t.spread("topology.kubernetes.io/zone", "kubernetes.io/hostname"),
		ImagePullSecrets:              pullSecrets,
		NodeSelector:                  t.Placement.nodeSelector(),
		Tolerations:                   append(nodeTolerations(), t.Placement.tolerations()...),
		SecurityContext: corev1.PodSecurityContextArgs{
			Sysctls:        t.Sysctls,
			RunAsNonRoot:   pulumi.Bool(true),
			RunAsUser:      pulumi.Int(t.UID),
			RunAsGroup:     pulumi.Int(t.UID),
			FsGroup:        pulumi.Int(t.UID),
			SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
		},
	}
}

// Hardened is a container of the pod.
func (t Set) Hardened(container corev1.ContainerArgs, name string) corev1.ContainerArgs {
	container.Name = pulumi.String(name)
	// What ran is what the config names; a tag that moves is no way to roll out, and a
	// registry that is down must not keep pods from starting.
	container.ImagePullPolicy = pulumi.String("IfNotPresent")
	container.Resources = t.resourceRequirements()
	capabilities := corev1.CapabilitiesArgs{Drop: pulumi.StringArray{pulumi.String("ALL")}}
	if t.FileCapabilities {
		capabilities.Add = pulumi.StringArray{pulumi.String("NET_BIND_SERVICE")}
	}
	container.SecurityContext = corev1.SecurityContextArgs{
		AllowPrivilegeEscalation: pulumi.Bool(false),
		ReadOnlyRootFilesystem:   pulumi.Bool(true),
		Capabilities:             capabilities,
	}
	// The last log lines of a crash show in the pod's status, and so in Pulumi's output.
	container.TerminationMessagePolicy = pulumi.String("FallbackToLogsOnError")
	_, mounts := t.emptyDirs()
	container.VolumeMounts = slices.Concat(mounts, t.Mounts)
	return container
}

// nodeTolerations replace the pods of a node that is gone after nodeGoneSeconds, where Kubernetes by itself waits for five minutes.
func nodeTolerations() corev1.TolerationArray {
	toleration := func(key string) corev1.TolerationArgs {
		return corev1.TolerationArgs{
			Key: pulumi.String("node.kubernetes.io/" + key), Operator: pulumi.String("Exists"),
			Effect: pulumi.String("NoExecute"), TolerationSeconds: pulumi.Int(nodeGoneSeconds),
		}
	}
	return corev1.TolerationArray{toleration("not-ready"), toleration("unreachable")}
}

// spread asks for pods of one rollout apart, but rather has two on one node than one too few.
func (t Set) spread(keys ...string) corev1.TopologySpreadConstraintArray {
	var constraints corev1.TopologySpreadConstraintArray
	for _, key := range keys {
		constraints = append(constraints, corev1.TopologySpreadConstraintArgs{
			TopologyKey:       pulumi.String(key),
			MaxSkew:           pulumi.Int(1),
			WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
			LabelSelector:     Selector(t.Label),
			MatchLabelKeys:    pulumi.StringArray{pulumi.String("pod-template-hash")},
		})
	}
	return constraints
}

// SleepBeforeStop works in images without a shell.
func SleepBeforeStop(seconds int) corev1.LifecycleArgs {
	return corev1.LifecycleArgs{
		PreStop: corev1.LifecycleHandlerArgs{Sleep: corev1.SleepActionArgs{Seconds: pulumi.Int(seconds)}},
	}
}

// HTTPGet is a look at a container's port by a request.
func HTTPGet(path string) corev1.HTTPGetActionArgs {
	return corev1.HTTPGetActionArgs{Path: pulumi.String(path), Port: pulumi.String(PortName)}
}

// TCPConnect is a look at a container's port by a connection.
func TCPConnect() corev1.TCPSocketActionArgs {
	return corev1.TCPSocketActionArgs{Port: pulumi.String(PortName)}
}
