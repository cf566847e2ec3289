package awsplugin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"threetier/local/internal/account"
)

// suffixLength is how many random letters an automatic name ends with.
const suffixLength = 7

// Check refuses what the stand-in wouldn't honour, and gives the resource its name.
func (p *Provider) Check(ctx context.Context, req plugin.CheckRequest) (plugin.CheckResponse, error) {
	known, err := typeOf(req.Type)
	if err != nil {
		return plugin.CheckResponse{}, err
	}
	failures := unknownProperties(req.News, known.inputs, string(req.Type))
	failures = append(failures, wrongValues(req.News, known.inputs)...)
	if len(failures) > 0 {
		return plugin.CheckResponse{Failures: failures}, nil
	}
	if len(req.Olds) > 0 {
		p.confirm(ctx, known, req)
	}
	checked := req.News.Copy()
	if known.named != nil {
		if err := p.name(ctx, known, req, checked); err != nil {
			return plugin.CheckResponse{}, err
		}
	}
	for name, in := range known.inputs {
		key := resource.PropertyKey(name)
		if value, given := checked[key]; given && in.secret && !isSecret(value) {
			checked[key] = resource.MakeSecret(value)
		}
	}
	return plugin.CheckResponse{Properties: checked}, nil
}

// name fills in what the program left out: the name of before, that of an interrupted run, or a new one.
func (p *Provider) name(ctx context.Context, known *resourceType, req plugin.CheckRequest, checked resource.PropertyMap) error {
	how := known.named
	property := resource.PropertyKey(how.property)
	if value, given := checked[property]; given && !value.IsNull() {
		return nil
	}
	prefix := req.Name + "-"
	if value, given := checked[resource.PropertyKey(how.prefix)]; given && how.prefix != "" {
		text, _ := plain(value)
		prefix, _ = text.(string)
	} else if old, had := req.Olds[property]; had {
		checked[property] = old
		return nil
	}
	if how.lower {
		prefix = strings.ToLower(prefix)
	}
	if old, _ := plain(req.Olds[property]); old != nil && strings.HasPrefix(old.(string), prefix) {
		checked[property] = req.Olds[property]
		return nil
	}
	if left := p.leftOver(ctx, known, req); strings.HasPrefix(left, prefix) {
		checked[property] = resource.NewProperty(left)
		return nil
	}
	name, err := resource.NewUniqueName(req.RandomSeed, prefix, suffixLength, how.longest, nil)
	if err != nil {
		return fmt.Errorf("name %s: %w", req.URN, err)
	}
	checked[property] = resource.NewProperty(name)
	return nil
}

// confirm tells the account that the engine holds the resource, so that no later run takes it for one that was left
// over: least of all when a replacement is to be made beside it. A failure only means that it stays unconfirmed.
func (p *Provider) confirm(ctx context.Context, known *resourceType, req plugin.CheckRequest) {
	_, _ = p.account.call(ctx, http.MethodPost, "/known/"+known.kind, account.Request{
		Owner: string(req.URN), Inputs: plainInputs(req.Olds, known.inputs)})
}

// leftOver is the name of a resource that an interrupted run made for the same URN; to use it again makes the account
// hand the resource over instead of making a second one.
func (p *Provider) leftOver(ctx context.Context, known *resourceType, req plugin.CheckRequest) string {
	if len(req.Olds) > 0 {
		return "" // the engine has one, and wants another beside it
	}
	answer, err := p.account.call(ctx, http.MethodPost, "/orphans/"+known.kind, account.Request{Owner: string(req.URN)})
	if err != nil {
		return ""
	}
	return answer.ID
}

func unknownProperties(given resource.PropertyMap, known map[string]input, owner string) []plugin.CheckFailure {
	var failures []plugin.CheckFailure
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if _, ok := known[string(key)]; !ok && !strings.HasPrefix(string(key), "__") {
			failures = append(failures, plugin.CheckFailure{Property: key,
				Reason: fmt.Sprintf("the stand-in for AWS doesn't know the property %q of %s", key, owner)})
		}
	}
	return failures
}

func wrongValues(given resource.PropertyMap, known map[string]input) []plugin.CheckFailure {
	var failures []plugin.CheckFailure
	for _, name := range slices.Sorted(maps.Keys(known)) {
		value, isKnown := plain(given[resource.PropertyKey(name)])
		reason := ""
		switch {
		case !isKnown:
		case value == nil && known[name].required:
			reason = name + " is required"
		default:
			reason = known[name].fits(value)
		}
		if reason != "" {
			failures = append(failures, plugin.CheckFailure{Property: resource.PropertyKey(name), Reason: reason})
		}
	}
	return failures
}
