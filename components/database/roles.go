package database

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// The logins that the app's SQL makes beside the administrator.
const (
	// MigrationLogin acts as the owner of the database.
	MigrationLogin = "threetier_migration"
	loginA         = "threetier_a"
	loginB         = "threetier_b"
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
	// App is the name of the Connection's own login.
	App string
	// Resting is the name of the app's other login, which had its turn before.
	Resting string
	// PasswordVersion is that of the passwords.
	PasswordVersion int
	// Extensions are to be there before a migration.
	Extensions []string
	// Instance differs where the database is another one at the same address.
	Instance pulumi.StringInput
}

// appLogins take turns: each version of the password moves the app to the other one.
func (args DatabaseArgs) appLogins() (active, resting string) {
	if args.PasswordVersion%2 == 1 {
		return loginA, loginB
	}
	return loginB, loginA
}

// logins are the app's, and what it is made with.
func (b *builder) logins() (Login, *Roles) {
	active, resting := b.args.appLogins()
	return Login{Username: pulumi.String(active), Password: b.appPassword}, &Roles{
		Administrator:   Login{Username: b.primary.Username, Password: b.password},
		Migration:       Login{Username: pulumi.String(MigrationLogin), Password: b.migrationPassword},
		App:             active,
		Resting:         resting,
		PasswordVersion: b.args.PasswordVersion,
		Extensions:      b.args.Extensions,
		Instance:        b.primary.ResourceId,
	}
}
