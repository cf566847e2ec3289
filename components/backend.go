package components

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// BackendType is Backend's type token.
const BackendType = "threetier:index:Backend"

// BackendServiceName is the Service that nginx, and anyone in the namespace, reaches the backend by.
const BackendServiceName = "backend-service"

// What a backend gets where its args say nothing.
const (
	DefaultBackendPort        = 8000
	DefaultBackendHealthPath  = "/healthz"
	DefaultBackendMinReplicas = 2
	DefaultBackendMaxReplicas = 10
	DefaultBackendCPU         = "100m"
	DefaultBackendMemory      = "256Mi"
)

var backendDefaults = workloadDefaults{
	port:        DefaultBackendPort,
	healthPath:  DefaultBackendHealthPath,
	minReplicas: DefaultBackendMinReplicas,
	maxReplicas: DefaultBackendMaxReplicas,
	cpu:         DefaultBackendCPU,
	memory:      DefaultBackendMemory,
}

// BackendArgs describe the API: a workload with a database.
type BackendArgs struct {
	WorkloadArgs
	// Migrate is the command that brings the database's schema up to date, run to success
	// before every rollout in the same image with the same environment. Default: none.
	Migrate []string
	// DatabaseEnv are templates of environment variables. Parts: {host}, {readerHost}, {port},
	// {name}, {username}, {password}, {caFile}. Default: DefaultDatabaseEnv.
	DatabaseEnv map[string]string
	// Namespace is where the backend runs. Required; App sets it.
	Namespace pulumi.StringInput
	// Database is what DatabaseEnv's parts stand for. Required; App sets it.
	Database DatabaseConnection
}

// Problems are what the args can't run with.
func (a BackendArgs) Problems() Problems {
	ps := a.WorkloadArgs.Problems()
	if a.Migrate != nil && (len(a.Migrate) == 0 || a.Migrate[0] == "") {
		ps = append(ps, Problem{"migrate", "empty", "a command, like [alembic, upgrade, head]"})
	}
	ps = append(ps, databaseEnvProblems(a.databaseEnv())...)
	for name := range a.databaseEnv() {
		_, plain := a.Env[name]
		_, secret := a.SecretEnv[name]
		if plain || secret {
			ps = append(ps, Problem{"databaseEnv." + name, "in env or secretEnv too", "it in one place (databaseEnv replaces the default set when given)"})
		}
	}
	return ps.sorted()
}

// databaseEnv is the set of templates in force.
func (a BackendArgs) databaseEnv() map[string]string {
	if a.DatabaseEnv == nil {
		return maps.Clone(DefaultDatabaseEnv)
	}
	return maps.Clone(a.DatabaseEnv)
}
