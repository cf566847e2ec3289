// Package logins makes the logins of the database, by psql in the cluster.
package logins

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/components/database"
)

const (
	// Label is what the pods of the roles are selected by.
	Label  = "database-roles"
	sqlDir = "/etc/sql"
	// rolesSeconds is for a database that fails over meanwhile, and for busy tables that change hands.
	rolesSeconds = 600
)

// Resources are those of each pod.
var Resources = pods.ResourceArgs{CPU: "50m", Memory: "64Mi"}

// AdministratorOptions are how each connection of the administrator is made. A connection's own options beat what whoever
// acts as the database's owner has set for it (ALTER DATABASE … SET), from the first moment; administrator.sql resets all
// else. The owner may create functions, operators and views in public, and they never come before PostgreSQL's own.
const AdministratorOptions = "-c search_path=pg_catalog,pg_temp -c role=none -c default_transaction_read_only=off" +
	" -c statement_timeout=0 -c idle_session_timeout=0" +
	" -c standard_conforming_strings=on -c client_encoding=UTF8 -c DateStyle=ISO -c TimeZone=UTC" +
	" -c password_encryption=scram-sha-256 -c row_security=off -c local_preload_libraries="

//go:embed administrator.sql
var administratorSQL string

//go:embed roles.sql
var rolesSQL string

//go:embed lock.sql
var lockSQL string

//go:embed previews.sql
var previewsSQL string

//go:embed create.sql
var createSQL string

// Needs are what the logins have of their stack.
type Needs struct {
	pods.Place
	Database database.Connection
	// Image has a shell and psql 15 or later.
	Image string
	// AppOwns is for an app that creates its tables itself.
	AppOwns bool
	// Connections are what the logins may open. Required for a preview.
	Connections Connections
}

// Connections are the most that the pods open, by login.
type Connections struct{ App, Owner, Migration int }

// Logins are the database's logins, made by psql in the cluster: nothing else has a way to the database.
type Logins struct {
	pods.Set
	resource string // prefix of the logical names
	appOwns  bool
	image    string
	of       database.Roles
	app      database.Login
	env      corev1.EnvVarArray // of a client of the database
	// administrator is the environment of a client that logs in as the administrator.
	administrator corev1.EnvVarArray
	verifiers     corev1.EnvVarArray
	ca            corev1.VolumeArgs
	connections   Connections
	// outside is env in the database that is there before a preview's own.
	outside corev1.EnvVarArray
}

// New is nil where the connection's login is there already.
func New(ctx *pulumi.Context, parent pulumi.Resource, name string, needs Needs) (*Logins, error) {
	if needs.Database.Roles == nil {
		return nil, nil
	}
	r := &Logins{
		resource: name, image: needs.Image, of: *needs.Database.Roles,
		app: database.Login{Username: needs.Database.Username, Password: needs.Database.Password}, appOwns: needs.AppOwns,
		connections: needs.Connections,
		Set: pods.Set{
			Name: name + "-roles", Label: Label, Place: needs.Place, UID: pods.DefaultRunAsUser,
			Resources: Resources, Writable: []string{pods.WritableTmp},
		},
	}
	scripts, err := corev1.NewConfigMap(ctx, r.Name, &corev1.ConfigMapArgs{
		Metadata:  r.Metadata(),
		Immutable: pulumi.Bool(true),
		Data:      r.scripts(),
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, fmt.Errorf("create SQL config map: %w", err)
	}
	data := map[string]pulumi.StringInput{
		CAKey:                needs.Database.CABundle,
		"PGPASSWORD":         r.of.Administrator.Password,
		"APP_VERIFIER":       verifier(r.of.App, needs.Database.Password),
		"MIGRATION_VERIFIER": verifier(r.of.In(database.MigrationLogin), r.of.Migration.Password),
		"OWNER_VERIFIER":     verifier(r.of.Owner, r.of.Migration.Password),
	}
	verifiers := []string{"APP_VERIFIER", "MIGRATION_VERIFIER", "OWNER_VERIFIER"}
	if r.of.Previews != nil {
		data["PREVIEWS_VERIFIER"] = verifier(database.PreviewsLogin, r.of.Previews.Password)
		verifiers = append(verifiers, "PREVIEWS_VERIFIER")
	}
	secret, err := pods.NewSecret(ctx, parent, r.Name, r.Metadata(), data)
	if err != nil {
		return nil, fmt.Errorf("create secret: %w", err)
	}
	r.env = clientEnv(needs.Database)
	if r.of.Preview != nil {
		needs.Database.Name = pulumi.String("postgres")
		r.outside = clientEnv(needs.Database)
	}
	r.administrator = append(pods.PlainEnv(map[string]pulumi.StringInput{
		"PGOPTIONS": pulumi.String(AdministratorOptions), "PGUSER": r.of.Administrator.Username,
	}),
		pods.SecretEnv(secret, []string{"PGPASSWORD"})...)
	r.verifiers = pods.SecretEnv(secret, verifiers)
	r.Mount("sql", sqlDir, corev1.VolumeArgs{ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: scripts.Metadata.Name()}})
	r.ca = CAVolume(secret)
	r.Mount("database-ca", CADir, r.ca)
	return r, nil
}

