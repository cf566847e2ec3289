package database

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
)

// Given is a Database as its outputs tell of it, for an app that is another component.
type Given struct {
	Address, ReaderAddress, Name, CABundle             pulumi.StringInput
	Username, Password, AppPassword, MigrationPassword pulumi.StringInput
	ResourceID                                         pulumi.StringInput
	Port                                               pulumi.IntInput
	PasswordVersion                                    int
	Extensions                                         []string
}

// Keys are named after the outputs, and described as they are.
func (given *Given) Keys() keys.Table {
	text := func(name string, into *pulumi.StringInput) *keys.Key {
		return keys.LateText(name, into).Required().Doc(doc(name))
	}
	secret := func(name string, into *pulumi.StringInput) *keys.Key {
		return keys.SecretText(name, into).Required().Doc(doc(name))
	}
	return keys.Table{
		text("address", &given.Address),
		keys.LateText("readerAddress", &given.ReaderAddress).Otherwise("address").Doc(doc("readerAddress")),
		keys.LateNumber("port", &given.Port).Required().Doc(doc("port")),
		text("name", &given.Name),
		text("caBundle", &given.CABundle),
		text("username", &given.Username),
		secret("password", &given.Password),
		secret("appPassword", &given.AppPassword),
		secret("migrationPassword", &given.MigrationPassword),
		passwordVersionKey(&given.PasswordVersion).Required().Doc(doc("passwordVersion")),
		text("resourceId", &given.ResourceID),
		extensionsKey(&given.Extensions),
	}
}

// doc is that of an output.
func doc(output string) string {
	of := reflect.TypeFor[Database]()
	for i := range of.NumField() {
		if tag := of.Field(i).Tag; tag.Get("pulumi") == output {
			return tag.Get("doc")
		}
	}
	return ""
}

// Connection is how a client reaches it, with what its logins are made with.
func (given Given) Connection() Connection {
	app, owner, resting := logins(given.PasswordVersion)
	return Connection{
		Host: given.Address, ReaderHost: given.ReaderAddress, Port: given.Port, Name: given.Name, CABundle: given.CABundle,
		Username: pulumi.String(app), Password: given.AppPassword,
		Roles: &Roles{
			Administrator:   Login{Username: given.Username, Password: given.Password},
			Migration:       Login{Username: pulumi.String(MigrationLogin), Password: given.MigrationPassword},
			Owner:           owner,
			App:             app,
			Resting:         resting,
			PasswordVersion: given.PasswordVersion,
			Extensions:      given.Extensions,
			Instance:        given.ResourceID,
		},
	}
}
