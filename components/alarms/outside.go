package alarms

import (
	"net/url"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/nginx"
	"threetier/internal/tags"
)

const (
	// outsideRegion is where Route 53 has its metrics, wherever the site is. An alarm tells a topic of its own region.
	outsideRegion = "us-east-1"
	// Route 53's own defaults: three failures in a row, half a minute apart, at most of its places.
	outsideInterval = 30
	outsideFailures = 3
	// outsidePeriods: Route 53 has waited a minute and a half already.
	outsideSeconds = 60
	outsidePeriods = 2
)

// createOutside asks NGINX itself, by the site's public name: DNS, the load balancer, its certificate and NGINX answer. What
// the app answers is in NGINX's log. It is nil where there is no topic.
func (b *builder) createOutside() (*route53.HealthCheck, error) {
	if b.args.OutsideTopicARN == "" {
		return nil, nil
	}
	part := func(of func(*url.URL) string) pulumi.StringOutput {
		return b.args.URL.ToStringOutput().ApplyT(func(text string) (string, error) {
			parsed, err := url.Parse(text)
			if err != nil {
				return "", err
			}
			return of(parsed), nil
		}).(pulumi.StringOutput)
	}
	named := tags.Of(b.ctx)
	named["Name"] = pulumi.String(b.title()) // what the console lists it by
	check, err := route53.NewHealthCheck(b.ctx, b.name+"-outside", &route53.HealthCheckArgs{
		Type:             part(checkType),
		Fqdn:             part((*url.URL).Hostname),
		Port:             part(checkType).ApplyT(checkPort).(pulumi.IntOutput),
		ResourcePath:     pulumi.String(nginx.HealthPath),
		RequestInterval:  pulumi.Int(outsideInterval),
		FailureThreshold: pulumi.Int(outsideFailures),
		Tags:             named,
	}, b.child(), pulumi.DependsOn(b.args.Reachable))
	if err != nil {
		return nil, err
	}
	provider, err := aws.NewProvider(b.ctx, b.name+"-"+outsideRegion, &aws.ProviderArgs{Region: pulumi.String(outsideRegion)}, b.child())
	if err != nil {
		return nil, err
	}
	_, err = b.createAlarm(alarm{
		name: "outside", comparison: below, threshold: 1, period: outsideSeconds, periods: outsidePeriods,
		description: "the site doesn't answer on the internet",
		queries:     []query{outsideStatus(check)},
	}, b.args.OutsideTopicARN, b.child(), pulumi.Provider(provider))
	return check, err
}

// outsideStatus is 1 while the site answers.
func outsideStatus(check *route53.HealthCheck) query {
	return query{id: "answers", namespace: "AWS/Route53", metric: "HealthCheckStatus", stat: "Minimum",
		dimensions: pulumi.StringMap{"HealthCheckId": check.ID().ToStringOutput()}}
}

// checkType is Route 53's name of the URL's protocol. It doesn't verify certificates, so a load balancer's own name will do.
func checkType(site *url.URL) string {
	if site.Scheme == "https" {
		return "HTTPS"
	}
	return "HTTP"
}

func checkPort(kind string) int {
	if kind == "HTTPS" {
		return 443
	}
	return 80
}
