package platform

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/platform"
	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
	program "threetier/internal/settings"
)

// Namespace is what the config keys begin with, whatever the project is called.
const Namespace = "platform"

// settings are what a platform's config asks for.
type settings struct {
	Region     string
	Network    platform.NetworkArgs
	Cluster    platform.ClusterArgs
	Access     platform.AccessArgs
	Registries platform.RegistriesArgs
	Notices    platform.NoticesArgs
	// Protect refuses to delete the network, the cluster and the repositories.
	Protect bool
	// Allow are the losses that the gate lets a change make. Default: none.
	Allow allow.List

	hasNetwork, hasRegistries, hasNotices bool
}

// load reads the config.
func load(ctx *pulumi.Context) (*settings, error) {
	s := &settings{}
	ps := program.Unknown(Namespace, Keys(), ctx.Project(), program.ConfigNames(ctx))
	given := map[string]bool{}
	for _, key := range s.keys() {
		if raw, isGiven := ctx.GetConfig(key.Name); isGiven {
			given[key.Name] = true
			ps = append(ps, key.Read(raw, ctx.IsConfigSecret(key.Name), nil)...)
		}
	}
	s.hasNetwork, s.hasRegistries, s.hasNotices = given[Namespace+":network"], given[Namespace+":registries"], given[Namespace+":notices"]
	s.Network.Region, s.Cluster.Region = s.Region, s.Region
	s.Network.Protect, s.Cluster.Protect, s.Registries.Protect = s.Protect, s.Protect, s.Protect
	ps = append(ps, platform.StackProblems(ctx.Stack())...)
	ps = append(ps, program.Without(s.problems(), ps)...)
	if len(ps) > 0 {
		return nil, fmt.Errorf("the config of platform %s can't be used:\n%w", ctx.Stack(), ps.Err())
	}
	return s, nil
}

// problems are the components' own, with whole keys as paths.
func (s *settings) problems() problems.List {
	ps := slices.Concat(s.Cluster.Complete().Under("cluster"), s.Access.Complete().Under("access"), keys.Table{s.allowKey()}.Problems())
	switch {
	case !s.Cluster.Existing:
		ps = append(ps, s.Network.Complete().Under("network")...)
	case s.hasNetwork:
		ps = append(ps, problems.Problem{Path: "network", Value: "given with cluster.existing", Want: "none: that cluster has its network"})
	}
	if s.hasRegistries {
		ps = append(ps, s.Registries.Complete().Under("registries")...)
	}
	if s.hasNotices {
		ps = append(ps, s.Notices.Complete().Under("notices")...)
	}
	for i := range ps {
		ps[i].Path = Namespace + ":" + ps[i].Path
	}
	return slices.Concat(keys.Table{s.regionKey()}.Problems(), ps)
}

// keys are the top-level keys, with the place that each value goes to.
func (s *settings) keys() keys.Table {
	own := keys.Table{
		keys.Object("network", s.Network.Keys()).Otherwise("none, with cluster.existing").
			Doc("The VPC of the cluster and of its stacks' databases."),
		keys.Object("cluster", s.Cluster.Keys()).Required().
			Doc("The EKS cluster, with Auto Mode."),
		keys.Object("access", s.Access.Keys()).
			Doc("The roles of workflows and people. [Roles](how-to/roles.md) lists them."),
		keys.Object("registries", s.Registries.Keys()).Otherwise("none, and no role that pushes images").
			Doc("The repositories of images. An account has them once: prod runs the images of dev."),
		keys.Object("notices", s.Notices.Keys()).Otherwise("none").
			Doc("Whom to tell: the topic of the stack's alarms, and a budget."),
		keys.Flag("protect", &s.Protect).
			Doc("Whether Pulumi refuses to delete the network, the cluster and the repositories."),
		s.allowKey(),
	}
	for _, key := range own {
		key.Name = Namespace + ":" + key.Name
	}
	return append(keys.Table{s.regionKey()}, own...)
}

func (s *settings) allowKey() *keys.Key {
	return s.Allow.Key(constraint.Text{Pattern: "^" + program.Lose + `\S+$`, Want: "lose and a name, like lose registries-backend"}).
		Example(`{lose registries-backend: "its images are in another registry"}`).
		Doc("Losses that make plan names and would refuse, each with the reason. One that isn't lost is refused.")
}

func (s *settings) regionKey() *keys.Key {
	return keys.Text("aws:region", &s.Region).Match(`^[a-z]{2}(-[a-z]+)+-\d$`, "an AWS region, as eu-west-1").Required().Example("eu-west-1").
		Doc("The AWS region of all resources: the stack's. The key belongs to the aws provider.")
}

// Keys are the top-level keys of a platform's config, with all below them.
func Keys() keys.Table { return new(settings).keys() }

// Reference is the page that lists every key, as Markdown.
func Reference() string {
	return "# Platform config\n\nEvery key of `platform/Pulumi.<stack>.yaml`. This page is generated from the table that the program reads a config by.\n" +
		Keys().Reference()
}

// Schema is a JSON schema of platform/Pulumi.<stack>.yaml, for editors.
func Schema() ([]byte, error) {
	return program.SchemaOf(Keys(), Namespace, "Platform config of threetier")
}
