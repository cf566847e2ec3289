package account

import (
	"context"
	"time"
)

// call is one request: who asks for what, and what is to be said about it beside the answer.
type call struct {
	ctx      context.Context
	region   string
	owner    string
	inputs   map[string]any
	warnings []string
}

func (c *call) warn(warnings ...string) {
	for _, warning := range warnings {
		if warning != "" {
			c.warnings = append(c.warnings, warning)
		}
	}
}

func (c *call) record(kind, id string) *record {
	rec := newRecord(kind, id, c.region, c.owner)
	rec.Inputs = c.inputs
	return rec
}

func newRecord(kind, id, region, owner string) *record {
	return &record{Kind: kind, ID: id, Region: region, Owner: owner, Created: time.Now().UTC(),
		Inputs: map[string]any{}, Outputs: map[string]any{}}
}
