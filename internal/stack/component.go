package stack

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
	"threetier/internal/settings"
)

// ComponentType is the type token of Component.
const ComponentType = "threetier:index:Stack"

// Component has everything that Deploy registers, for programs of other languages. Its logical names are Deploy's, so a Pulumi stack
// has one of it.
type Component struct {
	pulumi.ResourceState

	// Outputs are those that Deploy exports.
	Outputs pulumi.Map
}

// NewComponent registers a stack below a component.
func NewComponent(ctx *pulumi.Context, name string, inputs map[string]keys.Input, opts ...pulumi.ResourceOption) (*Component, error) {
	config, err := settings.Inputs(ctx, ComponentType+" "+name, inputs).Load(ctx)
	if err != nil {
		return nil, err
	}
	component := &Component{}
	if err := ctx.RegisterComponentResource(ComponentType, name, component, opts...); err != nil {
		return nil, fmt.Errorf("register stack %s: %w", name, err)
	}
	component.Outputs, err = create(ctx, config, pulumi.Parent(component), fromProgram)
	if err != nil {
		return nil, err
	}
	return component, ctx.RegisterResourceOutputs(component, component.Outputs)
}

// A stack moves from the program to the component, and back: what is inside has other parents then, and stays.
var fromProgram = pulumi.Aliases([]pulumi.Alias{{NoParent: pulumi.Bool(true)}})

// fromComponent names no component: of a parent, a URN holds the type alone.
func fromComponent(ctx *pulumi.Context) pulumi.ResourceOption {
	parent := fmt.Sprintf("urn:pulumi:%s::%s::%s::any", ctx.Stack(), ctx.Project(), ComponentType)
	return pulumi.Aliases([]pulumi.Alias{{ParentURN: pulumi.URN(parent)}})
}
