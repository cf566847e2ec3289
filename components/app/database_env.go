package app

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/components/database"
	"threetier/internal/constraint"
	"threetier/internal/problems"
)

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
	// libpq and asyncpg read these where a connection string says nothing of TLS.
	"PGSSLMODE":     "verify-full",
	"PGSSLROOTCERT": "{caFile}",
}

var (
	templatePart  = regexp.MustCompile(`\{[^{}]*\}`)
	databaseParts = []string{"host", "readerHost", "port", "name", "username", "password", "caFile"}

	databaseTemplate = constraint.Text{
		Pattern: `^([^{}]|\{` + constraint.Either(databaseParts) + `\})*$`,
		Want:    "the parts {" + strings.Join(databaseParts, "}, {") + "}",
	}
)

func databaseEnvProblems(templates map[string]string) problems.List {
	var ps problems.List
	for name, template := range templates {
		ps = append(ps, pods.EnvNames.Check("databaseEnv", name)...)
		if !databaseTemplate.Accepts(template) {
			ps = append(ps, problems.Problem{Path: "databaseEnv." + name, Value: strconv.Quote(unknownPart(template)), Want: databaseTemplate.Want})
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

// checkConnection finds what only a program can get wrong; the stack config's mistakes are Problems.
func checkConnection(c database.Connection) error {
	given := []struct {
		field string
		value any
	}{
		{"host", c.Host}, {"port", c.Port}, {"name", c.Name}, {"username", c.Username},
		{"password", c.Password}, {"CA bundle", c.CABundle},
	}
	var missing []string
	for _, g := range given {
		if g.value == nil {
			missing = append(missing, g.field)
		}
	}
	if len(missing) > 0 && len(missing) < len(given) {
		return fmt.Errorf("the database connection has no %s", missing[0])
	}
	return nil
}

// renderTemplate leaves out the parts that the template doesn't name: a password that isn't used
// must not make the value secret.
func renderTemplate(c database.Connection, template string) pulumi.StringOutput {
	reader := c.ReaderHost
	if reader == nil {
		reader = c.Host
	}
	all := map[string]pulumi.Input{
		"host": c.Host, "readerHost": reader, "port": c.Port, "name": c.Name, "username": c.Username,
		"password": c.Password, "caFile": pulumi.String(logins.CAFile),
	}
	used := pulumi.Map{}
	for part, value := range all {
		if strings.Contains(template, "{"+part+"}") {
			used[part] = value
		}
	}
	return used.ToMapOutput().ApplyT(func(parts map[string]any) string {
		return fillTemplate(template, parts)
	}).(pulumi.StringOutput)
}

// fillTemplate percent-encodes what it puts into a URL. Slashes stay, except in a URL's user
// and password, where they would end it: only {caFile} has any by rule.
func fillTemplate(template string, parts map[string]any) string {
	isURL := strings.Contains(template, "://")
	return templatePart.ReplaceAllStringFunc(template, func(placeholder string) string {
		part := strings.Trim(placeholder, "{}")
		value := fmt.Sprint(parts[part])
		if !isURL || part == "caFile" {
			return value
		}
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") // a + is one in a password
	})
}

// useDatabase gives the workload the filled-in templates. Values that hold the password go into one Secret, with the CA
// bundle beside them: a change of either rolls the pods.
func (w *workload) useDatabase(ctx *pulumi.Context, parent pulumi.Resource, suffix string, connection database.Connection, templates map[string]string, opts ...pulumi.ResourceOption) error {
	if connection.None() {
		return nil
	}
	env, secretName, err := databaseEnv(ctx, parent, w.Set, suffix, connection, templates, opts...)
	if err != nil {
		return err
	}
	w.database, w.templates = connection, templates
	w.env = append(w.env, env...)
	w.Mount("database-ca", logins.CADir, logins.CAVolume(secretName))
	return nil
}

// databaseEnv are the filled-in templates for the pods of a set, and the name of their Secret.
func databaseEnv(ctx *pulumi.Context, parent pulumi.Resource, of pods.Set, suffix string, connection database.Connection, templates map[string]string, opts ...pulumi.ResourceOption) (corev1.EnvVarArray, pulumi.StringInput, error) {
	plain := map[string]pulumi.StringInput{}
	secret := map[string]pulumi.StringInput{logins.CAKey: connection.CABundle}
	var secretNames []string
	for variable, template := range templates {
		if strings.Contains(template, "{password}") {
			secret[variable] = renderTemplate(connection, template)
			secretNames = append(secretNames, variable)
		} else {
			plain[variable] = renderTemplate(connection, template)
		}
	}
	secretName, err := pods.NewSecret(ctx, parent, of.Name+suffix, of.Metadata(), secret, opts...)
	return append(pods.PlainEnv(plain), pods.SecretEnv(secretName, secretNames)...), secretName, err
}
