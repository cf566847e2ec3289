// Package recorder runs a Pulumi program without an engine: it records what the program registers, answers the
// lookups that the program is known to make, and fails on any other.
package recorder

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/gate/project"
	"threetier/internal/kube"
)

// Resource is one that the program registered.
type Resource struct {
	// Type is the type token, Name the logical name.
	Type, Name string
	// URN is the resource's own, Parent its parent's; the stack's own children have an empty Parent.
	URN, Parent string
	// Provider is the explicit provider that manages it, as <urn>::<id>; empty for the default one.
	Provider string
	// Inputs are what the program asked for; secrets are marked as such.
	Inputs resource.PropertyMap
	// DependsOn are the URNs of what it waits for.
	DependsOn []string
	// IgnoreChanges are the inputs that count at creation only.
	IgnoreChanges []string
	// ReplaceOnChanges are the inputs that can't change in place.
	ReplaceOnChanges []string
	// Aliases are the URNs that the resource had before, or may have had.
	Aliases []string
	// Protect refuses deletion; DeleteBeforeReplace makes room for a replacement; RetainOnDelete only forgets.
	Protect, DeleteBeforeReplace, RetainOnDelete bool
	// Timeouts are how long the engine waits for it, by what it does: create, update, delete. Default: as long as the provider says.
	Timeouts map[string]string
	// Component tells that it only groups others.
	Component bool
}

// Lookup is one function that the program called.
type Lookup struct {
	// Token is the function's name, Provider the explicit provider that answered; empty for the default one.
	Token, Provider string
}

// Options are what a run starts from. The zero value is an empty stack config in the usual AWS account.
type Options struct {
	// Project is the project's name. Default: threetier.
	Project string
	// Stack is the stack's name. Default: dev.
	Stack string
	// Config is the stack config. Default: empty.
	Config *project.Config
	// Network is what the lookups find. Default: TwoZones.
	Network *Network
	// NoSecrets are the ARNs of secrets and parameters that aren't there. Default: each has SecretText.
	NoSecrets []string
	// NoAPIs are the Kubernetes APIs that the cluster doesn't serve, as v1beta1.metrics.k8s.io. Default: it serves all.
	NoAPIs []string
	// Objects are the labels of what is in the cluster, by path in the Kubernetes API. Default: the namespace that the config
	// adopts, else nothing.
	Objects map[string]map[string]string
	// Specs are those of Objects, by path. Default: none.
	Specs map[string]any
	// Outputs are those of the stack's last up. Default: it has had none.
	Outputs map[string]any
	// Others are the outputs of other stacks, by their names. Default: there are no others.
	Others map[string]map[string]any
	// RDS is what is there of databases. Default: nothing.
	RDS RDS
	// Names are what is there of public names. Default: zones of all names, and no pending certificate.
	Names Names
	// Answer adds to, or replaces, what a created resource answers beside its inputs. Default: nothing.
	Answer func(Resource) resource.PropertyMap
	// ID is a created resource's id, where it isn't empty. Default: one that stays the same from run to run.
	ID func(Resource) string
}

// Recording is what a run registered, in order of registration.
type Recording struct {
	Resources []Resource
	// Lookups are the functions that the program called, in order.
	Lookups []Lookup
	// APIs are the Kubernetes APIs that the program read, in order.
	APIs []string
	// Reads are the paths that the program asked the cluster for.
	Reads []string
	// Warnings are what the program warned of, in order.
	Warnings []string

	options Options
	mutex   sync.Mutex
}

// Run runs a program to its end. The recording is there even where it failed.
func Run(program pulumi.RunFunc, options Options) (*Recording, error) {
	options.Project = cmp.Or(options.Project, "threetier")
	options.Stack = cmp.Or(options.Stack, "dev")
	if options.Network == nil {
		options.Network = TwoZones()
	}
	recording := &Recording{options: options}
	var info pulumi.RunInfo
	pulumi.WithMocks(options.Project, options.Stack, recording)(&info)
	if options.Config != nil {
		var err error
		if info.Config, info.ConfigSecretKeys, err = options.Config.Program(); err != nil {
			return recording, err
		}
	}
	names, err := json.Marshal(info.Config)
	if err != nil {
		return recording, err
	}
	ctx, err := pulumi.NewContext(kube.WithTransport(context.Background(), recording), info)
	if err != nil {
		return recording, err
	}
	return recording, errors.Join(pulumi.RunWithContext(ctx, func(ctx *pulumi.Context) error {
		// As an engine does by a variable, which would be the same for all runs of a process.
		ctx = ctx.WithValue(pulumi.EnvConfig, string(names))
		ctx.Log = listener{ctx.Log, recording}
		return program(ctx)
	}), ctx.Close())
}

