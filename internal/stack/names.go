package stack

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/internal/problems"
	"threetier/internal/settings"
)

// last are the outputs of the stack's last up; empty before its first.
type last struct {
	Namespace          string `pulumi:"namespace"`
	DatabaseIdentifier string `pulumi:"databaseIdentifier"`
}

// diyOrganization is what Pulumi calls the organization of a backend that has none.
const diyOrganization = "organization"

// readOutputs asks the engine, as a StackReference does, which would stand among the stack's resources. A secret output is read
// as it is: the reader makes it a secret again.
func readOutputs[T any](ctx *pulumi.Context, name string, into *T) error {
	if ctx.Organization() != diyOrganization {
		name = ctx.Organization() + "/" + ctx.Project() + "/" + name
	}
	var found struct {
		Outputs T `pulumi:"outputs"`
	}
	args := struct {
		Name string `pulumi:"name"`
	}{name}
	if _, err := ctx.InvokePackageRaw("pulumi:pulumi:readStackOutputs", &args, &found, ""); err != nil {
		return fmt.Errorf("look up the outputs of stack %s: %w", name, err)
	}
	*into = found.Outputs
	return nil
}

// checkNames refuses what would be taken over, or replaced, by its name: before anything is registered in the cluster or
// in the account.
func checkNames(ctx *pulumi.Context, cluster *cluster.Cluster, config *settings.Settings) error {
	var last last
	if err := readOutputs(ctx, ctx.Stack(), &last); err != nil {
		return err
	}
	identifier := database.Identifier(ctx.Project(), ctx.Stack(), databaseName)
	if last.DatabaseIdentifier != "" && last.DatabaseIdentifier != identifier {
		return problems.List{{
			Path: "stack", Value: ctx.Stack(),
			Want: "its former name (pulumi stack rename), as its database is " + last.DatabaseIdentifier + ": another name would replace what is named after it",
		}}.Err()
	}
	return checkTaken(ctx, cluster, config.App, last.Namespace)
}

// checkTaken refuses what the app would take over in the cluster, or another namespace than that of the last up.
func checkTaken(ctx *pulumi.Context, cluster *cluster.Cluster, args app.AppArgs, namespace string) error {
	reader, err := cluster.Reader(ctx.Context())
	if err != nil || reader == nil {
		return err
	}
	owner, err := cluster.KnownOwner(ctx.Context())
	if err != nil {
		return err
	}
	taken, err := args.TakenNames(ctx.Context(), app.Before{
		Find: reader.Find, Owner: owner, Namespace: namespace, Project: ctx.Project(), Stack: ctx.Stack(),
	})
	if err != nil {
		return err
	}
	return taken.Err()
}
