// Package plan writes down what a stack would register, and tells what has changed since another commit: what a
// reviewer wants to see of a pull request, without a credential.
package plan

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/gate/plan/replacement"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/allow"
	"threetier/internal/platform"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// Plan is every resource that a stack registers, in the order of the flow.
type Plan struct {
	// Stack is the stack's name.
	Stack string `yaml:"stack"`
	// Connections is the sum of the database connections that the pods may open.
	Connections string `yaml:"connections,omitempty"`
	// Costs are what a preview costs.
	Costs string `yaml:"costs,omitempty"`
	// Resources are the stack's: each component, then what is in it.
	Resources []Resource `yaml:"resources"`

	// Allow are the stack config's exceptions for the stack as a whole: losses, among others.
	Allow allow.List `yaml:"-"`
}

// Resource is one that the stack registers.
type Resource struct {
	// Type is the type token, Name the logical name.
	Type string `yaml:"type"`
	Name string `yaml:"name"`
	// Parent is the component that it is part of; empty for the stack's own.
	Parent string `yaml:"parent,omitempty"`
	// After are what it waits for beyond what its inputs refer to.
	After []string `yaml:"after,omitempty"`
	// Protect refuses deletion.
	Protect bool `yaml:"protect,omitempty"`
	// DeleteBeforeReplace has the old one gone before there is a new one.
	DeleteBeforeReplace bool `yaml:"deleteBeforeReplace,omitempty"`
	// IgnoreChanges are the inputs that count at creation only.
	IgnoreChanges []string `yaml:"ignoreChanges,omitempty"`
	// Timeouts are how long Pulumi waits for it, by what it does.
	Timeouts map[string]string `yaml:"timeouts,omitempty"`
	// Inputs are what the program asks for. <Kind name> stands for what is only known once that resource exists.
	Inputs map[string]any `yaml:"inputs,omitempty"`
}

// Label is the resource as others refer to it: Instance database.
func (r Resource) Label() string { return label(r.Type, r.Name) }

func label(typ, name string) string {
	return typ[strings.LastIndexAny(typ, ":/")+1:] + " " + name
}

// allowKey is the key of the exceptions in the stack's config.
func (p *Plan) allowKey() string {
	if strings.HasPrefix(p.Stack, project.Platform) {
		return platform.Namespace + ":allow"
	}
	return settings.Namespace + ":allow"
}

// Build is the plan of the stack whose config is in the folder; of a platform, if its name begins so.
func Build(root, name string) (*Plan, error) {
	plan := &Plan{Stack: name}
	folder, program := root, func(ctx *pulumi.Context) error {
		if config, err := settings.Load(ctx); err == nil {
			plan.Connections = config.Connections()
		}
		return stack.Deploy(ctx)
	}
	if ofPlatform, isPlatform := strings.CutPrefix(name, project.Platform); isPlatform {
		folder, name, program = filepath.Join(root, project.PlatformFolder), ofPlatform, platform.Deploy
	}
	options, err := Input(folder, name)
	if err != nil {
		return nil, err
	}
	region, err := options.Config.Text("aws:region")
	if err != nil {
		return nil, fmt.Errorf("read aws:region: %w", err)
	}
	options.ID, options.Answer = reference, references
	if err := options.Config.Decode(plan.allowKey(), &plan.Allow); err != nil {
		return nil, fmt.Errorf("read %s: %w", plan.allowKey(), err)
	}
	recording, err := recorder.Run(program, options)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", plan.Stack, err)
	}
	plan.Costs = costsOfPreview(recording)
	if region != "" { // which a preview has none of: it registers nothing in AWS
		plan.Resources = append(plan.Resources, Resource{
			Type: replacement.AWS, Name: "default", Inputs: map[string]any{"region": region},
		})
	}
	flow := newFlow(recording.Resources)
	for _, res := range flow.inOrder() {
		plan.Resources = append(plan.Resources, flow.planned(res))
	}
	return plan, nil
}

