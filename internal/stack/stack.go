// Package stack is the whole program: one function that Pulumi runs for every stack.
package stack

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/alarms"
	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/internal/settings"
)

const databaseName = "database"

// Deploy registers a stack: certificates and the database first, then what runs on Kubernetes, and the names that lead to it.
func Deploy(ctx *pulumi.Context) error {
	config, err := settings.Load(ctx)
	if err != nil {
		return err
	}
	cluster, err := cluster.NewCluster(ctx, "cluster", &config.Cluster)
	if err != nil {
		return err
	}
	if err := checkNames(ctx, cluster, config); err != nil {
		return err
	}
	config.App.Owner = cluster.Owner
	names, err := newDomain(ctx, config)
	if err != nil {
		return err
	}
	config.Database.Network = config.Database.Network.Or(cluster.Network)
	database, err := database.NewDatabase(ctx, databaseName, &config.Database)
	if err != nil {
		return err
	}
	config.App.Database, config.App.EKS = database.Connection(), app.EKSArgs(cluster.EKS)
	app, err := app.NewApp(ctx, "app", &config.App,
		pulumi.Providers(cluster.Provider), pulumi.DependsOn(database.Ready))
	if err != nil {
		return err
	}
	if err := point(ctx, names, app, config); err != nil {
		return err
	}
	if err := watch(ctx, config.Alarms, app, database); err != nil {
		return err
	}

	ctx.Export("url", app.URL)
	ctx.Export("databaseEndpoint", pulumi.Sprintf("%s:%d", database.Address, database.Port))
	ctx.Export("databaseIdentifier", database.Identifier)
	ctx.Export("namespace", pulumi.String(config.App.Namespace))
	ctx.Export("kubectl", pulumi.String(fmt.Sprintf("kubectl --namespace %s get pods", config.App.Namespace)))
	return nil
}

// watch makes the app's alarms where there is somebody to tell.
func watch(ctx *pulumi.Context, args alarms.AlarmsArgs, app *app.App, database *database.Database) error {
	if args.TopicARN == "" {
		return nil
	}
	args.URL, args.LoadBalancer, args.Tiers = app.URL, app.LoadBalancer, app.Tiers
	args.Database, args.DatabaseAlarms = database.Identifier, database.Alarms
	_, err := alarms.NewAlarms(ctx, "alarms", &args)
	return err
}

// newDomain gives nginx the certificates of the stack's names; nil where the stack has none.
func newDomain(ctx *pulumi.Context, config *settings.Settings) (*domain.Domain, error) {
	if config.Domain == nil {
		return nil, nil
	}
	names, err := domain.NewDomain(ctx, "domain", config.Domain)
	if err != nil {
		return nil, err
	}
	config.App.Nginx.Domain.CertificateARNs = names.Certificates
	return names, nil
}

// point leads the stack's names to the load balancer, or says which records would.
func point(ctx *pulumi.Context, names *domain.Domain, app *app.App, config *settings.Settings) error {
	if names == nil {
		return nil
	}
	records, err := domain.NewRecords(ctx, "domain-records", &domain.RecordsArgs{
		Domain: names, LoadBalancer: app.LoadBalancer, IPv6: config.App.Nginx.DualStack(),
	})
	if err == nil && config.Domain.Zone == "" {
		ctx.Export("dnsRecords", records.ByHand)
	}
	return err
}
