package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/api/resource"

	db "threetier/components/database"
	"threetier/gate/plan"
)

//go:embed scale.md.tmpl
var pageTemplate string

// processors is what AWS documents of a class: its virtual processors, and the share of each that it may use for ever.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html
type processors struct {
	Count    int
	Baseline float64
}

var classes = map[string]processors{
	"db.t4g.micro": {2, 0.10}, "db.t4g.small": {2, 0.20}, "db.t4g.medium": {2, 0.20}, "db.t4g.large": {2, 0.30},
	"db.m7g.large": {2, 1}, "db.m7g.xlarge": {4, 1}, "db.m7g.2xlarge": {8, 1}, "db.m7g.4xlarge": {16, 1},
}

// tier is what a stack has of one, at the most. CPU is in thousandths of a processor.
type tier struct {
	Name           string
	Pods           int
	Request, Limit int
}

// stack is what the plan says of one.
type stack struct {
	Name        string
	Tiers       map[string]tier
	Class       string
	Connections string
}

// bound is how many requests of a kind a tier does in a second: with the CPU that it always gets, and with the most that it
// may take where the nodes, or the credits of a class, have more.
type bound struct {
	Tier, Has      string
	Sure, AtTheMax float64
}

var titles = map[string]string{nginx: "NGINX", frontend: "the frontend", backend: "the backend", database: "the database"}

// functions are those of the template.
var functions = template.FuncMap{
	"bounds":      bounds,
	"cores":       func(perSecond float64, l load, tier string) string { return rounded(perSecond * l.CPU[tier] / 1e6) },
	"connections": func(class string) int { return db.DatabaseArgs{InstanceClass: class}.Connections() },
	"firstAtMost": func(all []bound) bound { return first(all, func(b bound) float64 { return b.AtTheMax }) },
	"firstSure":   func(all []bound) bound { return first(all, func(b bound) float64 { return b.Sure }) },
	"list":        func(items ...string) []string { return items },
	"micro":       func(value float64) string { return strconv.FormatFloat(value, 'f', 0, 64) },
	"millis":      func(value float64) string { return strconv.FormatFloat(value, 'f', 1, 64) },
	"processors":  func(class string) int { return classes[class].Count },
	"rate":        func(cost float64) float64 { return 1e6 / cost },
	"round":       rounded,
	"tiers":       tiers,
	"times":       func(factor int, rate float64) float64 { return float64(factor) * rate },
	"title":       func(tier string) string { return titles[tier] },
}

// tiers are those that work for a request, in the order of its way.
func tiers(l load) []string {
	return slices.DeleteFunc([]string{nginx, frontend, backend, database}, func(tier string) bool { return l.CPU[tier] == 0 })
}

// render is the page, from the last figures and the present stack configs.
func render(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, figuresFile))
	if err != nil {
		return "", err
	}
	var measured figures
	if err := json.Unmarshal(text, &measured); err != nil {
		return "", fmt.Errorf("read %s: %w", figuresFile, err)
	}
	var stacks []stack
	for _, name := range []string{"dev", "prod"} {
		planned, err := plan.Build(root, name)
		if err != nil {
			return "", err
		}
		s, err := read(planned)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		stacks = append(stacks, s)
	}
	page, err := template.New("scale.md").Funcs(functions).Option("missingkey=error").Parse(pageTemplate)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Figures": measured, "Stacks": stacks})
	return out.String(), err
}

// read takes from the plan what bounds a stack.
func read(planned *plan.Plan) (stack, error) {
	s := stack{Name: planned.Stack, Tiers: map[string]tier{}, Connections: planned.Connections}
	most := map[string]int{}
	for _, res := range planned.Resources {
		var in inputs
		name, isTier := strings.CutPrefix(res.Name, "app-")
		switch res.Type {
		case "aws:rds/instance:Instance":
			if res.Inputs["replicateSourceDb"] == nil {
				s.Class = fmt.Sprint(res.Inputs["instanceClass"])
			}
			continue
		case "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "kubernetes:apps/v1:Deployment":
			if err := in.read(res); err != nil {
				return stack{}, err
			}
		}
		switch containers := in.Spec.Template.Spec.Containers; {
		case in.Spec.MaxReplicas > 0:
			most[name] = in.Spec.MaxReplicas
		case isTier && len(containers) > 0:
			of := containers[0].Resources
			if of.Requests.CPU.IsZero() || of.Limits.CPU.IsZero() {
				return stack{}, fmt.Errorf("%s has no request or no limit of CPU, want both", res.Name)
			}
			s.Tiers[name] = tier{name, in.Spec.Replicas, int(of.Requests.CPU.MilliValue()), int(of.Limits.CPU.MilliValue())}
		}
	}
	for name, pods := range most {
		if t, isTier := s.Tiers[name]; isTier {
			t.Pods = pods
			s.Tiers[name] = t
		}
	}
	if _, known := classes[s.Class]; !known {
		return stack{}, fmt.Errorf("instance class is %s, want one of %s: add its processors", s.Class, strings.Join(slices.Sorted(maps.Keys(classes)), ", "))
	}
	return s, nil
}

// inputs are what is read of a Deployment or an autoscaler.
type inputs struct {
	Spec struct {
		Replicas, MaxReplicas int
		Template              struct {
			Spec struct {
				Containers []struct {
					Resources struct {
						Requests, Limits struct{ CPU resource.Quantity }
					}
				}
			}
		}
	}
}

func (in *inputs) read(res plan.Resource) error {
	text, err := json.Marshal(res.Inputs)
	if err == nil {
		err = json.Unmarshal(text, in)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", res.Name, err)
	}
	return nil
}

// bounds are those of one kind of request, in the order of its way.
func bounds(s stack, l load) ([]bound, error) {
	var all []bound
	for _, name := range tiers(l) {
		perSecond := func(processors float64) float64 { return processors * 1e6 / l.CPU[name] }
		if name == database {
			class := classes[s.Class]
			all = append(all, bound{
				Tier: name, Has: fmt.Sprintf("%s: %d vCPU, baseline %.0f %%", s.Class, class.Count, class.Baseline*100),
				Sure: perSecond(float64(class.Count) * class.Baseline), AtTheMax: perSecond(float64(class.Count)),
			})
			continue
		}
		t, there := s.Tiers[name]
		if !there {
			return nil, fmt.Errorf("%s has no Deployment of %s", s.Name, name)
		}
		all = append(all, bound{
			Tier: name, Has: fmt.Sprintf("%d pods with %dm, at most %dm", t.Pods, t.Request, t.Limit),
			Sure: perSecond(float64(t.Pods*t.Request) / 1000), AtTheMax: perSecond(float64(t.Pods*t.Limit) / 1000),
		})
	}
	return all, nil
}

// first is the bound that is met first.
func first(all []bound, of func(bound) float64) bound {
	return slices.MinFunc(all, func(a, b bound) int { return cmp.Compare(of(a), of(b)) })
}

// rounded shows two digits: the figures are no better.
func rounded(value float64) string {
	if value <= 0 {
		return "0"
	}
	shown, err := strconv.ParseFloat(strconv.FormatFloat(value, 'e', 1, 64), 64)
	if err != nil {
		return "0"
	}
	return strconv.FormatFloat(shown, 'f', -1, 64)
}