// costsOfPreview are empty of a stack that is none. It has a quota, and nothing in AWS: others pay for what it uses there.
func costsOfPreview(recording *recorder.Recording) string {
	for _, res := range recording.Resources {
		if strings.HasPrefix(res.Type, "aws:") {
			return ""
		}
	}
	for _, quota := range recording.All("kubernetes:core/v1:ResourceQuota") {
		hard := quota.Inputs["spec"].ObjectValue()["hard"].ObjectValue()
		return fmt.Sprintf("0.00 dollars a day, and its pods' part of the nodes: at most %s of CPU and %s of memory",
			hard["requests.cpu"].StringValue(), hard["limits.memory"].StringValue())
	}
	return ""
}

func (f *flow) planned(res recorder.Resource) Resource {
	inputs := shown(res)
	// The type says both.
	delete(inputs, "kind")
	delete(inputs, "apiVersion")
	out := Resource{
		Type: res.Type, Name: res.Name,
		Protect: res.Protect, DeleteBeforeReplace: res.DeleteBeforeReplace, IgnoreChanges: res.IgnoreChanges, Timeouts: res.Timeouts,
		Inputs: inputs,
	}
	if parent, hasParent := f.resources[res.Parent]; hasParent {
		out.Parent = label(parent.Type, parent.Name)
	}
	text := fmt.Sprint(inputs)
	for _, urn := range f.before(res) {
		other := f.resources[urn]
		if !strings.Contains(text, reference(other)) {
			out.After = append(out.After, label(other.Type, other.Name))
		}
	}
	slices.Sort(out.After)
	return out
}

// reference stands for a resource's id, and for an automatic name.
func reference(res recorder.Resource) string { return "<" + label(res.Type, res.Name) + ">" }

// references stand for what the provider answers.
func references(res recorder.Resource) resource.PropertyMap {
	ref := reference(res)
	text := resource.NewProperty[string]
	answers := resource.PropertyMap{}
	switch res.Type {
	case "aws:rds/instance:Instance":
		answers["address"] = text(ref + ".address")
		answers["arn"] = text(ref + ".arn")
		if port, given := res.Inputs["port"]; given {
			answers["endpoint"] = text(fmt.Sprintf("%s.address:%v", ref, port.NumberValue()))
		}
	case "aws:rds/subnetGroup:SubnetGroup", "aws:rds/parameterGroup:ParameterGroup", "aws:iam/role:Role":
		answers["name"] = text(ref)
		answers["arn"] = text(ref + ".arn")
	case "aws:eks/cluster:Cluster":
		answers["arn"], answers["endpoint"] = text(ref+".arn"), text(ref+".endpoint")
	case "aws:iam/openIdConnectProvider:OpenIdConnectProvider", "aws:iam/policy:Policy", "aws:sns/topic:Topic", "aws:cloudwatch/logGroup:LogGroup":
		answers["arn"] = text(ref + ".arn")
	case "aws:acm/certificate:Certificate":
		answers["arn"] = text(ref + ".arn")
		answers["domainValidationOptions"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{
			"resourceRecordName": text(ref + ".validation.name"), "resourceRecordValue": text(ref + ".validation.value"),
		})})
	case "aws:secretsmanager/secretVersion:SecretVersion":
		// Templates that the password is put into are shown with this in its place.
		answers["secretString"] = resource.MakeSecret(text(password))
	}
	if metadata, given := res.Inputs["metadata"]; given && metadata.IsObject() {
		named := metadata.ObjectValue().Copy()
		if _, hasName := named["name"]; !hasName {
			named["name"] = text(ref)
		}
		answers["metadata"] = resource.NewProperty(named)
	}
	return answers
}

const header = `# What the stack %s registers. Written by make plan: don't edit.
# <Kind name> stands for what is only known once that resource exists, [secret] for a secret. What is looked up in
# the account (the cluster's endpoint, VPC, subnets and security group) is a stand-in, the same for everybody.
`

// Text is the plan as it is committed.
func (p *Plan) Text() ([]byte, error) {
	body, err := encoding.YAML.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the plan of %s: %w", p.Stack, err)
	}
	return append(fmt.Appendf(nil, header, p.Stack), body...), nil
}

// Parse reads what Text wrote.
func Parse(text []byte) (*Plan, error) {
	plan := &Plan{}
	if err := encoding.YAML.Unmarshal(bytes.TrimSpace(text), plan); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return plan, nil
}
