// Package database is an Amazon RDS PostgreSQL instance with its network access, password, parameters, logs, read
// replicas and alarms.
//
// Always so: private subnets, encryption at rest and in transit, IAM authentication possible, minor versions installed
// by RDS. The lifecycle decides what protects the data. A durable database can't be deleted, keeps its backups and
// meets every Security Hub control that isn't allowed by name.
package database
