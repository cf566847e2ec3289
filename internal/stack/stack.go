// Package stack is the whole program: one function that Pulumi runs for every stack.
package stack

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/alarms"
	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/internal/settings"
	"threetier/internal/version"
)

const databaseName = "database"

// Deploy registers a stack: certificates and the database first, then what runs on Kubernetes, and the names that lead to it.
func Deploy(ctx *pulumi.Context) error {
	config, err := settings.Load(ctx) // complete: nothing below writes into it
	if err := errors.Join(err, database.IdentifierProblems(ctx.Project(), ctx.Stack(), databaseName).Err()); err != nil {
		return err
	}
	place, err := cluster.NewCluster(ctx, "cluster", &config.Cluster)
	if err != nil {
		return err
	}
	if err := checkNames(ctx, place, config); err != nil {
		return err
	}
	names, err := newDomain(ctx, config.Domain)
	if err != nil {
		return err
	}
	data, err := database.NewDatabase(ctx, databaseName, config.Database.In(place.Network))
	if err != nil {
		return err
	}
	web, err := app.NewApp(ctx, "app", &config.App, app.Wiring{
		Owner: place.Owner, EKS: app.EKSArgs(place.EKS), Database: data.Connection(), Certificates: names.certificates(),
	}, pulumi.Providers(place.Provider), pulumi.DependsOn(data.Ready))
	if err != nil {
		return err
	}
	records, err := names.leadTo(ctx, web, config.App.Nginx.DualStack())
	if err != nil {
		return err
	}
	if err := watch(ctx, config.Alarms, web, data, records); err != nil {
		return err
	}

	ctx.Export("url", web.URL)
	ctx.Export("databaseEndpoint", pulumi.Sprintf("%s:%d", data.Address, data.Port))
	ctx.Export("databaseIdentifier", data.Identifier)
	ctx.Export("namespace", pulumi.String(config.App.Namespace))
	ctx.Export("version", pulumi.String(version.Number))
	ctx.Export("kubectl", pulumi.String(fmt.Sprintf("kubectl --namespace %s get pods", config.App.Namespace)))
	return nil
}

// watch makes the app's alarms where there is somebody to tell.
func watch(ctx *pulumi.Context, args alarms.AlarmsArgs, web *app.App, data *database.Database, records []pulumi.Resource) error {
	if args.TopicARN == "" {
		return nil
	}
	args.URL, args.LoadBalancer, args.Tiers = web.URL, web.LoadBalancer, web.Tiers
	args.Reachable = append(records, web.Serves...)
	args.Database, args.DatabaseAlarms = data.Identifier, data.Alarms
	_, err := alarms.NewAlarms(ctx, "alarms", &args)
	return err
}

// names are the stack's own; the zero value is none.
type names struct {
	domain *domain.Domain
	args   *domain.DomainArgs
}

func newDomain(ctx *pulumi.Context, args *domain.DomainArgs) (names, error) {
	if args == nil {
		return names{}, nil
	}
	made, err := domain.NewDomain(ctx, "domain", args)
	return names{made, args}, err
}

func (n names) certificates() []pulumi.StringInput {
	if n.domain == nil {
		return nil
	}
	return n.domain.Certificates
}

// leadTo leads the names to the load balancer, or says which records would.
func (n names) leadTo(ctx *pulumi.Context, web *app.App, ipv6 bool) ([]pulumi.Resource, error) {
	if n.domain == nil {
		return nil, nil
	}
	records, err := domain.NewRecords(ctx, "domain-records", &domain.RecordsArgs{Domain: n.domain, LoadBalancer: web.LoadBalancer, IPv6: ipv6})
	if err != nil {
		return nil, err
	}
	if n.args.Zone == "" {
		ctx.Export("dnsRecords", records.ByHand)
	}
	return records.Made, nil
}
