package stack

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/internal/problems"
	"threetier/internal/settings"
	"threetier/internal/version"
)

// host is what a stack tells its previews, in its output previews.
type host struct {
	Kubeconfig, Context    string
	EKS                    app.EKSArgs
	Namespace, URL, Client string
	Database               database.Instance
}

// tell is the host as an output.
func tell(config *settings.Settings, place *cluster.Cluster, data *database.Database, web *app.App) pulumi.StringOutput {
	pods, _ := config.App.Connections()
	connection := data.Connection()
	all := pulumi.All(place.Kubeconfig, web.URL, connection.Host, connection.ReaderHost, connection.Port, connection.CABundle,
		connection.Roles.Instance, connection.Roles.Previews.Password)
	return pulumi.ToSecret(all.ApplyT(func(v []any) (string, error) {
		text := func(i int) string { return v[i].(string) }
		told, err := json.Marshal(host{
			Kubeconfig: text(0), Context: config.Cluster.Context, EKS: app.EKSArgs(place.EKS), Namespace: config.App.Namespace,
			URL: text(1), Client: config.App.ClientImage,
			Database: database.Instance{
				Host: text(2), ReaderHost: text(3), Port: v[4].(int), CABundle: text(5), Resource: text(6), Password: text(7),
				PasswordVersion: connection.Roles.PasswordVersion, Networks: connection.Networks, Extensions: connection.Roles.Extensions,
				Taken: pods + database.ReservedConnections + database.PreviewsConnections,
			},
		})
		return string(told), err
	})).(pulumi.StringOutput)
}

// findHost reads the host from the other stack's outputs: what it says decides what is registered.
func findHost(ctx *pulumi.Context, stack string) (host, error) {
	var found struct {
		Previews string `pulumi:"previews"`
	}
	if err := readOutputs(ctx, stack, &found); err != nil {
		return host{}, err
	}
	if found.Previews == "" {
		return host{}, problems.List{{Path: settings.Namespace + ":previewOf", Value: stack,
			Want: "a stack that lets previews in: one with domain.previews: true since its last up"}}.Err()
	}
	var told host
	if err := json.Unmarshal([]byte(found.Previews), &told); err != nil {
		return host{}, fmt.Errorf("read the output previews of stack %s: %w", stack, err)
	}
	return told, nil
}

// createPreview registers the app alone: the rest is the other stack's.
func createPreview(ctx *pulumi.Context, config *settings.Settings, opts ...pulumi.ResourceOption) (pulumi.Map, error) {
	of, err := findHost(ctx, config.PreviewOf)
	if err != nil {
		return nil, err
	}
	config.App.ClientImage = of.Client
	place, err := cluster.NewCluster(ctx, "cluster", &cluster.ClusterArgs{
		Kubeconfig: pulumi.ToSecret(pulumi.String(of.Kubeconfig)).(pulumi.StringOutput), Context: of.Context, Autoscales: config.Cluster.Autoscales,
	}, opts...)
	if err != nil {
		return nil, err
	}
	if err := checkNames(ctx, place, config); err != nil {
		return nil, err
	}
	connection := of.Database.Preview(ctx.Stack())
	_, err = app.NewApp(ctx, "app", &config.App, app.Wiring{
		Owner: place.Owner, EKS: of.EKS, Database: connection, PreviewOf: of.Namespace,
	}, append(opts[:len(opts):len(opts)], pulumi.Providers(place.Provider))...)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(of.URL)
	if err != nil {
		return nil, fmt.Errorf("read the url of stack %s: %w", config.PreviewOf, err)
	}
	address.Host = ctx.Stack() + "." + address.Host
	return pulumi.Map{
		"url":              pulumi.String(address.String()),
		"databaseEndpoint": pulumi.Sprintf("%s:%d", connection.Host, connection.Port),
		"namespace":        pulumi.String(config.App.Namespace),
		"version":          pulumi.String(version.Number),
		"kubectl":          kubectl(config),
	}, nil
}
