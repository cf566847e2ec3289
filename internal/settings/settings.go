// Package settings turns the stack config into the components' args. Every mistake is one
// line of one error. Nothing is registered then.
package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/alarms"
	"threetier/components/app"
	"threetier/components/app/nginx"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/rdsca"
)

// Namespace is what the program's own config keys begin with, whatever the project is called.
const Namespace = "threetier"

// Settings are what a stack config asks for.
type Settings struct {
	// Region is the AWS region: the aws provider's own setting.
	Region string
	// Cluster is where the app runs.
	Cluster cluster.ClusterArgs
	// Database is where it keeps its data. An empty network stands for the cluster's.
	Database database.DatabaseArgs
	// App is what runs, without its database connection.
	App app.AppArgs
	// Alarms watch the app, without what the others answer.
	Alarms alarms.AlarmsArgs
	// Domain has the app's public names. Default: none.
	Domain *domain.DomainArgs
	// Allow are the exceptions of the stack as a whole. Default: none.
	Allow allow.List
	// PreviewOf is the stack whose cluster, database instance and nginx a preview uses. Default: the stack is no preview.
	PreviewOf string
}

// Source is where the keys of a stack are given.
type Source struct {
	// Name says in words what it is.
	Name string
	// Names are the keys that are given.
	Names []string
	// Read decodes a key, if it is given.
	Read func(key *keys.Key) problems.List
	// Secret tells whether a top-level key holds a secret, and not which of its values is one.
	Secret func(key string) bool
}

// Load reads the stack config.
func Load(ctx *pulumi.Context) (*Settings, error) {
	return Config(ctx).Load(ctx)
}

// Config is the stack config.
func Config(ctx *pulumi.Context) Source {
	return Source{
		Name: "the stack config of " + ctx.Stack(), Names: ConfigNames(ctx), Secret: ctx.IsConfigSecret,
		Read: func(key *keys.Key) problems.List {
			raw, given := ctx.GetConfig(key.Name)
			if !given {
				return nil
			}
			return key.Read(raw, ctx.IsConfigSecret(key.Name), Keys().Secrets())
		},
	}
}

// Inputs are those of a component, by key. The aws provider's own key is in the stack config nevertheless.
func Inputs(ctx *pulumi.Context, component string, inputs map[string]keys.Input) Source {
	given := map[string]keys.Input{}
	for name, input := range inputs {
		given[Namespace+":"+name] = input
	}
	return Source{
		Name: "what is given to " + component, Names: slices.Sorted(maps.Keys(given)), Secret: func(string) bool { return false },
		Read: func(key *keys.Key) problems.List {
			if strings.HasPrefix(key.Name, Namespace+":") {
				return key.ReadInput(given[key.Name], Keys().Secrets())
			}
			return Config(ctx).Read(key)
		},
	}
}

// Load reads all keys of the source.
func (source Source) Load(ctx *pulumi.Context) (*Settings, error) {
	settings := &Settings{}
	ps := Unknown(Namespace, Keys(), ctx.Project(), source.Names)
	for _, key := range settings.keys() {
		ps = append(ps, source.Read(key)...)
	}
	ps = append(ps, credentials(ctx, settings.Cluster.EKS)...)
	settings.complete(ctx)
	if settings.PreviewOf == "" && !slices.Contains(source.Names, previewOf) {
		ps = append(ps, Without(settings.problems(source), ps)...)
	} else {
		ps = append(ps, Without(settings.previewProblems(ctx.Stack(), source), ps)...)
	}
	if len(ps) == 0 {
		settings.Cluster.Autoscales = settings.App.Autoscales()
		return settings, nil
	}
	return nil, fmt.Errorf("%s can't be used:\n%w", source.Name, ps.Err())
}

