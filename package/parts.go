package main

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"

	"threetier/components/app"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// component is one of the package's.
type component struct {
	token, doc string
	inputs     keys.Table
	// outputs are properties, and the names of those that are always there.
	outputs func() (keys.Schema, []string)
	create  creation
}

type creation = func(ctx *pulumi.Context, name string, values property.Map, outputs pulumi.Map, option pulumi.ResourceOption) (*provider.ConstructResult, error)

// components are the stack, and the parts of it that stand alone. A part's type is the one that it has in a stack.
func components() []component {
	return []component{
		{
			token: stack.ComponentType, inputs: settings.OwnKeys(), outputs: stackOutputs, create: newStack,
			doc: "All that runs one environment of an app. A Pulumi stack has one.",
		},
		part(database.DatabaseType, "The Amazon RDS PostgreSQL instance of a stack, with its network access, alarms and logs. "+
			"Its one login is the administrator: your program makes those of the app.",
			databaseKeys,
			func(_ *pulumi.Context, name string, args *database.DatabaseArgs, region string) problems.List {
				args.Region = region
				return append(args.Complete(), args.Network.Problems().Under("network")...).Under(name)
			}, database.NewDatabase),
		part(domain.DomainType, "The ACM certificates of public names. Without zone, certificateArns are empty until validationRecords are made and an up finds them.",
			(*domain.DomainArgs).Keys,
			func(_ *pulumi.Context, name string, args *domain.DomainArgs, _ string) problems.List {
				return args.Complete().Under(name)
			}, domain.NewDomain),
		part(app.AppType, "What runs in the Kubernetes cluster of a stack: backend, frontend, workers, jobs and NGINX.",
			(*settings.App).Keys,
			func(ctx *pulumi.Context, name string, args *settings.App, region string) problems.List {
				args.Region = region
				return args.Complete(ctx, name)
			}, stack.NewApp),
	}
}

// databaseKeys are those of a stack, except what a stack's cluster and app do for the database.
func databaseKeys(args *database.DatabaseArgs) keys.Table {
	own := slices.DeleteFunc(args.Keys(), func(key *keys.Key) bool { return key.Name == "extensions" || key.Name == "network" })
	return append(own,
		keys.Object("network", args.Network.Keys().Required()).Required().Doc("The network of the database."),
		keys.Object("alarms", keys.Table{args.TopicKey()}).Doc("The alarms of the database."))
}

// part is a component that takes the rows of its args.
func part[A any, C pulumi.ComponentResource](token, doc string, rows func(*A) keys.Table, complete func(*pulumi.Context, string, *A, string) problems.List,
	create func(*pulumi.Context, string, *A, ...pulumi.ResourceOption) (C, error),
) component {
	return component{
		token: token, doc: doc, inputs: rows(new(A)),
		outputs: func() (keys.Schema, []string) { return tagged(reflect.TypeFor[C]().Elem()) },
		create: func(ctx *pulumi.Context, name string, values property.Map, outputs pulumi.Map, option pulumi.ResourceOption) (*provider.ConstructResult, error) {
			args, region := new(A), ""
			regionKey, table := settings.RegionKey(&region), rows(args)
			ps := append(settings.Config(ctx).Read(regionKey), keys.Table{regionKey}.Problems()...)
			object := keys.Object(name, table).Doc(doc)
			ps = append(ps, object.ReadInput(keys.Input{Value: property.New(values), Output: outputs}, keys.Table{object}.Secrets())...)
			if region != "" {
				ps = append(ps, settings.Without(complete(ctx, name, args, region), ps)...)
			}
			if len(ps) > 0 {
				return nil, fmt.Errorf("what is given to %s %s can't be used:\n%w", token, name, ps.Err())
			}
			made, err := create(ctx, name, args, option)
			if err != nil {
				return nil, err
			}
			return provider.NewConstructResult(made)
		},
	}
}

func newStack(ctx *pulumi.Context, name string, values property.Map, outputs pulumi.Map, option pulumi.ResourceOption) (*provider.ConstructResult, error) {
	inputs := map[string]keys.Input{}
	for key, value := range values.All {
		inputs[key] = keys.Input{Value: value, Output: outputs[key]}
	}
	made, err := stack.NewComponent(ctx, name, inputs, option)
	if err != nil {
		return nil, err
	}
	return &provider.ConstructResult{URN: made.URN(), State: made.Outputs}, nil
}
