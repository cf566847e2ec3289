// Package lookup lets a component look things up as its children are created: by the provider that it was given.
package lookup

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// AWS are the options of a component's lookups in AWS, from the component's own options: they have its parent and its
// aws provider before the component is registered, so that a lookup that fails registers nothing.
func AWS(opts ...pulumi.ResourceOption) ([]pulumi.InvokeOption, error) {
	own, err := pulumi.NewResourceOptions(opts...)
	if err != nil {
		return nil, err
	}
	var options []pulumi.InvokeOption
	if own.Parent != nil {
		options = append(options, pulumi.Parent(own.Parent))
	}
	for _, provider := range own.Providers {
		if provider.PulumiResourceType() == "pulumi:providers:aws" {
			options = append(options, pulumi.Provider(provider))
		}
	}
	return options, nil
}
