package database

import (
	"encoding/base64"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// PreviewsLogin makes the databases of previews, and their roles.
	PreviewsLogin = "threetier_previews"
	// PreviewsConnections is how many of the instance's connections it may have.
	PreviewsConnections = 5
)

// Preview is a preview's database, in the instance of another stack.
type Preview struct {
	// Name is the database's name. Required.
	Name string
	// Taken is how many of the instance's connections are no preview's.
	Taken int
}

// Instance is what a stack's previews are to know of its database.
type Instance struct {
	Host, ReaderHost, CABundle, Resource string
	Port, PasswordVersion                int
	Networks, Extensions                 []string
	// Password is that of PreviewsLogin.
	Password string
	// Taken is how many of its connections are no preview's.
	Taken int
}

// Preview is the connection of a preview to its own database. The passwords follow from the one that makes its logins: it
// needs no place to keep them, and they change with it.
func (i Instance) Preview(stack string) Connection {
	name := strings.ReplaceAll(stack, "-", "_")
	app, owner, resting := logins(i.PasswordVersion)
	roles := &Roles{Preview: &Preview{Name: name, Taken: i.Taken}}
	for n, login := range resting {
		resting[n] = roles.In(login)
	}
	password := pulumi.ToSecret(pulumi.String(i.Password)).(pulumi.StringOutput)
	login := func(name string) Login {
		return Login{Username: pulumi.String(roles.In(name)), Password: derived(password, roles.In(name))}
	}
	roles.Administrator = Login{Username: pulumi.String(PreviewsLogin), Password: password}
	roles.Migration = login(MigrationLogin)
	roles.App, roles.Owner, roles.Resting = roles.In(app), roles.In(owner), resting
	roles.PasswordVersion, roles.Extensions, roles.Instance = i.PasswordVersion, i.Extensions, pulumi.String(i.Resource)
	own := login(app)
	return Connection{
		Host: pulumi.String(i.Host), ReaderHost: pulumi.String(i.ReaderHost), Port: pulumi.Int(i.Port), Name: pulumi.String(name),
		Username: own.Username, Password: own.Password, CABundle: pulumi.String(i.CABundle), Networks: i.Networks, Roles: roles,
	}
}

// derived is a password that follows from another one, which doesn't follow from it.
func derived(from pulumi.StringOutput, login string) pulumi.StringOutput {
	return pulumi.ToSecret(from.ApplyT(func(password string) string {
		text := base64.RawURLEncoding.EncodeToString(keyed([]byte(password), "password of "+login))
		return strings.NewReplacer("-", "a", "_", "b").Replace(text)
	})).(pulumi.StringOutput)
}
