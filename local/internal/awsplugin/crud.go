package awsplugin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"threetier/local/internal/account"
)

// Create makes the resource; a preview only says what it would have.
func (p *Provider) Create(ctx context.Context, req plugin.CreateRequest) (plugin.CreateResponse, error) {
	known, err := typeOf(req.Type)
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	if req.Preview {
		return plugin.CreateResponse{Properties: p.planned(known, req.Properties, nil)}, nil
	}
	region, _ := p.settings()
	answer, err := p.account.resource(ctx, http.MethodPost, known.kind, "", account.Request{
		Region: region, Owner: string(req.URN), Inputs: plainInputs(req.Properties, known.inputs)})
	if err != nil && answer != nil && answer.ID != "" {
		return plugin.CreateResponse{}, p.halfMade(known, answer, req.Properties)
	}
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	p.log.warn(ctx, string(req.URN), answer.Warnings)
	return plugin.CreateResponse{ID: resource.ID(answer.ID), Properties: p.outputs(known, answer.Outputs, req.Properties)}, nil
}

// halfMade has the engine keep a resource whose creation failed after it had come into being.
func (p *Provider) halfMade(known *resourceType, answer *account.Response, inputs resource.PropertyMap) error {
	keep := plugin.MarshalOptions{KeepSecrets: true, KeepUnknowns: true, KeepResources: true}
	outputs, err := plugin.MarshalProperties(p.outputs(known, answer.Outputs, inputs), keep)
	if err != nil {
		return err
	}
	given, err := plugin.MarshalProperties(inputs, keep)
	if err != nil {
		return err
	}
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, answer.Error.Error()), &pulumirpc.ErrorResourceInitFailed{
		Id: answer.ID, Properties: outputs, Inputs: given, Reasons: []string{answer.Error.Error()}})
}

// Update changes the resource in place.
func (p *Provider) Update(ctx context.Context, req plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	known, err := typeOf(req.Type)
	if err != nil {
		return plugin.UpdateResponse{}, err
	}
	if req.Preview {
		return plugin.UpdateResponse{Properties: p.planned(known, req.NewInputs, req.OldOutputs)}, nil
	}
	answer, err := p.account.resource(ctx, http.MethodPatch, known.kind, string(req.ID), account.Request{
		Owner: string(req.URN), Inputs: plainInputs(req.NewInputs, known.inputs)})
	if err != nil {
		return plugin.UpdateResponse{}, err
	}
	p.log.warn(ctx, string(req.URN), answer.Warnings)
	return plugin.UpdateResponse{Properties: p.outputs(known, answer.Outputs, req.NewInputs)}, nil
}

// Read is what refresh and import use.
func (p *Provider) Read(ctx context.Context, req plugin.ReadRequest) (plugin.ReadResponse, error) {
	known, err := typeOf(req.Type)
	if err != nil {
		return plugin.ReadResponse{}, err
	}
	answer, err := p.account.call(ctx, http.MethodGet,
		"/resources/"+known.kind+"?known=1&id="+url.QueryEscape(string(req.ID)), account.Request{})
	var refusal *account.Error
	if errors.As(err, &refusal) && refusal.Code == "NotFound" {
		return plugin.ReadResponse{}, nil
	}
	if err != nil {
		return plugin.ReadResponse{}, err
	}
	imported := len(req.Inputs) == 0
	inputs := resource.PropertyMap{}
	for name, in := range known.inputs {
		key := resource.PropertyKey(name)
		old, asked := req.Inputs[key]
		have, told := answer.Outputs[name]
		switch {
		case in.secret || !told: // AWS doesn't tell: what the engine has stays
			if asked {
				inputs[key] = old
			}
		case imported:
			if !empty(have) {
				inputs[key] = wrap(have, false)
			}
		case asked:
			inputs[key] = refreshed(in, old, have)
		}
	}
	outputs := p.outputs(known, answer.Outputs, inputs)
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: resource.ID(answer.ID), Inputs: inputs, Outputs: outputs}}, nil
}

