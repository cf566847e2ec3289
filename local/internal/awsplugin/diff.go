package awsplugin

import (
	"context"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// Diff compares what is asked for with what there is. What AWS chose itself, and nobody asks for, doesn't differ.
func (p *Provider) Diff(_ context.Context, req plugin.DiffRequest) (plugin.DiffResponse, error) {
	known, err := typeOf(req.Type)
	if err != nil {
		return plugin.DiffResponse{}, err
	}
	detailed := map[string]plugin.PropertyDiff{}
	result := plugin.DiffResult{Changes: plugin.DiffNone}
	for name, in := range known.inputs {
		if ignored(name, req.IgnoreChanges) {
			continue
		}
		kind, differs := in.compare(resource.PropertyKey(name), req)
		if !differs || name == "allocatedStorage" && grownByItself(req) {
			continue
		}
		if p.replaces.by(string(req.Type), name) {
			kind = kind.AsReplace()
			result.ReplaceKeys = append(result.ReplaceKeys, resource.PropertyKey(name))
		}
		detailed[name] = plugin.PropertyDiff{Kind: kind}
		result.ChangedKeys = append(result.ChangedKeys, resource.PropertyKey(name))
	}
	slices.Sort(result.ReplaceKeys)
	slices.Sort(result.ChangedKeys)
	if len(detailed) > 0 {
		result.Changes, result.DetailedDiff = plugin.DiffSome, detailed
	}
	return result, nil
}

// grownByItself is true where the instance has more storage than was asked for, and may.
func grownByItself(req plugin.DiffRequest) bool {
	number := func(properties resource.PropertyMap, key resource.PropertyKey) float64 {
		value, _ := plain(properties[key])
		n, _ := value.(float64)
		return n
	}
	asked := number(req.NewInputs, "allocatedStorage")
	return number(req.OldOutputs, "allocatedStorage") > asked && number(req.NewInputs, "maxAllocatedStorage") > asked
}

func ignored(name string, paths []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		return path == name || strings.HasPrefix(path, name+".") || strings.HasPrefix(path, name+"[")
	})
}

func (in input) compare(key resource.PropertyKey, req plugin.DiffRequest) (plugin.DiffKind, bool) {
	before, has := req.OldOutputs[key]
	if !has {
		before, has = req.OldInputs[key]
	}
	_, asked := req.OldInputs[key]
	old, _ := plain(before)
	given, wanted := req.NewInputs[key]
	value, isKnown := plain(given)
	switch {
	case wanted && !isKnown && !has:
		return plugin.DiffAdd, true
	case wanted && !isKnown:
		return plugin.DiffUpdate, true
	case !wanted || value == nil:
		return plugin.DiffDelete, asked && !in.computed && !empty(old)
	case in.same(old, value):
		return 0, false
	case !has || old == nil:
		return plugin.DiffAdd, true
	}
	return plugin.DiffUpdate, true
}
