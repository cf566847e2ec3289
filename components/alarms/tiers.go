package alarms

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
)

const (
	// restartLimit: Kubernetes waits longer before each restart, up to five minutes, so that a container which never comes
	// up is restarted three times in any quarter of an hour. One restart may be a process that was unlucky.
	restartLimit   = 3
	restartSeconds = 900
	// maximumSeconds and maximumPeriods are the quarter of an hour after which kubernetes-mixin calls an autoscaler maxed
	// out: a peak that ends sooner needs no more pods.
	maximumSeconds = 300
	maximumPeriods = 3
)

// tierAlarms read the metrics of Container Insights, whose PodName is the name of the Deployment.
func (b *builder) tierAlarms() []alarm {
	var alarms []alarm
	for _, tier := range b.args.Tiers {
		alarms = append(alarms, alarm{
			name: "restarts-" + tier.Name, section: "restarts", comparison: atLeast, threshold: restartLimit, period: restartSeconds, periods: 1,
			description: fmt.Sprintf("containers of %s were restarted %d times in 15 minutes", tier.Name, restartLimit),
			queries:     []query{b.insight("restarts", tier, "pod_number_of_container_restarts", "Sum")},
		})
		if tier.MaxReplicas == 0 {
			continue
		}
		alarms = append(alarms, alarm{
			name: "maximum-" + tier.Name, section: "maximum", comparison: atLeast, threshold: float64(tier.MaxReplicas), period: maximumSeconds, periods: maximumPeriods,
			description: fmt.Sprintf("%s has had all %d pods of replicas.max for 15 minutes", tier.Name, tier.MaxReplicas),
			queries:     []query{b.insight("replicas", tier, "replicas_desired", "Minimum")},
		})
	}
	return alarms
}

func (b *builder) insight(id string, tier pods.Tier, metric, stat string) query {
	return query{id: id, namespace: "ContainerInsights", metric: metric, stat: stat, dimensions: pulumi.StringMap{
		"ClusterName": pulumi.String(b.args.cluster()), "Namespace": pulumi.String(b.args.Namespace), "PodName": tier.Deployment,
	}}
}
