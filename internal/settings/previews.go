package settings

import (
	"regexp"
	"slices"
	"strconv"

	"threetier/components/app/pods"
	"threetier/components/database"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

const previewOf = Namespace + ":previewOf"

// aPreview is the name of a stack that may be a preview.
const aPreview = "pr-1"

// previewName is what nginx takes for a preview in a host.
var previewName = regexp.MustCompile("^pr-[1-9][0-9]{0,8}$")

// ofTheOther are the keys that a preview has from the other stack.
var ofTheOther = []string{"cluster", "namespace", "adopt", "database", "alarms", "domain"}

// previewDrainSeconds is the minimum: no load balancer has to forget a preview's nginx.
const previewDrainSeconds = 5

// previewKey is no input of a component: a preview is a stack of the program.
func (s *Settings) previewKey() *keys.Key {
	return keys.Text(previewOf, &s.PreviewOf).Match("^[A-Za-z0-9._-]{1,100}$", "the name of a stack").
		Otherwise("none: the stack is no preview").Example("dev").
		Doc("Makes the stack, whose name is pr- and a number, a [preview](how-to/previews.md) of the stack with this name, which has domain.previews. " +
			"It runs in that stack's cluster, in its database instance and behind its NGINX. " +
			"It has no cluster, database, domain, alarms, namespace and adopt of its own. By default it has one pod of each tier. Its jobs run by hand.")
}

// unlessPreview holds a schema to what a preview leaves out, and other stacks don't.
func unlessPreview(config keys.Schema) {
	left := keys.Schema{}
	for _, key := range ofTheOther {
		left[Namespace+":"+key] = false
	}
	always := []string{Namespace + ":backend"}
	config["if"], config["then"] = keys.Schema{"required": []string{previewOf}}, keys.Schema{"properties": left}
	config["else"] = keys.Schema{"required": slices.DeleteFunc(config["required"].([]string), func(name string) bool { return slices.Contains(always, name) })}
	config["required"] = always
}

// hostProblems are those of a stack that lets previews in.
func (s *Settings) hostProblems() (ps problems.List) {
	refuse := func(want string) {
		ps = append(ps, problems.Problem{Path: "domain.previews", Value: "true", Want: want})
	}
	if lifecycle := s.Database.Lifecycle; lifecycle != database.Disposable {
		refuse("false with database.lifecycle " + string(lifecycle) + ": previews run code that nobody has approved, beside the data")
	}
	// Before 16, who may create roles may also become this stack's.
	if major, err := strconv.Atoi(s.Database.EngineVersion); err == nil && major < 16 {
		refuse("false with database.engineVersion " + s.Database.EngineVersion + ", or 16 or later")
	}
	if s.App.Adopt != "" {
		refuse("false with adopt: a preview's namespace is the program's own")
	}
	return ps
}

// completePreview fills in what a preview has less of than other stacks.
func (s *Settings) completePreview() {
	s.Database.Lifecycle = database.Disposable
	one := func(replicas *pods.ReplicaArgs) {
		if *replicas == (pods.ReplicaArgs{}) {
			*replicas = pods.ReplicaArgs{Min: 1, Max: 1}
		}
	}
	one(&s.App.Nginx.Replicas)
	one(&s.App.Backend.Replicas)
	if s.App.Frontend != nil {
		one(&s.App.Frontend.Replicas)
	}
	for name, job := range s.App.Jobs {
		job.Schedule, job.TimeZone = "", ""
		s.App.Jobs[name] = job
	}
	if s.App.Nginx.DrainSeconds == 0 {
		s.App.Nginx.DrainSeconds = previewDrainSeconds
	}
}

// previewProblems are those of a preview, with whole keys as paths.
func (s *Settings) previewProblems(stack string, source Source) problems.List {
	ps := slices.Concat(keys.Table{s.previewKey()}.Required().Problems(), keys.Table{s.allowKey()}.Problems())
	if !previewName.MatchString(stack) {
		ps = append(ps, problems.Problem{Path: "stack", Value: strconv.Quote(stack), Want: "pr- and a number, as " + aPreview + ", beside " + previewOf})
	}
	for _, key := range ofTheOther {
		if slices.Contains(source.Names, Namespace+":"+key) {
			ps = append(ps, problems.Problem{Path: key, Value: "given beside previewOf", Want: "none: a preview has that of " + s.PreviewOf})
		}
	}
	if s.App.Backend.Permissions != nil {
		ps = append(ps, problems.Problem{Path: "backend.permissions", Value: "given beside previewOf", Want: "none: a preview makes nothing in AWS"})
	}
	ps = slices.Concat(ps, s.App.Complete(), s.digestProblems())
	for i, problem := range ps {
		if problem.Path != "stack" {
			ps[i] = source.whole(problem)
		}
	}
	return ps
}
