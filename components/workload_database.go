package components

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const databaseCADir = "/etc/database"

// DatabaseCAFile is where pods find the certificates that the database's own is checked against: {caFile}.
const DatabaseCAFile = databaseCADir + "/ca.pem"

// DefaultDatabaseEnv is the environment that a backend gets when databaseEnv is absent.
var DefaultDatabaseEnv = map[string]string{
	"DB_HOST":        "{host}",
	"DB_PORT":        "{port}",
	"DB_NAME":        "{name}",
	"DB_USER":        "{username}",
	"DB_PASSWORD":    "{password}",
	"DB_SSLMODE":     "verify-full",
	"DB_SSLROOTCERT": "{caFile}",
	"DATABASE_URL":   "postgresql://{username}:{password}@{host}:{port}/{name}?sslmode=verify-full&sslrootcert={caFile}",
}

// DatabaseConnection is how the backend reaches its database.
type DatabaseConnection struct {
	// Host is the primary's address, without a port. Required.
	Host pulumi.StringInput
	// ReaderHost is the address for reads. Default: Host.
	ReaderHost pulumi.StringInput
	// Port is required.
	Port pulumi.IntInput
	// Name is the database's name. Required.
	Name pulumi.StringInput
	// Username is required.
	Username pulumi.StringInput
	// Password is required, and must be a secret output.
	Password pulumi.StringInput
	// CABundle holds the PEM certificates that the server's own is checked against. Required.
	CABundle pulumi.StringInput
}

var (
	templatePart  = regexp.MustCompile(`\{[^{}]*\}`)
	databaseParts = []string{"host", "readerHost", "port", "name", "username", "password", "caFile"}
)

func databaseEnvProblems(templates map[string]string) Problems {
	var ps Problems
	for name, template := range templates {
		if !envName.MatchString(name) {
			ps = append(ps, Problem{"databaseEnv", strconv.Quote(name), "names of letters, digits and _ that don't start with a digit"})
		}
		if bad := unknownPart(template); bad != "" {
			ps = append(ps, Problem{"databaseEnv." + name, strconv.Quote(bad), "the parts {" + strings.Join(databaseParts, "}, {") + "}"})
		}
	}
	return ps
}

// unknownPart is what stands in braces and isn't a part, or a brace that stands alone.
func unknownPart(template string) string {
	rest := template
	for _, part := range databaseParts {
		rest = strings.ReplaceAll(rest, "{"+part+"}", "")
	}
	if part := templatePart.FindString(rest); part != "" {
		return part
	}
	if i := strings.IndexAny(rest, "{}"); i >= 0 {
		return rest[i : i+1]
	}
	return ""
}

// check is for what only the program can get wrong, so it isn't one of the Problems.
func (c DatabaseConnection) check() error {
	for field, missing := range map[string]bool{
		"host": c.Host == nil, "port": c.Port == nil, "name": c.Name == nil,
		"username": c.Username == nil, "password": c.Password == nil, "CA bundle": c.CABundle == nil,
	} {
		if missing {
			return fmt.Errorf("the database connection has no %s", field)
		}
	}
	return nil
}
