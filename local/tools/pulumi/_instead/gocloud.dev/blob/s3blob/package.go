// Package s3blob says that this CLI opens no state in a cloud, or in a database.
package s3blob

import (
	"context"
	"fmt"
	"net/url"

	"gocloud.dev/blob"
)

type refused struct{}

func init() {
	for _, scheme := range []string{"s3", "gs", "azblob", "postgres"} {
		blob.DefaultURLMux().RegisterBucket(scheme, refused{})
	}
}

func (refused) OpenBucketURL(_ context.Context, u *url.URL) (*blob.Bucket, error) {
	return nil, fmt.Errorf("the local node has built this CLI without %s://: take a released one", u.Scheme)
}
