// Package azureblob is what the CLI names of the driver. Nothing here opens a container.
package azureblob

import (
	"context"
	"errors"
	"net/url"

	"gocloud.dev/blob"
)

// Scheme is that of the URLs.
const Scheme = "azblob"

// URLOpener refuses.
type URLOpener struct{ MakeClient, ServiceURLOptions any }

// NewDefaultClient is never called.
func NewDefaultClient() {}

// NewDefaultServiceURLOptions are read by nobody.
func NewDefaultServiceURLOptions() *struct{} { return &struct{}{} }

// OpenBucketURL refuses.
func (*URLOpener) OpenBucketURL(context.Context, *url.URL) (*blob.Bucket, error) {
	return nil, errors.New("the local node has built this CLI without azblob://: take a released one")
}
