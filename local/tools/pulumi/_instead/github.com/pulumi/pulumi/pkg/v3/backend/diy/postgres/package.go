// Package postgres is the driver that the CLI imports for its effect, without one.
package postgres