// complete fills in what one part of the config says for another.
func (s *Settings) complete(ctx *pulumi.Context) {
	s.Cluster.Region = s.Region
	s.Cluster.InternalLoadBalancer = s.App.Nginx.Internal
	s.Cluster.LoadBalancerClass = s.App.Nginx.LoadBalancer.Class
	s.Cluster.OtherLoadBalancer = s.App.Nginx.LoadBalancer.OtherController()
	s.Cluster.ClientSecurityGroupIDs = s.Database.Network.ClientSecurityGroupIDs
	s.Database.Region = s.Region
	if s.Domain != nil {
		s.App.Nginx.Domain = nginx.DomainArgs{Name: s.Domain.Name, Aliases: s.Domain.Aliases, RedirectFrom: s.Domain.RedirectFrom}
	}
	if s.Domain != nil && s.Domain.Previews {
		s.Database.Previews, s.App.Nginx.Domain.Previews = true, strings.TrimSuffix(DefaultNamespace(ctx.Project(), aPreview), aPreview)
	}
	if s.App.Namespace == "" {
		s.App.Namespace = DefaultNamespace(ctx.Project(), ctx.Stack())
	}
	if s.PreviewOf != "" {
		s.completePreview()
	}
	s.Alarms.TopicARN, s.Alarms.Region, s.Alarms.EKS = s.Database.AlarmTopicARN, s.Region, s.Cluster.EKS
	s.Alarms.Namespace, s.Alarms.Internal, s.Alarms.Jobs = s.App.Namespace, s.App.Nginx.Internal, s.App.Jobs
}

var notInNamespaces = regexp.MustCompile(`[^a-z0-9]+`)

// DefaultNamespace is <project>-<stack>, in the letters that Kubernetes takes.
func DefaultNamespace(project, stack string) string {
	return strings.Trim(notInNamespaces.ReplaceAllString(strings.ToLower(project+"-"+stack), "-"), "-")
}

// problems are the components' own, with whole keys as paths.
func (s *Settings) problems(source Source) problems.List {
	mostPods := s.App.Backend.Replicas.Max
	ps := slices.Concat(
		keys.Table{RegionKey(&s.Region), s.allowKey()}.Problems(),
		s.Cluster.Complete().Under("cluster"),
		s.Database.Complete().Under("database"),
		s.domainProblems(),
		s.App.Complete(),
		s.Alarms.Complete().Under("alarms"),
		s.digestProblems(),
	)
	if len(ps) == 0 {
		if mostPods == 0 {
			s.fitBackend()
		}
		ps = s.connectionProblems()
	}
	if s.Cluster.Kubeconfig != nil {
		ps = append(ps, s.Database.Network.Problems().Under("database.network")...)
	}
	ps = append(ps, s.permissionsProblems()...)
	for i, problem := range ps {
		ps[i] = source.whole(problem)
	}
	return ps
}

func (s *Settings) permissionsProblems() problems.List {
	if s.Cluster.Kubeconfig == nil || s.App.Backend.Permissions == nil {
		return nil
	}
	return problems.List{{Path: "backend.permissions", Value: "given with cluster.kubeconfig", Want: "cluster.eks: only EKS hands out credentials"}}
}

func (s *Settings) domainProblems() problems.List {
	if s.Domain == nil {
		return nil
	}
	ps := s.Domain.Complete().Under("domain")
	if s.Domain.Previews {
		ps = append(ps, s.hostProblems()...)
	}
	return ps
}

// whole names a component's problem by the key in the stack config, and hides what may be secret: of a key that holds
// a secret, only values that no secret looks like are shown.
func (source Source) whole(problem problems.Problem) problems.Problem {
	switch problem.Path {
	case "aws:region", "database.region":
		problem.Path = "aws:region"
		return problem
	case previewOf:
		return problem
	case "database.alarms.topicArn":
		problem.Path = "alarms.topicArn"
	}
	key, _, _ := strings.Cut(problem.Path, ".")
	problem.Path = Namespace + ":" + problem.Path
	if source.Secret(Namespace+":"+key) && problem.Value != "" && !plainValue.MatchString(problem.Value) {
		problem.Value = keys.Hidden
	}
	return problem
}

