// Package v2 stands in the provider's SDK for the table of all kinds: with it the provider compiles none of the 63
// packages that have a Go type for each kind, which is two thirds of its build.
package v2

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// IsListKind says whether a kind is a list of others.
func IsListKind(_, kind string) bool { return strings.HasSuffix(kind, "List") }

// RegisterResource registers an object of any kind.
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input, opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	if !strings.Contains(apiVersion, "/") {
		apiVersion = "core/" + apiVersion
	}
	var object pulumi.CustomResourceState
	err := ctx.RegisterResource("kubernetes:"+apiVersion+":"+kind, name, props, &object, opts...)
	return &object, err
}
