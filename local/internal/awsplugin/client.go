package awsplugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"threetier/local/internal/account"
)

// client talks to the account.
type client struct{ http *http.Client }

func newClient(socket string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &client{&http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// resource calls for one resource; the id is empty for a new one.
func (c *client) resource(ctx context.Context, method, kind, id string, request account.Request) (*account.Response, error) {
	query := url.Values{}
	if id != "" {
		query.Set("id", id)
	}
	return c.call(ctx, method, "/resources/"+kind+"?"+query.Encode(), request)
}

func (c *client) lookup(ctx context.Context, name string, request account.Request) (*account.Response, error) {
	return c.call(ctx, http.MethodPost, "/lookups/"+name, request)
}

// call returns the account's refusal as an error with AWS's code and words, beside what was left half-made.
func (c *client) call(ctx context.Context, method, path string, request account.Request) (*account.Response, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://account"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("reach the local AWS account: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var response account.Response
	if err := json.NewDecoder(answer.Body).Decode(&response); err != nil {
		return nil, fmt.Errorf("read the local AWS account's answer (%s): %w", answer.Status, err)
	}
	if response.Error != nil {
		return &response, response.Error
	}
	return &response, nil
}
