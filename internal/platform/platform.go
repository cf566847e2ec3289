// Package platform is the whole program of the project platform: what stands before a stack.
package platform

import (
	"fmt"
	"path"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/platform"
	"threetier/docs/iam"
)

// Deploy registers a platform.
func Deploy(ctx *pulumi.Context) error {
	outputs, err := register(ctx)
	for name, value := range outputs {
		ctx.Export(name, value)
	}
	return err
}

// register registers the network, the cluster in it, and what reaches the two; it returns the outputs.
func register(ctx *pulumi.Context) (pulumi.Map, error) {
	config, err := load(ctx)
	if err != nil {
		return nil, err
	}
	caller, err := aws.GetCallerIdentity(ctx, &aws.GetCallerIdentityArgs{})
	if err != nil {
		return nil, fmt.Errorf("look up the account: %w", err)
	}
	config.Access.Account, config.Notices.Account = caller.AccountId, caller.AccountId

	subnets, network, err := newNetwork(ctx, config)
	if err != nil {
		return nil, err
	}
	cluster, err := platform.NewCluster(ctx, "cluster", &config.Cluster, subnets, network)
	if err != nil {
		return nil, err
	}
	outputs := pulumi.Map{"cluster": cluster.Name}
	registry := pulumi.StringOutput{}
	if config.hasRegistries {
		registries, err := platform.NewRegistries(ctx, "registries", &config.Registries)
		if err != nil {
			return nil, err
		}
		registry = registries.URLs.Index(pulumi.Int(0))
		outputs["registries"] = registries.URLs
	}
	access, err := platform.NewAccess(ctx, "access", &config.Access, platform.Needs{
		Cluster: config.Cluster.Name, Made: cluster, Images: config.hasRegistries,
	})
	if err != nil {
		return nil, err
	}
	if config.hasNotices {
		notices, err := platform.NewNotices(ctx, "notices", &config.Notices)
		if err != nil {
			return nil, err
		}
		outputs["topicArn"] = notices.TopicARN
	}
	outputs["github"] = variables(ctx.Stack(), config, access, registry)
	return outputs, nil
}

// newNetwork creates the network, or takes the one that the config names. What depends on it waits for all of it: a node
// without a route to the internet never gets its images.
func newNetwork(ctx *pulumi.Context, config *settings) (pulumi.StringArrayInput, pulumi.ResourceOption, error) {
	if config.Cluster.Existing || config.Network.SubnetIDs != nil {
		return pulumi.ToStringArray(config.Network.SubnetIDs), pulumi.DependsOn(nil), nil
	}
	network, err := platform.NewNetwork(ctx, "network", &config.Network)
	if err != nil {
		return nil, nil, err
	}
	return network.PrivateSubnetIDs, pulumi.DependsOn([]pulumi.Resource{network}), nil
}

var stateBucket = regexp.MustCompile(`arn:aws:s3:::([a-z0-9.-]+)"`)

// variables are what bin/github setup --from gives the repository, by the names that it takes.
func variables(stack string, config *settings, access *platform.Access, registry pulumi.StringOutput) pulumi.StringMap {
	preview := "PREVIEW_ROLE_ARN"
	if stack == "prod" {
		preview = "PREVIEW_PROD_ROLE_ARN"
	}
	all := pulumi.StringMap{
		"AWS_REGION": pulumi.String(config.Region), preview: access.Roles.MapIndex(pulumi.String("preview")),
		stack + "/DEPLOY_ROLE_ARN": access.Roles.MapIndex(pulumi.String("deploy")),
	}
	if document, err := iam.Documents.ReadFile("state-bucket.json"); err == nil {
		all["PULUMI_BACKEND_URL"] = pulumi.String("s3://" + string(stateBucket.FindSubmatch(document)[1]) + "?region=" + config.Region)
	}
	switch stack {
	case "dev":
		all["PREVIEWS_ROLE_ARN"] = access.Roles.MapIndex(pulumi.String("previews"))
	case "prod":
		all["DRILL_PROD_ROLE_ARN"] = access.Roles.MapIndex(pulumi.String("drill"))
	}
	if config.hasRegistries {
		// The workflow adds the tier to it.
		all["IMAGE_REGISTRY"] = registry.ApplyT(path.Dir).(pulumi.StringOutput)
		all["IMAGES_ROLE_ARN"] = access.Roles.MapIndex(pulumi.String("images"))
	}
	return all
}
