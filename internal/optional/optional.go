// Package optional reads values that a caller may leave out.
package optional

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// String is nil for an empty string, so that an input that nobody gave doesn't appear.
func String(value string) pulumi.StringPtrInput {
	if value == "" {
		return nil
	}
	return pulumi.String(value)
}
