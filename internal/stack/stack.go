// Package stack is the whole program: one function that Pulumi runs for every stack, and the same as a component.
package stack

import (
	"errors"
	"fmt"
	"slices"

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

// Deploy registers a stack, and exports its outputs.
func Deploy(ctx *pulumi.Context) error {
	config, err := settings.Load(ctx) // complete: nothing below writes into it
	if config == nil || config.PreviewOf == "" {
		err = errors.Join(err, database.IdentifierProblems(ctx.Project(), ctx.Stack(), databaseName).Err())
	}
	if err != nil {
		return err
	}
	outputs, err := create(ctx, config, fromComponent(ctx))
	for name, output := range outputs {
		ctx.Export(name, output)
	}
	return err
}

// create registers certificates and the database first, then what runs on Kubernetes, and the names that lead to it. The
// options are for the outermost components.
func create(ctx *pulumi.Context, config *settings.Settings, opts ...pulumi.ResourceOption) (pulumi.Map, error) {
	if config.PreviewOf != "" {
		return createPreview(ctx, config, opts...)
	}
	place, err := cluster.NewCluster(ctx, "cluster", &config.Cluster, opts...)
	if err != nil {
		return nil, err
	}
	if err := checkNames(ctx, place, config); err != nil {
		return nil, err
	}
	names, err := newDomain(ctx, config.Domain, opts...)
	if err != nil {
		return nil, err
	}
	data, err := database.NewDatabase(ctx, databaseName, config.Database.In(place.Network), opts...)
	if err != nil {
		return nil, err
	}
	web, err := app.NewApp(ctx, "app", &config.App, app.Wiring{
		Owner: place.Owner, EKS: app.EKSArgs(place.EKS), Database: data.Connection(), Certificates: names.certificates(),
	}, append(slices.Clone(opts), pulumi.Providers(place.Provider), pulumi.DependsOn(data.Ready))...)
	if err != nil {
		return nil, err
	}
	records, err := names.leadTo(ctx, web, config.App.Nginx.DualStack(), opts...)
	if err != nil {
		return nil, err
	}
	if err := watch(ctx, config.Alarms, web, data, records, opts...); err != nil {
		return nil, err
	}
	outputs := pulumi.Map{ // each is a row of Outputs
		"url":                web.URL,
		"databaseEndpoint":   pulumi.Sprintf("%s:%d", data.Address, data.Port),
		"databaseIdentifier": data.Identifier,
		"namespace":          pulumi.String(config.App.Namespace),
		"version":            pulumi.String(version.Number),
		"kubectl":            kubectl(config),
	}
	if config.Database.Previews {
		outputs["previews"] = tell(config, place, data, web)
	}
	if records != nil && config.Domain.Zone == "" {
		outputs["dnsRecords"] = records.ByHand
	}
	return outputs, nil
}

func kubectl(config *settings.Settings) pulumi.String {
	return pulumi.String(fmt.Sprintf("kubectl --namespace %s get pods", config.App.Namespace))
}

// watch makes the app's alarms where there is somebody to tell.
func watch(ctx *pulumi.Context, args alarms.AlarmsArgs, web *app.App, data *database.Database, records *domain.Records, opts ...pulumi.ResourceOption) error {
	if args.TopicARN == "" {
		return nil
	}
	args.URL, args.LoadBalancer, args.Tiers = web.URL, web.LoadBalancer, web.Tiers
	args.Reachable = web.Serves
	if records != nil {
		args.Reachable = append(slices.Clone(records.Made), web.Serves...)
	}
	args.Database, args.DatabaseAlarms = data.Identifier, data.Alarms
	_, err := alarms.NewAlarms(ctx, "alarms", &args, opts...)
	return err
}

// names are the stack's own; the zero value is none.
type names struct {
	domain *domain.Domain
	args   *domain.DomainArgs
}

func newDomain(ctx *pulumi.Context, args *domain.DomainArgs, opts ...pulumi.ResourceOption) (names, error) {
	if args == nil || args.Name == "" { // which lets previews in by any name
		return names{}, nil
	}
	made, err := domain.NewDomain(ctx, "domain", args, opts...)
	return names{made, args}, err
}

func (n names) certificates() []pulumi.StringInput {
	if n.domain == nil {
		return nil
	}
	return n.domain.Certificates
}

// leadTo leads the names to the load balancer, or says which records would.
func (n names) leadTo(ctx *pulumi.Context, web *app.App, ipv6 bool, opts ...pulumi.ResourceOption) (*domain.Records, error) {
	if n.domain == nil {
		return nil, nil
	}
	return domain.NewRecords(ctx, "domain-records", &domain.RecordsArgs{Domain: n.domain, LoadBalancer: web.LoadBalancer, IPv6: ipv6}, opts...)
}
