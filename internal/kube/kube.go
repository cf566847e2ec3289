// Package kube asks a cluster for objects that may not be there. Pulumi's provider reads only those that are.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// patience is how long the API server may take to answer.
const patience = 30 * time.Second

// Reader reads a cluster's objects.
type Reader struct {
	client *http.Client
	server string
}

type transportKey struct{}

// WithTransport answers in a cluster's place: every Reader that is made with the context asks it.
func WithTransport(ctx context.Context, transport http.RoundTripper) context.Context {
	return context.WithValue(ctx, transportKey{}, transport)
}

// NewReader reaches the cluster of a kubeconfig's content by one of its contexts; an empty one is the current one.
func NewReader(ctx context.Context, kubeconfig, kubeContext string) (*Reader, error) {
	if transport, given := ctx.Value(transportKey{}).(http.RoundTripper); given {
		return &Reader{client: &http.Client{Transport: transport}, server: "https://cluster"}, nil
	}
	read, err := clientcmd.Load([]byte(kubeconfig))
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config, err := clientcmd.NewDefaultClientConfig(*read, &clientcmd.ConfigOverrides{CurrentContext: kubeContext}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.Timeout = patience
	client, err := rest.HTTPClientFor(config)
	server, _, serverErr := rest.DefaultServerUrlFor(config)
	if err := errors.Join(err, serverErr); err != nil {
		return nil, fmt.Errorf("reach cluster: %w", err)
	}
	return &Reader{client: client, server: strings.TrimSuffix(server.Scheme+"://"+server.Host+server.Path, "/")}, nil
}

// Find reads what is at a path of the Kubernetes API, and tells whether there is something.
func (r *Reader) Find(ctx context.Context, path string, object any) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server+path, nil)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return false, nil
	default:
		var status struct{ Message string }
		_ = json.NewDecoder(response.Body).Decode(&status)
		return false, fmt.Errorf("read %s: the cluster answers %s %s", path, response.Status, status.Message)
	}
	if err := json.NewDecoder(response.Body).Decode(object); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}
