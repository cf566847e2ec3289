// Package component registers components, all in one way.
package component

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// New registers a component, creates its children, and registers its outputs: the fields that have a pulumi tag. An error
// names the component once.
func New[C pulumi.ComponentResource](ctx *pulumi.Context, token, name string, component C, opts []pulumi.ResourceOption, children func() error) (C, error) {
	var none C
	if err := ctx.RegisterComponentResource(token, name, component, opts...); err != nil {
		return none, Wrap(component, name, fmt.Errorf("register: %w", err))
	}
	if err := children(); err != nil {
		return none, Wrap(component, name, err)
	}
	return component, ctx.RegisterResourceOutputs(component, outputs(component))
}

// Wrap says which component an error is about.
func Wrap(component pulumi.ComponentResource, name string, err error) error {
	kind := strings.ToLower(reflect.TypeOf(component).Elem().Name())
	return fmt.Errorf("create %s %s: %w", kind, name, err)
}

func outputs(component pulumi.ComponentResource) pulumi.Map {
	all := pulumi.Map{}
	fields := reflect.ValueOf(component).Elem()
	for i := range fields.NumField() {
		if output := fields.Type().Field(i).Tag.Get("pulumi"); output != "" {
			all[output] = fields.Field(i).Interface().(pulumi.Input)
		}
	}
	return all
}
