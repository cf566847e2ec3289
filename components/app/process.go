package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// ProcessArgs describe a command that runs in the backend's image with the backend's environment, Secrets, files and
// network access: what Worker and Job have in common. A value of Env that isn't a plain pulumi.String may be secret, so it
// goes into a Secret of the process.
type ProcessArgs struct {
	Command        []string
	Login          string
	Resources      pods.ResourceArgs
	DiskGiB        int
	Env, SecretEnv map[string]pulumi.StringInput
	Egress         []EgressArgs
	PodAnnotations map[string]string
}

// The logins of a process.
const (
	LoginApp   = "app"
	LoginOwner = "owner"
)

// keys has a key's own rows between the command and the rest.
func (args *ProcessArgs) keys(own ...*keys.Key) keys.Table {
	egress := egressKey(&args.Egress, false, "They replace the backend's; [] closes all.")
	egress.Default = "the backend's"
	const command = "a command, like [python3, -m, app.worker]"
	return slices.Concat(keys.Table{
		keys.Texts("command", &args.Command).Command(command).Required().Example("[python3, -m, app.worker]").
			Doc("The process. It replaces the image's entrypoint."),
		keys.Text("login", &args.Login).OneOf(LoginApp, LoginOwner).Means(LoginApp).Example(LoginOwner).
			Doc("The database login of the process: the app's, or one that acts as the owner of the database. " +
				"REFRESH MATERIALIZED VIEW, TRUNCATE, ANALYZE and VACUUM of a table, and every change of the schema want the owner."),
	}, own, keys.Table{args.Resources.Key(backendDefaults.cpu, backendDefaults.memory), pods.DiskKey(&args.DiskGiB)},
		pods.EnvKeys(&args.Env, &args.SecretEnv, [2]string{"{LOG_LEVEL: debug}", "{SMTP_PASSWORD: {secure: …}}"}, [2]string{
			"Environment variables beside the backend's. They replace those of the same name.",
			"Environment variables that are stored in a Kubernetes Secret of the process.",
		}), keys.Table{egress, pods.AnnotationsKey(&args.PodAnnotations)})
}

// processName is part of labels and of other names, which have at most 63 characters.
var processName = constraint.Text{
	Pattern: "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
	Want:    "names of 1 to 40 lowercase letters, digits and -, not at an end",
}

// process is a tier of the workload's image for another command, with what the workload's own pods get.
func (w *workload) process(ctx *pulumi.Context, parent pulumi.Resource, name, label string, args ProcessArgs) (pods.Set, error) {
	t := w.Set
	t.Name, t.Label = name, label
	t.Resources, t.DiskGiB = args.Resources, args.DiskGiB
	t.DrainSeconds = 0 // nobody sends it requests
	t.Annotations, t.PodAnnotations = nil, args.PodAnnotations
	own, err := t.Env(ctx, parent, args.Env, args.SecretEnv)
	if err != nil {
		return pods.Set{}, err
	}
	if roles := w.database.Roles; args.Login == LoginOwner && roles != nil {
		database, _, err := databaseEnv(ctx, parent, t, "-database", w.database.As(roles.OwnerLogin()), w.templates)
		if err != nil {
			return pods.Set{}, fmt.Errorf("create the owner's database secret: %w", err)
		}
		own = append(pods.WithoutNames(database, own), own...)
	}
	t.Container = w.baseContainer()
	t.Container.Command = pods.Strings(args.Command)
	t.Container.Env = pods.Joined(w.env, own)
	return t, nil
}

// jobNameProblems refuse the names of the program's own CronJobs, and of people's runs of them, whose end isn't watched.
func jobNameProblems(jobs map[string]JobArgs) problems.List {
	var ps problems.List
	for name := range jobs {
		if name == logins.PsqlName || strings.HasPrefix(name, logins.PsqlName+"-") || name == logins.DropName {
			ps = append(ps, problems.Problem{Path: "jobs", Value: strconv.Quote(name), Want: "another name: the program's own CronJobs have it"})
		}
	}
	return ps
}