// refreshed keeps the old value, with its order and its mark of a secret, unless the resource has another.
func refreshed(in input, old resource.PropertyValue, have any) resource.PropertyValue {
	value, known := plain(old)
	if known && in.same(value, have) {
		return old
	}
	return wrap(have, isSecret(old))
}

// Delete removes the resource; one that is gone already is no error.
func (p *Provider) Delete(ctx context.Context, req plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	known, err := typeOf(req.Type)
	if err != nil {
		return plugin.DeleteResponse{}, err
	}
	_, err = p.account.resource(ctx, http.MethodDelete, known.kind, string(req.ID), account.Request{
		Owner: string(req.URN), Inputs: plainInputs(req.Outputs, known.inputs)})
	var refusal *account.Error
	if errors.As(err, &refusal) && refusal.Code == "NotFound" {
		err = nil
	}
	if err != nil {
		return plugin.DeleteResponse{Status: resource.StatusUnknown}, status.Error(codes.Unknown, err.Error())
	}
	return plugin.DeleteResponse{Status: resource.StatusOK}, nil
}

// outputs are what the account says, with the secrets that only the engine knows.
func (p *Provider) outputs(known *resourceType, told map[string]any, inputs resource.PropertyMap) resource.PropertyMap {
	out := resource.PropertyMap{}
	for _, name := range known.outputs {
		if value, ok := told[name]; ok {
			out[resource.PropertyKey(name)] = wrap(value, false)
		}
	}
	for name, in := range known.inputs {
		key := resource.PropertyKey(name)
		given, asked := inputs[key]
		value, ok := told[name]
		switch {
		case in.secret && asked:
			out[key] = resource.MakeSecret(unmarked(given))
		case in.secret:
		case ok && asked:
			out[key] = refreshed(in, given, value)
		case ok:
			out[key] = wrap(value, false)
		}
	}
	if _, tagged := known.inputs["tags"]; tagged {
		out["tagsAll"] = p.allTags(inputs)
	}
	return out
}

func unmarked(v resource.PropertyValue) resource.PropertyValue {
	if v.IsSecret() {
		return unmarked(v.SecretValue().Element)
	}
	return v
}

func (p *Provider) allTags(inputs resource.PropertyMap) resource.PropertyValue {
	_, defaults := p.settings()
	all := map[string]any{}
	maps.Copy(all, defaults)
	own, known := plain(inputs["tags"])
	if !known {
		return unknown()
	}
	if object, ok := own.(map[string]any); ok {
		maps.Copy(all, object)
	}
	return wrap(all, isSecret(inputs["tags"]))
}

// planned are the outputs as far as they are known before anything is done: of a new resource only its inputs,
// of an old one all but what the changes bring with them.
func (p *Provider) planned(known *resourceType, inputs, old resource.PropertyMap) resource.PropertyMap {
	out := resource.PropertyMap{}
	if old == nil {
		for _, name := range known.outputs {
			out[resource.PropertyKey(name)] = unknown()
		}
		for name, in := range known.inputs {
			if in.computed {
				out[resource.PropertyKey(name)] = unknown()
			}
		}
	} else {
		maps.Copy(out, old)
	}
	for name, in := range known.inputs {
		key := resource.PropertyKey(name)
		given, asked := inputs[key]
		if !asked {
			if !in.computed {
				delete(out, key)
			}
			continue
		}
		was, _ := plain(old[key])
		value, isKnown := plain(given)
		if old == nil || !isKnown || !in.same(was, value) {
			for _, name := range known.follows[name] {
				out[resource.PropertyKey(name)] = unknown()
			}
		}
		if in.secret {
			given = resource.MakeSecret(unmarked(given))
		}
		out[key] = given
	}
	if _, tagged := known.inputs["tags"]; tagged {
		out["tagsAll"] = p.allTags(inputs)
	}
	return out
}

func unknown() resource.PropertyValue { return resource.MakeComputed(resource.NewProperty("")) }
