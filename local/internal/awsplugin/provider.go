// Package awsplugin is the aws resource plugin of the local node: it speaks Pulumi's provider protocol to the engine
// and leaves everything that AWS would do to the local account.
package awsplugin

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"threetier/local/internal/account"
)

// Version is the release of pulumi-aws whose types are stood in for.
const Version = "6.83.4"

// SocketVariable is the environment variable that holds the path of the account's socket.
const SocketVariable = "THREETIER_ACCOUNT_SOCKET"

// Provider is the plugin. The engine calls it in parallel.
type Provider struct {
	plugin.UnimplementedProvider

	account  *client
	log      logger
	replaces replaces

	mu     sync.Mutex
	region string
	tags   map[string]any // on every resource, by the provider's defaultTags
}

// New is a plugin that uses the account at a socket. Warnings go to the engine.
func New(socket string, replaces replaces) *Provider {
	return &Provider{account: newClient(socket), log: &engineLog{}, replaces: replaces}
}

// Handshake tells the engine that secrets may come marked, and learns where warnings go.
func (p *Provider) Handshake(_ context.Context, req plugin.ProviderHandshakeRequest) (*plugin.ProviderHandshakeResponse, error) {
	if err := p.log.connect(req.EngineAddress); err != nil {
		return nil, err
	}
	return &plugin.ProviderHandshakeResponse{AcceptSecrets: true, AcceptOutputs: true}, nil
}

// GetPluginInfo answers with the version.
func (p *Provider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	version, err := semver.Parse(Version)
	return plugin.PluginInfo{Version: &version}, err
}

// SignalCancellation lets what runs come to its end: a half-made database helps nobody.
func (p *Provider) SignalCancellation(context.Context) error { return nil }

// Close has nothing to close.
func (p *Provider) Close() error { return nil }

// GetMapping has no mapping to another ecosystem.
func (p *Provider) GetMapping(context.Context, plugin.GetMappingRequest) (plugin.GetMappingResponse, error) {
	return plugin.GetMappingResponse{}, nil
}

// GetMappings has no mapping to another ecosystem.
func (p *Provider) GetMappings(context.Context, plugin.GetMappingsRequest) (plugin.GetMappingsResponse, error) {
	return plugin.GetMappingsResponse{}, nil
}

var regionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)

// CheckConfig refuses settings that nothing here would follow.
func (p *Provider) CheckConfig(_ context.Context, req plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	failures := unknownProperties(req.News, providerInputs, "the provider")
	region, known := plain(req.News["region"])
	if region == nil && known {
		region = regionFromEnvironment()
		req.News = req.News.Copy()
		req.News["region"] = wrap(region, false)
	}
	if text, _ := region.(string); known && !regionPattern.MatchString(text) {
		failures = append(failures, plugin.CheckFailure{Property: "region",
			Reason: fmt.Sprintf("is %q, want an AWS region such as eu-west-1 (stack config aws:region)", text)})
	}
	return plugin.CheckConfigResponse{Properties: req.News, Failures: failures}, nil
}

func regionFromEnvironment() string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region := os.Getenv(name); region != "" {
			return region
		}
	}
	return ""
}

// DiffConfig replaces the provider where the region changes: resources in another region are other resources.
func (p *Provider) DiffConfig(_ context.Context, req plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	before, _ := plain(req.OldInputs["region"])
	after, known := plain(req.NewInputs["region"])
	if known && before == after {
		return plugin.DiffResult{Changes: plugin.DiffNone}, nil
	}
	return plugin.DiffResult{Changes: plugin.DiffSome, ReplaceKeys: []resource.PropertyKey{"region"},
		ChangedKeys: []resource.PropertyKey{"region"}}, nil
}

// Configure takes the region and the tags that every resource gets.
func (p *Provider) Configure(_ context.Context, req plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if region, _ := plain(req.Inputs["region"]); region != nil {
		p.region, _ = region.(string)
	}
	defaults, _ := plain(req.Inputs["defaultTags"])
	if encoded, ok := defaults.(string); ok { // the engine hands nested settings over as JSON
		var decoded any
		if err := json.Unmarshal([]byte(encoded), &decoded); err != nil {
			return plugin.ConfigureResponse{}, fmt.Errorf("read defaultTags: %w", err)
		}
		defaults = decoded
	}
	if object, ok := defaults.(map[string]any); ok {
		p.tags, _ = object["tags"].(map[string]any)
	}
	return plugin.ConfigureResponse{}, nil
}

func (p *Provider) settings() (region string, tags map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.region, p.tags
}

func typeOf(token tokens.Type) (*resourceType, error) {
	if known, ok := resourceTypes[string(token)]; ok {
		return known, nil
	}
	return nil, fmt.Errorf("the stand-in for AWS doesn't know the resource type %s", token)
}

// Invoke answers a lookup. One whose arguments aren't known yet can't be.
func (p *Provider) Invoke(ctx context.Context, req plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	arguments, ok := lookupTypes[string(req.Tok)]
	if !ok {
		return plugin.InvokeResponse{}, fmt.Errorf("the stand-in for AWS doesn't know the lookup %s", req.Tok)
	}
	failures := unknownProperties(req.Args, arguments, string(req.Tok))
	failures = append(failures, wrongValues(req.Args, arguments)...)
	if len(failures) > 0 {
		return plugin.InvokeResponse{Failures: failures}, nil
	}
	// The module too: RDS and EC2 both have a getInstances.
	_, name, _ := strings.Cut(string(req.Tok), ":")
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimPrefix(strings.ReplaceAll(name, "/", "."), "index.")
	region, _ := p.settings()
	answer, err := p.account.lookup(ctx, name, account.Request{Region: region, Inputs: plainInputs(req.Args, arguments)})
	if err != nil {
		return plugin.InvokeResponse{}, fmt.Errorf("%s: %w", name, err)
	}
	return plugin.InvokeResponse{Properties: resource.NewPropertyMapFromMap(answer.Outputs)}, nil
}
