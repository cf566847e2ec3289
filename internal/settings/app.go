package settings

import (
	"slices"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/database"
	"threetier/components/domain"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// App is an app alone: of a stack, its cluster and what runs there.
type App struct {
	Settings

	// Given is its database. Default: the program knows none.
	Given *database.Given
	// Names are its public names. Default: none.
	Names *Names
}

// Names are public names whose certificates are others'.
type Names struct {
	domain.DomainArgs
	Certificates []pulumi.StringInput
}

// ofOthers are the keys of a stack for what an app alone doesn't make, and for the rules across these.
var ofOthers = []string{"database", "alarms", "domain", "allow"}

// Keys are the stack's for what an app alone makes, and the outputs of others that it needs.
func (a *App) Keys() keys.Table {
	own := slices.DeleteFunc(a.ownKeys(), func(key *keys.Key) bool { return slices.Contains(ofOthers, key.Name) })
	return append(own, a.databaseKey(), keys.Optional("domain", &a.Names, (*Names).keys).Otherwise("none: url is the load balancer's").
		Doc("The public names of the app. Their certificates are outputs of a Domain, and their records are made elsewhere."))
}

func (a *App) databaseKey() *keys.Key {
	return keys.Optional("database", &a.Given, func(given *database.Given) keys.Table { return append(given.Keys(), a.App.ClientImageKey()) }).
		Otherwise("none: the app has no database, or connects to one by itself").
		Doc("The database: outputs of a Database, by their names.")
}

func (names *Names) keys() keys.Table {
	made := []string{"zone", "previews"}
	return append(slices.DeleteFunc(names.Keys(), func(key *keys.Key) bool { return slices.Contains(made, key.Name) }),
		keys.LateTexts("certificateArns", &names.Certificates).Otherwise("none: the app is served by HTTP").
			Doc("ACM certificates of the names, that of name first."))
}

// Complete fills in the defaults, and returns what the app can't run with, by paths below the component's name.
func (a *App) Complete(ctx *pulumi.Context, name string) problems.List {
	if a.Names != nil {
		a.Domain = &a.Names.DomainArgs
	}
	a.complete(ctx)
	ps := append(a.Cluster.Complete().Under("cluster"), keys.Table{a.databaseKey()}.Problems()...)
	if a.Given == nil {
		ps = append(ps, a.unusedProblems()...)
		a.App.Backend.DatabaseEnv = map[string]string{} // its names are the app's own
	}
	ps = slices.Concat(ps, a.App.Complete(), a.domainProblems(), a.permissionsProblems())
	a.Cluster.Autoscales = a.App.Autoscales()
	return append(credentials(ctx, a.Cluster.EKS), ps.Under(name)...)
}

// unusedProblems refuse what says how to use a database where none is given.
func (a *App) unusedProblems() (ps problems.List) {
	refuse := func(path, value string) {
		ps = append(ps, problems.Problem{Path: path, Value: value, Want: "none without database"})
	}
	if a.App.Backend.DatabaseEnv != nil {
		refuse("backend.databaseEnv", "given")
	}
	for name, worker := range a.App.Workers {
		if worker.Login != "" {
			refuse("workers."+name+".login", strconv.Quote(worker.Login))
		}
	}
	for name, job := range a.App.Jobs {
		if job.Login != "" {
			refuse("jobs."+name+".login", strconv.Quote(job.Login))
		}
	}
	return ps.Sorted()
}
