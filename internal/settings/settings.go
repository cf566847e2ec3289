// Package settings turns the stack config into the components' args. All that is wrong comes in one error, a line
// each, before anything is registered.
package settings

import (
	"encoding/json"
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
	"threetier/internal/problems"
)

// Namespace is what the program's own config keys begin with, whatever the project is called.
const Namespace = "threetier"

// Settings are what a stack config asks for.
type Settings struct {
	// Region is the AWS region: the aws provider's own setting.
	Region string
	// Cluster is where the app runs.
	Cluster cluster.ClusterArgs
	// Database is where it keeps its data. Its network is empty where the cluster's is meant.
	Database database.DatabaseArgs
	// App is what runs, without its database connection.
	App app.AppArgs
	// Alarms watch the app, without what the others answer.
	Alarms alarms.AlarmsArgs
	// Domain has the app's public names. Default: none.
	Domain *domain.DomainArgs
	// AllowTags is the reason why a stack whose data lasts names images by tag. Default: none, so digests are wanted.
	AllowTags string
}

// Load reads the stack config.
func Load(ctx *pulumi.Context) (*Settings, error) {
	settings := &Settings{}
	ps := unknown(ctx.Project(), configNames(ctx))
	for _, key := range keys(settings) {
		ps = append(ps, load(ctx, key)...)
	}
	ps = append(ps, credentials(configNames(ctx), settings.Cluster.EKS)...)
	settings.complete(ctx)
	ps = slices.Concat(ps, without(settings.problems(ctx), ps))
	if len(ps) == 0 {
		settings.Cluster.Autoscales = settings.App.Autoscales()
		return settings, nil
	}
	return nil, fmt.Errorf("the stack config of %s can't be used:\n%w", ctx.Stack(), ps.Err())
}

// load reads one top-level key.
func load(ctx *pulumi.Context, key Key) problems.List {
	raw, given := ctx.GetConfig(key.Name)
	if !given {
		return nil
	}
	r := &reader{secret: ctx.IsConfigSecret(key.Name), used: key.Secret}
	var value any = raw
	if len(key.Kind.Keys) > 0 {
		decoder := json.NewDecoder(strings.NewReader(raw))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			value = raw
		}
	}
	key.Kind.read(r, key.Name, value)
	if r.secret && !r.used {
		r.refuse(key.Name, raw, "no secret value here: only "+strings.Join(secretKeys(), ", ")+" are kept secret")
	}
	return r.problems
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
	if s.App.Namespace == "" {
		s.App.Namespace = DefaultNamespace(ctx.Project(), ctx.Stack())
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
func (s *Settings) problems(ctx *pulumi.Context) problems.List {
	ps := slices.Concat(
		database.RegionConstraint.Required("aws:region", s.Region),
		s.Cluster.Problems().Under("cluster"),
		s.Database.Problems().Under("database"),
		s.domainProblems(),
		s.App.Problems(),
		s.Alarms.Problems().Under("alarms"),
		s.digestProblems(),
	)
	if len(ps) == 0 {
		ps = s.connectionProblems()
	}
	network := s.Database.Network.GivenProblems()
	if s.Cluster.Kubeconfig != nil {
		network = s.Database.Network.Problems()
		if s.App.Backend.Permissions != nil {
			ps = append(ps, problems.Problem{Path: "backend.permissions", Value: "given with cluster.kubeconfig", Want: "cluster.eks: only EKS hands out credentials"})
		}
	}
	ps = append(ps, network.Under("database.network")...)
	for i, problem := range ps {
		ps[i] = whole(ctx, problem)
	}
	return ps
}

func (s *Settings) domainProblems() problems.List {
	if s.Domain == nil {
		return nil
	}
	return s.Domain.Problems().Under("domain")
}

// whole names a component's problem by the key in the stack config, and hides what may be secret: of a key that holds
// a secret, only values that no secret looks like are shown.
func whole(ctx *pulumi.Context, problem problems.Problem) problems.Problem {
	switch problem.Path {
	case "aws:region", "database.region":
		problem.Path = "aws:region"
		return problem
	case "database.alarms.topicArn":
		problem.Path = "alarms.topicArn"
	}
	key, _, _ := strings.Cut(problem.Path, ".")
	problem.Path = Namespace + ":" + problem.Path
	if ctx.IsConfigSecret(Namespace+":"+key) && problem.Value != "" && !plainValue.MatchString(problem.Value) {
		problem.Value = hidden
	}
	return problem
}

// plainValue is a small number or a boolean.
var plainValue = regexp.MustCompile(`^(-?\d{1,6}|true|false)$`)

// without drops the problems of keys that something is known to be wrong with: what wasn't read would only be
// reported as missing.
func without(ps, known problems.List) problems.List {
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

// Keys are the top-level keys of the stack config, with all below them: the one source for the reference.
func Keys() []Key { return keys(&Settings{}) }

// secretKeys are the paths whose values may be secret.
func secretKeys() []string {
	var paths []string
	var walk func(prefix string, keys []Key)
	walk = func(prefix string, keys []Key) {
		for _, key := range keys {
			if key.Secret {
				paths = append(paths, prefix+key.Name)
			}
			walk(prefix+key.Name+"."+anyName(key), key.Kind.Keys)
		}
	}
	walk("", Keys())
	return paths
}

func sorted(fields map[string]any) []string { return slices.Sorted(maps.Keys(fields)) }
