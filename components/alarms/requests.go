package alarms

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/nginx"
)

const (
	// targetSeconds and targetPeriods: the load balancer takes a pod that stops serving out after 20 seconds, and a new
	// one in after 20. What is unhealthy for five minutes needs somebody.
	targetSeconds = 60
	targetPeriods = 5

	// errorPercent spends the month's errors of a service that promises 99.9 % in two days: the rate at which Google's
	// SRE workbook pages (table 5-8, burn rate 14.4).
	errorPercent = 1.44
	// leastErrors of a period keep a site with few requests from paging for one of them.
	leastErrors = 5
	// requestSeconds is long enough for both numbers to mean something.
	requestSeconds = 300
	errorPeriods   = 2
	slowPeriods    = 3
	// leastRequests: below 1 / (1 - 0.95) the 95th percentile is the slowest request.
	leastRequests = 20
)

// The stack's own metrics of requests: the count of requestMetric is how many there were.
const (
	requestMetric = "RequestSeconds"
	errorMetric   = "ServerErrors"
)

// requestFilters read NGINX's own log. The add-on's Fluent Bit puts the parsed line below log_processed.
func (b *builder) requestFilters() []filter {
	line := fmt.Sprintf(`$.kubernetes.namespace_name = "%s" && $.kubernetes.container_name = "%s"`, b.args.Namespace, nginx.Label)
	return []filter{
		{
			// A WebSocket's time is that of its connection, which is no measure of anything.
			name: "requests", group: b.args.LogGroup, metric: requestMetric, value: "$.log_processed.seconds",
			pattern: fmt.Sprintf(`{ %s && $.log_processed.status != 101 && $.log_processed.seconds >= 0 }`, line),
		},
		{
			name: "errors", group: b.args.LogGroup, metric: errorMetric, value: "1", otherwise: "0",
			pattern: fmt.Sprintf(`{ %s && $.log_processed.status >= 500 }`, line),
		},
	}
}

func (b *builder) requestAlarms() []alarm {
	requests := b.own("requests", requestMetric, "SampleCount")
	share := pulumi.Sprintf("IF(errors >= %d, 100 * errors / requests, 0)", leastErrors) // of 100
	latency := pulumi.Sprintf("IF(requests >= %d, p95, 0)", leastRequests)               // in seconds
	return []alarm{
		{
			name: "errors", comparison: above, threshold: errorPercent, period: requestSeconds, periods: errorPeriods,
			description: fmt.Sprintf("more than %v %% of the requests fail (5xx)", errorPercent),
			queries:     []query{requests, b.own("errors", errorMetric, "Sum"), {id: "share", expression: share}},
		},
		{
			name: "latency", comparison: above, threshold: float64(b.args.SlowSeconds), period: requestSeconds, periods: slowPeriods,
			description: fmt.Sprintf("5 of 100 requests take longer than %d s", b.args.SlowSeconds),
			queries:     []query{requests, b.own("p95", requestMetric, "p95"), {id: "latency", expression: latency}},
		},
	}
}

// targetAlarms look at the pods as the load balancer does.
func (b *builder) targetAlarms() []alarm {
	return []alarm{{
		name: "targets", comparison: above, threshold: 0, period: targetSeconds, periods: targetPeriods,
		description: "the load balancer has had an nginx pod that doesn't serve for five minutes",
		queries:     []query{{id: "unhealthy", expression: b.targets("MAX", "UnHealthyHostCount"), insights: true}},
	}}
}

// targets is a query of Metrics Insights, since the cluster's controller makes the target groups: it finds them by their
// load balancer.
func (b *builder) targets(aggregate, metric string) pulumi.StringInput {
	return pulumi.Sprintf(`SELECT %s(%s) FROM SCHEMA("AWS/NetworkELB", LoadBalancer, TargetGroup) WHERE LoadBalancer = '%s'`,
		aggregate, metric, b.args.LoadBalancer.ToStringOutput().ApplyT(loadBalancerDimension))
}

// networkLoadBalancer is the host name of one: its name and its id, which end its ARN too.
var networkLoadBalancer = regexp.MustCompile(`^([A-Za-z0-9-]+)-([0-9a-f]+)\.elb\.`)

// loadBalancerDimension is the end of the load balancer's ARN. Of another load balancer it is the host name, for which
// AWS has no metrics.
func loadBalancerDimension(host string) string {
	parts := networkLoadBalancer.FindStringSubmatch(host)
	if parts == nil {
		return host
	}
	return "net/" + parts[1] + "/" + parts[2]
}
