package app

import (
	"fmt"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
)

// PreviewOfLabel is on the namespace of a preview, with the namespace of the stack whose nginx leads to it.
const PreviewOfLabel = "threetier/preview-of"

// quotaName is that of a preview's quota, by which bin/preview finds it.
const quotaName = "preview"

// namespaceLabel is what Kubernetes itself puts on each namespace.
const namespaceLabel = "kubernetes.io/metadata.name"

// nginxIn are the pods of nginx in the namespaces with a label.
func nginxIn(label, value string) networkingv1.NetworkPolicyPeerArray {
	return networkingv1.NetworkPolicyPeerArray{networkingv1.NetworkPolicyPeerArgs{
		NamespaceSelector: metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{label: pulumi.String(value)}},
		PodSelector:       pods.Selector(nginx.Label),
	}}
}

// migrationConnections are those of a migration and its lock, twice: an update that was killed leaves its own running.
const migrationConnections = 4

// connections are the most that the pods of a preview open, by login.
func (args AppArgs) connections() logins.Connections {
	var of logins.Connections
	for _, worker := range args.Workers {
		switch {
		case worker.Login != LoginOwner:
		case worker.Single:
			of.Owner += args.Backend.ConnectionsPerPod
		default:
			of.Owner += worker.Replicas.InRollout() * args.Backend.ConnectionsPerPod
		}
	}
	for _, job := range args.Jobs {
		if job.Login == LoginOwner {
			of.Owner++
		}
	}
	all, _ := args.Connections()
	of.App = all - of.Owner
	if args.Backend.Migrate != nil {
		of.App, of.Migration = of.App-migrationConnections/2, migrationConnections
	}
	return of
}

// limitPreview keeps a preview from taking the nodes from others. A rollout has the pods twice; the migration and the program's own Jobs
// come beside it.
func (app *App) limitPreview(ctx *pulumi.Context, name string, args AppArgs) (pulumi.Resource, error) {
	count, milliCPU, mebibytes := 0, 0, 0
	add := func(number int, each pods.ResourceArgs) {
		count += number
		milliCPU += number * pods.MilliCPU(each.CPU)
		mebibytes += number * pods.MemoryMiB(each.Memory)
	}
	const atOnce = 2
	add(atOnce*args.Nginx.Replicas.Max, args.Nginx.Resources)
	add(atOnce*(args.Backend.Replicas.Max+1), args.Backend.Resources)
	if args.Frontend != nil {
		add(atOnce*args.Frontend.Replicas.Max, args.Frontend.Resources)
	}
	for _, worker := range args.Workers {
		add(atOnce*worker.Replicas.Max, worker.Resources)
	}
	for _, job := range args.Jobs {
		add(1, job.Resources)
	}
	add(6, logins.Resources)
	metadata := pods.Metadata(app.Namespace, quotaName)
	metadata.Name = pulumi.String(quotaName)
	quota, err := corev1.NewResourceQuota(ctx, name, &corev1.ResourceQuotaArgs{
		Metadata: metadata,
		Spec: corev1.ResourceQuotaSpecArgs{Hard: pulumi.StringMap{
			"pods":                   pulumi.String(strconv.Itoa(count)),
			"requests.cpu":           pulumi.String(fmt.Sprintf("%dm", milliCPU)),
			"limits.memory":          pulumi.String(fmt.Sprintf("%dMi", mebibytes)),
			"persistentvolumeclaims": pulumi.String("0"),
			"services.loadbalancers": pulumi.String("0"),
			"services.nodeports":     pulumi.String("0"),
		}},
	}, pulumi.Parent(app))
	if err != nil {
		return nil, fmt.Errorf("create quota: %w", err)
	}
	return quota, nil
}
