// Package main is the Pulumi package: the program's stack and parts of it as components, for programs in YAML, TypeScript,
// Python and Pulumi's other languages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"threetier/internal/version"
)

const name = "threetier"

func main() {
	err := provider.Main(name, func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
		schema, err := schema()
		return server{host: host, schema: string(schema)}, err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// server answers the engine. It isn't the sdk's ComponentMain, which hands over inputs without telling which value inside
// of one is secret.
type server struct {
	pulumirpc.UnimplementedResourceProviderServer

	host   *provider.HostClient
	schema string
}

func (s server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Number}, nil
}

func (s server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: s.schema}, nil
}

func (s server) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, AcceptOutputs: true, AcceptResources: true, SupportsPreview: true}, nil
}

func (s server) Construct(ctx context.Context, request *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	values, err := plugin.UnmarshalProperties(request.GetInputs(), plugin.MarshalOptions{
		KeepSecrets: true, KeepOutputValues: true, KeepUnknowns: true,
	})
	if err != nil {
		return nil, fmt.Errorf("read the inputs: %w", err)
	}
	return provider.Construct(ctx, request, s.host.EngineConn(), func(ctx *pulumi.Context, token, name string, given provider.ConstructInputs, option pulumi.ResourceOption) (*provider.ConstructResult, error) {
		outputs, err := given.Map()
		if err != nil {
			return nil, fmt.Errorf("read the inputs: %w", err)
		}
		return construct(ctx, token, name, values, outputs, option)
	})
}

func construct(ctx *pulumi.Context, token, name string, values resource.PropertyMap, outputs pulumi.Map, option pulumi.ResourceOption) (*provider.ConstructResult, error) {
	options, err := pulumi.NewResourceOptions(option)
	if err != nil {
		return nil, err
	}
	if len(options.Providers) > 0 {
		return nil, errors.New("providers of " + name + " is given, want none: the region and the credentials are those of the stack config")
	}
	for _, component := range components() {
		if component.token == token {
			return component.create(ctx, name, resource.FromResourcePropertyMap(values), outputs, option)
		}
	}
	return nil, fmt.Errorf("the type of %s is %s, want one of the package's", name, token)
}