// Outputs are those that a run of the program exports, secrets among them, and its recording.
func Outputs(program pulumi.RunFunc, options Options) (map[string]any, *Recording, error) {
	var mutex sync.Mutex
	found := map[string]any{}
	recording, err := Run(func(ctx *pulumi.Context) error {
		if err := program(ctx); err != nil {
			return err
		}
		for name, value := range ctx.GetCurrentExportMap() {
			ctx.Export(name, pulumi.ToOutput(value).ApplyT(func(value any) any {
				mutex.Lock()
				defer mutex.Unlock()
				found[name] = value
				return value
			}))
		}
		return nil
	}, options)
	return found, recording, err
}

// listener keeps the warnings, which would go to the engine.
type listener struct {
	pulumi.Log
	recording *Recording
}

// Warn keeps a warning.
func (l listener) Warn(message string, args *pulumi.LogArgs) error {
	l.recording.mutex.Lock()
	l.recording.Warnings = append(l.recording.Warnings, message)
	l.recording.mutex.Unlock()
	return l.Log.Warn(message, args)
}

// MustRun fails the test where the program fails.
func MustRun(t project.Test, program pulumi.RunFunc, options Options) *Recording {
	t.Helper()
	recording, err := Run(program, options)
	project.Must(t, err)
	return recording
}

// NewResource records a registration, and answers as the provider would.
func (r *Recording) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.RegisterRPC == nil {
		return r.read(args)
	}
	rpc := args.RegisterRPC
	registered := Resource{
		Type: args.TypeToken, Name: args.Name, Parent: rpc.GetParent(), Provider: rpc.GetProvider(), Inputs: args.Inputs,
		URN:           urn(r.options, rpc.GetParent(), args.TypeToken, args.Name),
		DependsOn:     rpc.GetDependencies(),
		IgnoreChanges: rpc.GetIgnoreChanges(), ReplaceOnChanges: rpc.GetReplaceOnChanges(), Protect: rpc.GetProtect(), DeleteBeforeReplace: rpc.GetDeleteBeforeReplace(), RetainOnDelete: rpc.GetRetainOnDelete(),
		Component: !rpc.GetCustom(),
	}
	limits := rpc.GetCustomTimeouts()
	registered.Timeouts = map[string]string{"create": limits.GetCreate(), "update": limits.GetUpdate(), "delete": limits.GetDelete()}
	maps.DeleteFunc(registered.Timeouts, func(_, limit string) bool { return limit == "" })
	for _, alias := range rpc.GetAliases() {
		former := alias.GetSpec()
		parent := cmp.Or(former.GetParentUrn(), rpc.GetParent())
		if former.GetNoParent() {
			parent = ""
		}
		registered.Aliases = append(registered.Aliases, cmp.Or(alias.GetUrn(), urn(r.options, parent, args.TypeToken, cmp.Or(former.GetName(), args.Name))))
	}
	if registered.Parent != "" && resource.URN(registered.Parent).Type() == resource.RootStackType {
		registered.Parent = ""
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.Resources = append(r.Resources, registered)
	id, state := answer(registered, r.options)
	return id, state, nil
}

// read answers with no more than that an API is there, or in the engine's words that it isn't.
func (r *Recording) read(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.TypeToken != "kubernetes:apiregistration.k8s.io/v1:APIService" {
		return "", nil, fmt.Errorf("read of %s %s: the program is to read APIs alone", args.TypeToken, args.Name)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.APIs = append(r.APIs, args.ID)
	if slices.Contains(r.options.NoAPIs, args.ID) {
		return "", nil, fmt.Errorf("%s: resource '%s' does not exist", args.Name, args.ID)
	}
	return args.ID, resource.PropertyMap{}, nil
}

// Call answers a lookup.
func (r *Recording) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.Lookups = append(r.Lookups, Lookup{Token: args.Token, Provider: args.Provider})
	if args.Token == "pulumi:pulumi:readStackOutputs" {
		name := args.Args["name"].StringValue()
		if name == r.options.Stack {
			return properties(fields{"outputs": r.options.Outputs}), nil
		}
		outputs, there := r.options.Others[name]
		if !there {
			return nil, fmt.Errorf("unknown stack %q", name)
		}
		return properties(fields{"outputs": outputs}), nil
	}
	if strings.HasPrefix(args.Token, "aws:rds/") {
		return r.options.RDS.answer(args.Token, args.Args)
	}
	if answer, known := r.options.secrets()[args.Token]; known {
		return answer(args.Args)
	}
	if answer, known := r.options.Names.lookups()[args.Token]; known {
		return answer(args.Args)
	}
	return r.options.Network.answer(args.Token, args.Args)
}

