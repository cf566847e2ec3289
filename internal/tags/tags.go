// Package tags marks what a stack has in AWS.
package tags

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// The tags that tell whose a resource is.
const (
	Project = "Project"
	Stack   = "Stack"
)

// Of are on all of the stack's resources that AWS lets be tagged.
func Of(ctx *pulumi.Context) pulumi.StringMap {
	return pulumi.StringMap{
		Project:     pulumi.String(ctx.Project()),
		Stack:       pulumi.String(ctx.Stack()),
		"ManagedBy": pulumi.String("pulumi"),
	}
}
