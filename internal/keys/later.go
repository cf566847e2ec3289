package keys

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// Input is what a program of another language gives for a key.
type Input struct {
	// Value tells of each value inside whether it is secret, known, or another resource's.
	property.Value
	// Output waits for the resources that the value is from: a pulumi.Map of an object has one for each key.
	Output pulumi.Input
}

// later is a value that a resource waits for.
type later struct{ text pulumi.StringOutput }

// MarshalJSON keeps it out of messages.
func (later) MarshalJSON() ([]byte, error) { return json.Marshal(Hidden) }

// ReadInput is Read of an input.
func (k *Key) ReadInput(in Input, kept []string) problems.List {
	r := &reader{kept: kept}
	if value := k.settle(r, k.Name, in); value != nil {
		k.read(r, k.Name, value)
	}
	return r.problems
}

// settle is the input as in the stack config, with a later in the place of what a resource is to wait for: a secret, or what
// another resource answers. It leaves out what can't be a secret, or isn't known although it decides what is registered.
func (k *Key) settle(r *reader, path string, in Input) any {
	inside := func(path string, k *Key, value property.Value, output pulumi.Input) any {
		value = value.WithSecret(value.Secret() || in.Secret()).WithDependencies(append(value.Dependencies(), in.Dependencies()...))
		return k.settle(r, path, Input{value, output})
	}
	switch {
	case in.IsNull():
		return nil
	case in.IsMap():
		fields, each := map[string]any{}, pulumi.Map{}
		if all, isMap := in.Output.(pulumi.Map); isMap {
			each = all
		}
		for name, field := range in.AsMap().AllStable {
			fields[name] = inside(path+"."+name, k.below(name), field, cmp.Or(each[name], in.Output))
		}
		return fields
	case in.IsArray():
		items := make([]any, in.AsArray().Len())
		for i, item := range in.AsArray().All {
			items[i] = inside(fmt.Sprintf("%s[%d]", path, i), k.below(""), item, in.Output)
		}
		return items
	case in.Secret() && !k.Secret:
		r.refuseSecret(path, later{})
	case k.waits && (in.Secret() || in.IsComputed() || len(in.Dependencies()) > 0):
		value, output := in.Value, pulumi.ToOutput(in.Output)
		if !value.Secret() {
			output = pulumi.Unsecret(output) // it is what stands beside the value that is secret
		}
		return later{output.ApplyT(func(any) string { return fmt.Sprint(written(value)) }).(pulumi.StringOutput)}
	case in.IsComputed():
		r.problems = append(r.problems, problems.Problem{
			Path: path, Value: "not known in this preview", Want: "a value that is known before the stack's resources are registered",
		})
	case in.Secret() && !in.IsString():
		r.refuse(path, later{}, "a string")
	default:
		return written(in.Value)
	}
	return nil
}

// written is a scalar as it stands in the stack config, where there is no asset and no resource.
func written(value property.Value) any {
	switch {
	case value.IsBool():
		return value.AsBool()
	case value.IsString():
		return value.AsString()
	case value.IsNumber():
		return json.Number(strconv.FormatFloat(value.AsNumber(), 'f', -1, 64))
	}
	return struct{}{}
}

// below is the row of a value inside of this one's; this one itself, where the values are no objects.
func (k *Key) below(name string) *Key {
	if k.IsList() || k.IsMap() {
		return &Key{Type: "object", Keys: k.Keys}
	}
	if i := slices.IndexFunc(k.Keys, func(key *Key) bool { return key.Name == name }); i >= 0 {
		return k.Keys[i]
	}
	return k
}
