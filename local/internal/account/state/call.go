package state

import (
	"context"
	"time"
)

// Call is one request: who asks for what, and what is to be said about it beside the answer.
type Call struct {
	Ctx      context.Context
	Region   string
	Owner    string
	Inputs   map[string]any
	Warnings []string
}

func (c *Call) Warn(warnings ...string) {
	for _, warning := range warnings {
		if warning != "" {
			c.Warnings = append(c.Warnings, warning)
		}
	}
}

func (c *Call) Record(kind, id string) *Record {
	rec := NewRecord(kind, id, c.Region, c.Owner)
	rec.Inputs = c.Inputs
	return rec
}

func NewRecord(kind, id, region, owner string) *Record {
	return &Record{Kind: kind, ID: id, Region: region, Owner: owner, Created: time.Now().UTC(),
		Inputs: map[string]any{}, Outputs: map[string]any{}}
}
