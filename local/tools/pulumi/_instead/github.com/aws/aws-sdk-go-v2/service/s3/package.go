// Package s3 is what the CLI names of the SDK.
package s3

// CopyObjectInput is what nobody sends.
type CopyObjectInput struct{ CopySource *string }
