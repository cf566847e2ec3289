package stack

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/internal/settings"
)

// NewApp registers an app alone, and the cluster beside it. By the name app, both are those of a stack.
func NewApp(ctx *pulumi.Context, name string, config *settings.App, opts ...pulumi.ResourceOption) (*app.App, error) {
	options, err := pulumi.NewResourceOptions(opts...)
	if err != nil {
		return nil, err
	}
	clusterName := "cluster"
	if name != "app" {
		clusterName = name + "-cluster"
	}
	place, err := cluster.NewCluster(ctx, clusterName, &config.Cluster, pulumi.Parent(options.Parent))
	if err != nil {
		return nil, err
	}
	var last last
	if err := readOutputs(ctx, ctx.Stack(), &last); err != nil {
		return nil, err
	}
	if err := checkTaken(ctx, place, config.App, last.Namespace); err != nil {
		return nil, err
	}
	to := app.Wiring{Owner: place.Owner, EKS: app.EKSArgs(place.EKS)}
	if config.Given != nil {
		to.Database = config.Given.Connection()
		to.Database.Networks = place.EKS.Networks
	}
	if config.Names != nil {
		to.Certificates = config.Names.Certificates
	}
	return app.NewApp(ctx, name, &config.App, to, append(opts, pulumi.Providers(place.Provider))...)
}
