package database

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The logins that the app's SQL makes beside the administrator.
const (
	// MigrationLogin acts as the owner of the database.
	MigrationLogin = "threetier_migration"
	loginA         = "threetier_a"
	loginB         = "threetier_b"
	// ownerA and ownerB act as the owner of the database, for workers and jobs. They take turns with the app's.
	ownerA = "threetier_owner_a"
	ownerB = "threetier_owner_b"

	rolePrefix = "threetier_"
)

// Login is a user of the database.
type Login struct {
	// Username is required.
	Username pulumi.StringInput
	// Password is required, and must be a secret output.
	Password pulumi.StringInput
}

// Roles are what the database's logins are made with.
type Roles struct {
	// Administrator makes the others, and does nothing else.
	Administrator Login
	// Migration runs the migrations.
	Migration Login
	// Owner is the name of the login of workers and jobs that act as the owner.
	Owner string
	// App is the name of the Connection's own login.
	App string
	// Resting are the names of the app's and the owner's other logins, which had their turn before.
	Resting []string
	// PasswordVersion is that of the passwords.
	PasswordVersion int
	// Extensions are to be there before a migration.
	Extensions []string
	// Instance differs where the database is another one at the same address.
	Instance pulumi.StringInput
	// Previews is the login that makes the databases of previews in the instance. Default: nobody may.
	Previews *Login
	// Preview is the preview that the roles are of. Default: the stack has an instance of its own.
	Preview *Preview
}

// In is a text with the roles' names, such as the SQL, as it is for this stack: those of a preview begin with its
// database's name.
func (r Roles) In(text string) string {
	if r.Preview == nil {
		return text
	}
	return strings.ReplaceAll(text, rolePrefix, r.Preview.Name+"_")
}

// OwnerLogin has the rights of Migration, so it has its password too.
func (r Roles) OwnerLogin() Login {
	return Login{Username: pulumi.String(r.Owner), Password: r.Migration.Password}
}

// logins take turns: each version of the passwords moves the app, and what acts as the owner, to the other one.
func logins(passwordVersion int) (app, owner string, resting []string) {
	if passwordVersion%2 == 1 {
		return loginA, ownerA, []string{loginB, ownerB}
	}
	return loginB, ownerB, []string{loginA, ownerA}
}
