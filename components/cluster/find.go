package cluster

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"threetier/internal/kube"
)

// Reader reads objects of the cluster that may not be there; nil in a preview that doesn't know the kubeconfig yet.
func (c *Cluster) Reader(ctx context.Context) (*kube.Reader, error) {
	kubeconfig, known, err := await(ctx, c.Kubeconfig)
	if err != nil || !known {
		return nil, err
	}
	reader, err := kube.NewReader(ctx, kubeconfig, c.context)
	if err != nil {
		return nil, fmt.Errorf("read cluster: %w", err)
	}
	return reader, nil
}

// KnownOwner is Owner now; empty in the preview of a stack's first up, and of one that leads to another cluster.
func (c *Cluster) KnownOwner(ctx context.Context) (string, error) {
	owner, _, err := await(ctx, c.Owner)
	return owner, err
}

// await waits for a value that decides whether anything may be registered at all.
func await(ctx context.Context, output pulumi.StringOutput) (value string, known bool, err error) {
	result, err := internals.UnsafeAwaitOutput(ctx, output)
	if err != nil || !result.Known {
		return "", false, err
	}
	value, _ = result.Value.(string)
	return value, true, nil
}