// scripts are the Job's SQL files.
func (r *Logins) scripts() pulumi.StringMap {
	scripts := pulumi.StringMap{
		"administrator.sql": pulumi.String(administratorSQL),
		"roles.sql":         pulumi.String(r.of.In(rolesSQL)), "lock.sql": pulumi.String(lockSQL),
	}
	if r.of.Previews != nil {
		scripts["previews.sql"] = pulumi.String(previewsSQL)
	}
	if r.of.Preview != nil {
		scripts["create.sql"] = pulumi.String(r.of.In(createSQL))
	}
	return scripts
}

func verifier(login string, password pulumi.StringInput) pulumi.StringOutput {
	return pulumi.ToSecret(password.ToStringOutput().ApplyT(func(password string) (string, error) {
		return database.Verifier(login, password)
	})).(pulumi.StringOutput)
}

// clientEnv is what libpq reads, except for the login.
func clientEnv(c database.Connection) corev1.EnvVarArray {
	return pods.PlainEnv(map[string]pulumi.StringInput{
		"HOME":              pulumi.String(pods.WritableTmp),
		"PGHOST":            c.Host,
		"PGPORT":            pulumi.Sprintf("%d", c.Port),
		"PGDATABASE":        c.Name,
		"PGSSLMODE":         pulumi.String("verify-full"),
		"PGSSLROOTCERT":     pulumi.String(CAFile),
		"PGCONNECT_TIMEOUT": pulumi.String("10"),
	})
}

// Make comes before the migration. What drops a preview's logins is there before it makes them.
func (r *Logins) Make(ctx *pulumi.Context, parent pulumi.Resource) (pulumi.Resource, error) {
	drop, err := r.letDrop(ctx, parent)
	if err != nil {
		return nil, err
	}
	return r.job(ctx, parent, r.resource+"-roles", []string{"roles.sql"}, Uses{}, drop...)
}

// Lock comes after the rollout: pods that served before it do so for some seconds. What they created meanwhile becomes
// the owner's.
func (r *Logins) Lock(ctx *pulumi.Context, parent pulumi.Resource, old Uses, after ...pulumi.Resource) error {
	_, err := r.job(ctx, parent, r.resource+"-roles-lock", []string{"lock.sql", "roles.sql"}, old, after...)
	return err
}

// Uses are how long what began before a rollout may use the database, in seconds.
type Uses struct {
	Pods int
	Jobs int // 0: there are none
}

func (r *Logins) job(ctx *pulumi.Context, parent pulumi.Resource, name string, scripts []string, old Uses, after ...pulumi.Resource) (pulumi.Resource, error) {
	own := pods.PlainEnv(map[string]pulumi.StringInput{
		"APP_LOGIN":        pulumi.String(r.of.App),
		"APP_OWNS":         pulumi.String(strconv.FormatBool(r.appOwns)),
		"EXTENSIONS":       pulumi.String(strings.Join(r.of.Extensions, ",")),
		"JOB_SECONDS":      pulumi.String(strconv.Itoa(old.Jobs)),
		"LOCK_AFTER":       pulumi.String(strconv.Itoa(old.Pods)),
		"PASSWORD_VERSION": pulumi.String(strconv.Itoa(r.of.PasswordVersion)),
		"OWNER_LOGIN":      pulumi.String(r.of.Owner),
		"RESTING_LOGINS":   pulumi.String(strings.Join(r.of.Resting, ",")),
	})
	env := r.env
	if preview := r.of.Preview; preview != nil {
		env, scripts = r.outside, append([]string{"create.sql"}, scripts...)
		own = append(own, pods.PlainEnv(map[string]pulumi.StringInput{
			"PREVIEW":               pulumi.String(preview.Name),
			"TAKEN_CONNECTIONS":     pulumi.String(strconv.Itoa(preview.Taken)),
			"APP_CONNECTIONS":       pulumi.String(strconv.Itoa(r.connections.App)),
			"OWNER_CONNECTIONS":     pulumi.String(strconv.Itoa(r.connections.Owner)),
			"MIGRATION_CONNECTIONS": pulumi.String(strconv.Itoa(r.connections.Migration)),
		})...)
	}
	if r.of.Previews != nil {
		scripts = append(scripts, "previews.sql")
		own = append(own, corev1.EnvVarArgs{Name: pulumi.String("PREVIEWS_CONNECTIONS"), Value: pulumi.String(strconv.Itoa(database.PreviewsConnections))})
	}
	t := r.Set
	t.Container = corev1.ContainerArgs{
		Image:   pulumi.String(r.image),
		Command: pods.Strings([]string{"sh", "-ec", psqlOnceReachable(scripts)}),
		Env:     slices.Concat(env, r.administrator, r.verifiers, own),
	}
	// Another database at the same address has none of the roles.
	instance := pulumi.StringMap{"database-instance": r.of.Instance.ToStringOutput()}
	return t.Job(ctx, parent, name, 1, rolesSeconds+old.Pods, instance, after...)
}

// psqlOnceReachable also waits for a new password of the administrator: RDS calls it set some seconds before it counts.
func psqlOnceReachable(scripts []string) string {
	files := ""
	for _, script := range scripts {
		files += " --file=" + sqlDir + "/" + script
	}
	return "for pause in 1 1 2 3 5 10 10 20 20 30; do psql --no-psqlrc --quiet --command='SELECT' >/dev/null && break; sleep $pause; done\n" +
		"exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1" + files
}
