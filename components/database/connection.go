package database

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Connection is how a client reaches a database, this package's or any other.
type Connection struct {
	// Host is the primary's address, without a port. Required.
	Host pulumi.StringInput
	// ReaderHost is the address for reads. Default: Host.
	ReaderHost pulumi.StringInput
	// Port is required.
	Port pulumi.IntInput
	// Name is the database's name. Required.
	Name pulumi.StringInput
	// Username is the app's login. Required.
	Username pulumi.StringInput
	// Password is required, and must be a secret output.
	Password pulumi.StringInput
	// CABundle holds the PEM certificates that the server's own is checked against. Required.
	CABundle pulumi.StringInput
	// Networks are the public ones that the address may be in. Default: the address is private.
	Networks []string
	// Roles are what the app's login has to be made with. Default: none, Username is there and has every right that the app needs.
	Roles *Roles
}

// Connection is how a client reaches this d.
func (d *Database) Connection() Connection {
	connection := Given{
		Address: d.Address, ReaderAddress: d.ReaderAddress, Port: d.Port, Name: d.Name, CABundle: d.CABundle,
		Username: d.Username, Password: d.Password, AppPassword: d.AppPassword, MigrationPassword: d.MigrationPassword,
		PasswordVersion: d.args.PasswordVersion, ResourceID: d.ResourceID, Extensions: d.args.Extensions,
	}.Connection()
	connection.Networks, connection.Roles.Previews = d.networks, d.previews
	return connection
}

// None tells that there is no database.
func (c Connection) None() bool { return c.Host == nil }

// As is the connection of another login.
func (c Connection) As(login Login) Connection {
	c.Username, c.Password = login.Username, login.Password
	return c
}