func urn(options Options, parent, typ, name string) string {
	var parentType tokens.Type
	if parent != "" && resource.URN(parent).QualifiedType() != resource.RootStackType {
		parentType = resource.URN(parent).QualifiedType()
	}
	return string(resource.NewURN(tokens.QName(options.Stack), tokens.PackageName(options.Project), parentType, tokens.Type(typ), name))
}

// One is the only resource of a type; anything else fails the test.
func (r *Recording) One(t project.Test, typ string) Resource {
	t.Helper()
	found := r.All(typ)
	if len(found) != 1 {
		t.Fatalf("%d resources are of type %s, want one", len(found), typ)
	}
	return found[0]
}

// All are the resources of a type.
func (r *Recording) All(typ string) []Resource {
	return slices.DeleteFunc(slices.Clone(r.Resources), func(res Resource) bool { return res.Type != typ })
}

// Named is the resource of that type and name; none fails the test.
func (r *Recording) Named(t project.Test, typ, name string) Resource {
	t.Helper()
	for _, res := range r.All(typ) {
		if res.Name == name {
			return res
		}
	}
	t.Fatalf("not registered: %s %s, among %s", typ, name, strings.Join(r.Names(), ", "))
	return Resource{}
}

// Names are all resources as "type name", sorted.
func (r *Recording) Names() []string {
	return r.names(func(Resource) bool { return true })
}

// Children are the resources whose parent is that one, as "type name", sorted.
func (r *Recording) Children(parent Resource) []string {
	return r.names(func(res Resource) bool { return res.Parent == parent.URN })
}

func (r *Recording) names(of func(Resource) bool) (names []string) {
	for _, res := range r.Resources {
		if of(res) {
			names = append(names, res.Type+" "+res.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Input is an input by its path, as "spec.template.spec"; nil where there is none. Secrets are opened.
func (res Resource) Input(t project.Test, path string) any {
	t.Helper()
	parsed := parsePath(t, path)
	value, found := parsed.Get(open(resource.NewProperty(res.Inputs)))
	if !found {
		return nil
	}
	return value.Mappable()
}

func parsePath(t project.Test, path string) resource.PropertyPath {
	t.Helper()
	parsed, err := resource.ParsePropertyPath(path)
	project.Must(t, err)
	return parsed
}

// SecretData are the values that a Kubernetes Secret holds. One that isn't marked as a secret fails the test.
func (res Resource) SecretData(t project.Test) map[string]string {
	t.Helper()
	values := map[string]string{}
	for key := range open(res.Inputs["data"]).ObjectValue() {
		path := fmt.Sprintf("data[%q]", key)
		decoded, err := base64.StdEncoding.DecodeString(fmt.Sprint(res.Input(t, path)))
		if err != nil || !res.IsSecret(t, path) {
			t.Fatalf("%s of %s is no secret in base64: %v", path, res.Name, err)
		}
		values[string(key)] = string(decoded)
	}
	return values
}

// IsSecret tells whether the input at the path, or what holds it, is a secret.
func (res Resource) IsSecret(t project.Test, path string) bool {
	t.Helper()
	parsed := parsePath(t, path)
	for i := 1; i <= len(parsed); i++ {
		if value, found := parsed[:i].Get(resource.NewProperty(res.Inputs)); found && value.IsSecret() {
			return true
		}
	}
	return false
}

// Plain are the inputs with every secret replaced: what may be shown.
func (res Resource) Plain() any {
	return Rewrite(resource.NewProperty(res.Inputs), func(value resource.PropertyValue, secret bool) resource.PropertyValue {
		if secret {
			return resource.NewProperty("[secret]")
		}
		return value
	}).Mappable()
}

// open removes the secret marks.
func open(value resource.PropertyValue) resource.PropertyValue {
	return Rewrite(value, func(value resource.PropertyValue, _ bool) resource.PropertyValue { return value })
}

// Rewrite replaces each text, number and the like in a value, at any depth. No secret marks are left: replace gets
// instead whether what it gets was part of a secret.
func Rewrite(value resource.PropertyValue, replace func(value resource.PropertyValue, secret bool) resource.PropertyValue) resource.PropertyValue {
	return rewrite(value, false, replace)
}

func rewrite(value resource.PropertyValue, secret bool, replace func(resource.PropertyValue, bool) resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return rewrite(value.SecretValue().Element, true, replace)
	case value.IsObject():
		object := resource.PropertyMap{}
		for key, field := range value.ObjectValue() {
			object[key] = rewrite(field, secret, replace)
		}
		return resource.NewProperty(object)
	case value.IsArray():
		items := make([]resource.PropertyValue, len(value.ArrayValue()))
		for i, item := range value.ArrayValue() {
			items[i] = rewrite(item, secret, replace)
		}
		return resource.NewProperty(items)
	}
	return replace(value, secret)
}