// plainValue is a small number or a boolean.
var plainValue = regexp.MustCompile(`^(-?\d{1,6}|true|false)$`)

// Without drops the problems of keys that something is known to be wrong with: what wasn't read would only be
// reported as missing.
func Without(ps, known problems.List) problems.List {
	var kept problems.List
	for _, problem := range ps {
		told := func(earlier problems.Problem) bool {
			return problem.Path == earlier.Path || strings.HasPrefix(problem.Path, earlier.Path+".") ||
				strings.HasPrefix(problem.Path, earlier.Path+"[")
		}
		if !slices.ContainsFunc(known, told) && !slices.ContainsFunc(kept, told) {
			kept = append(kept, problem)
		}
	}
	return kept
}

// keys are the top-level keys, with the place that each value goes to.
func (s *Settings) keys() keys.Table {
	own := s.ownKeys()
	for _, key := range own {
		key.Name = Namespace + ":" + key.Name
	}
	return append(keys.Table{RegionKey(&s.Region), s.previewKey()}, own...)
}

// ownKeys are those of the program itself, without its namespace.
func (s *Settings) ownKeys() keys.Table {
	return slices.Concat(keys.Table{
		keys.Object("cluster", s.Cluster.Keys()).Required().
			Doc("The Kubernetes cluster of the app: an EKS cluster by name, or any other cluster by kubeconfig."),
	}, s.App.NamespaceKeys(), keys.Table{
		keys.Object("database", append(s.Database.Keys(), s.App.ClientImageKey())).Required().
			Doc("The Amazon RDS PostgreSQL instance."),
		keys.Object("alarms", append(keys.Table{s.Database.TopicKey()}, s.Alarms.Keys()...)).Otherwise("no alarms").
			Doc("The alarms and the dashboard. [The alarms](operate/alarms.md) lists each one with its threshold and its source of data."),
	}, s.App.TierKeys(), keys.Table{
		keys.Optional("domain", &s.Domain, (*domain.DomainArgs).Keys).Otherwise("none: url is the load balancer's").
			Doc("The public names of the app, with certificates, HTTPS and DNS records that the stack owns."),
		s.allowKey(),
	}, s.App.PodKeys())
}

// RegionKey is the aws provider's.
func RegionKey(into *string) *keys.Key {
	return keys.Text("aws:region", into).OneOf(rdsca.Regions()...).Want("one of " + strings.Join(rdsca.Regions(), ", ")).
		Words("a region whose RDS root certificates are part of the program").Required().Example("eu-west-1").
		Doc("The AWS region of all resources. The key belongs to the aws provider.")
}

// OwnKeys are the program's own, without its namespace: the inputs of a component.
func OwnKeys() keys.Table { return new(Settings).ownKeys() }

// The stack's exceptions.
const (
	// AllowTags is the one for images without digests.
	AllowTags = "tags"
	// Lose begins those for what a change loses, which only the gate of make plan knows: the program takes any.
	Lose = "lose "
	// PlainText begins those for values that look like secrets in plain text and are none. The gate reads the file; the
	// program can't see which of its values were encrypted.
	PlainText = "plain text of "
)

func (s *Settings) allowKey() *keys.Key {
	return s.Allow.Key(constraint.Text{Pattern: "^(" + AllowTags + "|" + Lose + `\S+|` + PlainText + `.+)$`, Want: "tags, lose and a name, like lose database, or plain text of and a key"}).
		Was(Namespace+":allowTags", "{ tags: the reason }").Was("plan:dataLoss", "{ lose database: the reason }").
		Example(`{tags: "our registry has no digests"}`).
		Doc("Exceptions of the stack, each with the reason. tags: a stack with a durable database names images by tag; without it, every image must have a digest. " +
			"lose and a name: a loss that make plan names and would refuse. plain text of and a key: a value that make plan takes for a secret and that is none. An exception that nothing needs is refused.")
}

// Keys are the top-level keys of the stack config, with all below them.
func Keys() keys.Table { return new(Settings).keys() }
