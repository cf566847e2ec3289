package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
)

// input is one of the component's, whose output knows what it waits for.
type input struct{ output pulumi.Output }

// decode turns a value into what the keys are read from. What is secret, or another resource's, is a keys.Later, at any
// depth: of an object it is each value inside.
func (in input) decode(value resource.PropertyValue, secret, others bool) any {
	switch {
	case value.IsSecret():
		return in.decode(value.SecretValue().Element, true, others)
	case value.IsOutput() && value.OutputValue().Known:
		output := value.OutputValue()
		return in.decode(output.Element, secret || output.Secret, others || len(output.Dependencies) > 0)
	case value.IsOutput():
		return in.later(nil, secret || value.OutputValue().Secret)
	case value.IsComputed():
		return in.later(nil, secret)
	case value.IsNull():
		return nil
	case value.IsObject():
		fields := map[string]any{}
		for name, field := range value.ObjectValue() {
			fields[string(name)] = in.decode(field, secret, others)
		}
		return fields
	case value.IsArray():
		items := make([]any, len(value.ArrayValue()))
		for i, item := range value.ArrayValue() {
			items[i] = in.decode(item, secret, others)
		}
		return items
	case secret || others:
		return in.later(scalar(value), secret)
	}
	return scalar(value)
}

// scalar is a value as in the stack config; nothing that is known there, of an asset or a resource.
func scalar(value resource.PropertyValue) any {
	switch {
	case value.IsBool():
		return value.BoolValue()
	case value.IsString():
		return value.StringValue()
	case value.IsNumber():
		return json.Number(strconv.FormatFloat(value.NumberValue(), 'f', -1, 64))
	}
	return struct{}{}
}

func (in input) later(value any, secret bool) keys.Later {
	text := in.output.ApplyT(func(any) string { return fmt.Sprint(value) }).(pulumi.StringOutput)
	return keys.Later{Value: value, Secret: secret, Text: text}
}
