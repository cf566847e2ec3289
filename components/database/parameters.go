package database

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// forceSSL makes the server refuse connections without TLS (control RDS.38).
const forceSSL = "rds.force_ssl"

// defaultParameters end what a client that is gone has left running, and free its locks, whatever its driver: within 2 s
// of a connection that was closed, within 27 s of one that went silent with its node. They leave out tcp_user_timeout,
// which would also end a client that reads a long result slowly.
// https://www.postgresql.org/docs/current/runtime-config-connection.html
var defaultParameters = map[string]string{
	"client_connection_check_interval": "2000", // milliseconds
	"tcp_keepalives_idle":              "10",   // seconds
	"tcp_keepalives_interval":          "5",    // seconds
	"tcp_keepalives_count":             "3",
}

// parameter is a setting that RDS lets a parameter group change.
type parameter struct {
	name, kind string
	// static ones take effect when the server starts: sent as immediate, RDS would refuse them.
	static bool
	// since is the major that brought it; 0 where every supported one has it.
	since int
}

//go:embed parameters.txt
var parameterTable string

var parameters = readParameters(parameterTable)

func readParameters(table string) (all []parameter) {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] == "#" {
			continue
		}
		read := parameter{name: fields[0], kind: fields[1]}
		for _, field := range fields[2:] {
			if field == "restart" {
				read.static = true
				continue
			}
			read.since, _ = strconv.Atoi(field)
		}
		all = append(all, read)
	}
	return all
}

// parameterNamed is the zero value where there is none.
func parameterNamed(name string) parameter {
	for _, known := range parameters {
		if known.name == name {
			return known
		}
	}
	return parameter{}
}

// parameterNames are the settings that a stack config can change; of one kind, where one is given.
func parameterNames(kinds ...string) (names []string) {
	for _, known := range parameters {
		if known.name != forceSSL && (len(kinds) == 0 || slices.Contains(kinds, known.kind)) {
			names = append(names, known.name)
		}
	}
	return names
}

// parameterProblems finds names and values that RDS would only refuse halfway through the deployment.
func (args DatabaseArgs) parameterProblems() problems.List {
	var ps problems.List
	major, _ := strconv.Atoi(args.EngineVersion)
	for _, name := range slices.Sorted(maps.Keys(args.Parameters)) {
		problem := problems.Problem{Path: "parameters." + name, Value: strconv.Quote(args.Parameters[name])}
		switch since := parameterNamed(name).since; {
		case name == forceSSL:
			problem.Want = "none: it is always 1"
		case !parameterConstraint.Names.Accepts(name):
			problem.Want = "a PostgreSQL setting that RDS lets a parameter group change"
		case since > major:
			problem.Want = fmt.Sprintf("none: PostgreSQL has it since %d, engineVersion is %s", since, args.EngineVersion)
		default:
			ps = append(ps, parameterConstraint.Value(name).Check(problem.Path, args.Parameters[name])...)
			continue
		}
		ps = append(ps, problem)
	}
	return ps
}

// parameterArray is sorted, since RDS keeps no order and a changed one would look like a change.
func (args DatabaseArgs) parameterArray() rds.ParameterGroupParameterArray {
	values := maps.Clone(defaultParameters)
	maps.Copy(values, args.Parameters)
	maps.DeleteFunc(values, func(name, value string) bool {
		_, isDefault := defaultParameters[name]
		return isDefault && value == "0" // RDS's own: sent, it would be planned as a change in every run
	})
	values[forceSSL] = "1"
	var parameters rds.ParameterGroupParameterArray
	for _, name := range slices.Sorted(maps.Keys(values)) {
		method := "immediate"
		if parameterNamed(name).static {
			method = "pending-reboot"
		}
		parameters = append(parameters, rds.ParameterGroupParameterArgs{
			Name:        pulumi.String(name),
			Value:       pulumi.String(values[name]),
			ApplyMethod: pulumi.String(method),
		})
	}
	return parameters
}

// createParameterGroup has the major in its logical name: an upgrade creates the new family's group, moves the
// instance to it, and only then deletes the old one.
func (b *builder) createParameterGroup() error {
	group, err := rds.NewParameterGroup(b.ctx, b.name+"-parameters-"+b.args.EngineVersion, &rds.ParameterGroupArgs{
		Description: pulumi.String("PostgreSQL " + b.args.EngineVersion + " settings of the database"),
		Family:      pulumi.String("postgres" + b.args.EngineVersion),
		Parameters:  b.args.parameterArray(),
		Tags:        b.tags(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create parameter group: %w", err)
	}
	b.parameterGroup = group
	return nil
}
