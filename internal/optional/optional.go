// Package optional reads values that a caller may leave out and for which zero means something.
package optional

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Or is the value, or a pointer to the default where there is none.
func Or[T any](value *T, fallback T) *T {
	if value == nil {
		return &fallback
	}
	return value
}

// String is nil for an empty string, so that an input that nobody gave doesn't appear.
func String(value string) pulumi.StringPtrInput {
	if value == "" {
		return nil
	}
	return pulumi.String(value)
}
