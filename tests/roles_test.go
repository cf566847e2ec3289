package tests

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/app/images"
	"threetier/components/database"
	"threetier/gate/recorder"
)

func secretText(value string) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(value)).(pulumi.StringOutput)
}

// withRoles is an app whose database's logins are to be made.
func withRoles(a *appStack) {
	a.Database.Username, a.Database.Password = pulumi.String("threetier_a"), secretText("the-app's")
	a.Database.Roles = &database.Roles{
		Administrator:   database.Login{Username: pulumi.String("app_admin"), Password: secretText("the-administrator's")},
		Migration:       database.Login{Username: pulumi.String("threetier_migration"), Password: secretText("the-migration's")},
		App:             "threetier_a",
		Owner:           "threetier_owner_a",
		Resting:         []string{"threetier_b", "threetier_owner_b"},
		PasswordVersion: 1,
		Extensions:      []string{"pgcrypto", "vector"},
		Instance:        pulumi.String("db-1"),
	}
}

func TestEachPodGetsItsOwnPasswordOnly(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		withRoles(a)
		a.Backend.Env = map[string]pulumi.StringInput{"LOG_LEVEL": pulumi.String("info")}
		process := app.ProcessArgs{Command: []string{"work"}}
		a.Workers = map[string]app.WorkerArgs{"mailer": {ProcessArgs: process}}
		process.Login = app.LoginOwner
		process.Env = map[string]pulumi.StringInput{"DB_HOST": pulumi.String("pooler.example")}
		a.Jobs = map[string]app.JobArgs{"nightly": {ProcessArgs: process}}
	})
	// values are everything that a pod's containers get by the environment, secrets resolved.
	values := func(spec any) string {
		var all []string
		pod := spec.(map[string]any)
		for _, key := range []string{"initContainers", "containers"} {
			containers, _ := pod[key].([]any)
			for _, c := range containers {
				container := c.(map[string]any)
				for variable, value := range environmentOf(t, r, container) {
					all = append(all, fmt.Sprintf("%s %s=%s", container["name"], variable, value))
				}
			}
		}
		return strings.Join(all, "\n")
	}
	pods := map[string]string{}
	for _, res := range append(r.All(deploymentType), r.All(jobType)...) {
		pods[res.Name] = values(res.Input(t, "spec.template.spec"))
	}
	for _, res := range r.All(cronJobType) {
		pods[res.Name] = values(res.Input(t, "spec.jobTemplate.spec.template.spec"))
	}
	require.Len(t, pods, 10)
	for name, has := range map[string][]string{
		"shop-backend":         {"backend DB_USER=threetier_a", "backend DB_PASSWORD=the-app's"},
		"shop-backend-migrate": {"backend-migration DB_USER=threetier_migration", "backend-migration DB_PASSWORD=the-migration's"},
		"shop-worker-mailer":   {"worker-mailer DB_USER=threetier_a", "worker-mailer LOG_LEVEL=info"},
		"shop-job-nightly": {
			"job-nightly DB_USER=threetier_owner_a", "job-nightly DATABASE_URL=postgresql://threetier_owner_a:the-migration%27s@",
			"job-nightly DB_HOST=pooler.example", "job-nightly LOG_LEVEL=info",
		},
		"shop-backend-roles": {"database-roles PGUSER=app_admin", "database-roles PGPASSWORD=the-administrator's", "EXTENSIONS=pgcrypto,vector", "APP_OWNS=false"},
		// The person's container has a login of its own.
		"shop-psql": {"login PGUSER=app_admin", "login PGPASSWORD=the-administrator's", "login WRITES=false", "psql PGPASSFILE="},
	} {
		for _, want := range has {
			require.Contains(t, pods[name], want, name)
		}
	}
	may := map[string]string{
		"shop-backend": "the-app's", "shop-worker-mailer": "the-app's", "shop-job-nightly": "the-migration's", "shop-backend-migrate": "the-migration's", "shop-backend-roles": "the-administrator's",
		"shop-backend-roles-lock": "the-administrator's", "shop-psql": "the-administrator's", "shop-psql-write": "the-administrator's",
	}
	for name, env := range pods {
		for _, password := range []string{"the-app's", "the-migration's", "the-administrator's"} {
			require.Equal(t, may[name] == password, strings.Contains(env, password), "%s and %s", name, password)
		}
		require.NotContains(t, env, "psql PGPASSWORD=")
		// And the administrator's connections their own options, which a person's prompt hasn't.
		options := regexp.MustCompile(`(?m)^(\S+) PGOPTIONS=-c search_path=pg_catalog,pg_temp -c role=none `).FindAllStringSubmatch(env, -1)
		require.Equal(t, strings.Count(env, " PGPASSWORD=the-administrator's"), len(options), name)
		for _, option := range options {
			require.Contains(t, env, option[1]+" PGPASSWORD=the-administrator's")
		}
	}
	require.Contains(t, pods["shop-backend-roles"], "APP_VERIFIER=SCRAM-SHA-256$4096:")
	require.Contains(t, pods["shop-backend-roles"], "OWNER_VERIFIER=SCRAM-SHA-256$4096:")
	require.Contains(t, pods["shop-backend-roles-lock"], "RESTING_LOGINS=threetier_b,threetier_owner_b")
}

// environmentOf is a container's environment, with the secrets' values.
func environmentOf(t *testing.T, r *recorder.Recording, container map[string]any) map[string]string {
	t.Helper()
	all := map[string]string{}
	env, _ := container["env"].([]any)
	for _, item := range env {
		variable := item.(map[string]any)
		value, _ := variable["value"].(string)
		if from, isRef := variable["valueFrom"].(map[string]any); isRef && from["secretKeyRef"] != nil {
			ref := from["secretKeyRef"].(map[string]any)
			value = secretNamed(t, r, ref["name"].(string)).SecretData(t)[ref["key"].(string)]
		}
		all[variable["name"].(string)] = value
	}
	return all
}

// secretNamed is the Secret of a name in the cluster.
func secretNamed(t *testing.T, r *recorder.Recording, name string) recorder.Resource {
	t.Helper()
	for _, res := range r.All(secretType) {
		if strings.HasPrefix(name, res.Name+"-") && !strings.Contains(strings.TrimPrefix(name, res.Name+"-"), "-") {
			return res
		}
	}
	t.Fatalf("no Secret is called %s", name)
	return recorder.Resource{}
}

func TestRolesComeBeforeTheMigrationAndTheLockAfterTheRollout(t *testing.T) {
	r := runApp(t, withRoles)
	roles, migration := r.Named(t, jobType, "shop-backend-roles"), r.Named(t, jobType, "shop-backend-migrate")
	lock, pods := r.Named(t, jobType, "shop-backend-roles-lock"), r.Named(t, deploymentType, "shop-backend")
	require.Contains(t, migration.DependsOn, roles.URN)
	require.Contains(t, pods.DependsOn, migration.URN)
	require.Contains(t, lock.DependsOn, r.Named(t, rolloutType, "shop-backend").URN)
	for _, job := range []recorder.Resource{roles, lock} {
		require.Nil(t, job.Input(t, "metadata.name"), "a change makes a new Job before the old one goes")
		require.Equal(t, "true", job.Input(t, `metadata.annotations["pulumi.com/replaceUnready"]`))
		require.Equal(t, "db-1", job.Input(t, `spec.template.metadata.annotations["database-instance"]`))
	}
	grace := pods.Input(t, "spec.template.spec.terminationGracePeriodSeconds").(float64)
	require.Equal(t, fmt.Sprint(grace), environment(t, lock)["LOCK_AFTER"], "no pod of before is left")

	require.Equal(t, "0", environment(t, lock)["JOB_SECONDS"])

	r = runApp(t, func(a *appStack) {
		withRoles(a)
		slow := app.ProcessArgs{Command: []string{"work"}}
		a.Workers = map[string]app.WorkerArgs{"mailer": {ProcessArgs: slow, StopSeconds: 900}}
		a.Jobs = map[string]app.JobArgs{"nightly": {ProcessArgs: slow, TimeoutSeconds: 7200}}
	})
	lock = r.Named(t, jobType, "shop-backend-roles-lock")
	require.Contains(t, lock.DependsOn, r.Named(t, rolloutType, "shop-worker-mailer").URN)
	require.Equal(t, "910", environment(t, lock)["LOCK_AFTER"], "a worker may stop for longer")
	require.Greater(t, lock.Input(t, "spec.activeDeadlineSeconds"), 910.0+60, "the Job outlives its own wait")
	require.Equal(t, "7200", environment(t, lock)["JOB_SECONDS"], "a run isn't stopped by a rollout")
	taken := app.AppArgs{Jobs: map[string]app.JobArgs{"psql": {}}}
	require.ErrorContains(t, taken.Complete().Err(), `jobs is "psql", want another name`)

	r = runApp(t, func(a *appStack) { withRoles(a); a.Backend.Migrate = nil })
	require.Contains(t, r.Named(t, deploymentType, "shop-backend").DependsOn, r.Named(t, jobType, "shop-backend-roles").URN)
	require.Equal(t, "true", environment(t, r.Named(t, jobType, "shop-backend-roles"))["APP_OWNS"], "it makes its own tables")
}

func TestRolesAndPsqlReachTheDatabaseAndNothingElse(t *testing.T) {
	r := runApp(t, withRoles)
	for _, name := range []string{"roles", "psql"} {
		var ways []string
		policy := r.Named(t, policyType, "shop-"+name+"-out")
		for _, rule := range policy.Input(t, "spec.egress").([]any) {
			ways = append(ways, describeWays(name, "egress", rule.(map[string]any))...)
		}
		require.Equal(t, []string{name + " egress inside TCP 5433", name + " egress inside UDP 53", name + " egress inside TCP 53"}, ways)
	}
	require.Equal(t, map[string]string{"app.kubernetes.io/name": "database-roles"}, labelsOf(r.Named(t, policyType, "shop-roles-out").Input(t, "spec.podSelector.matchLabels")))
	require.Equal(t, map[string]string{"app.kubernetes.io/name": "psql"}, labelsOf(r.Named(t, policyType, "shop-psql-out").Input(t, "spec.podSelector.matchLabels")))
	require.Equal(t, "psql", podLabel(map[string]any{"matchLabels": r.Named(t, cronJobType, "shop-psql").Input(t, "spec.jobTemplate.spec.template.metadata.labels")}))
	require.Equal(t, "database-roles", podLabel(map[string]any{"matchLabels": r.Named(t, jobType, "shop-backend-roles").Input(t, "spec.template.metadata.labels")}))
}

func labelsOf(labels any) map[string]string {
	all := map[string]string{}
	for name, value := range labels.(map[string]any) {
		all[name] = fmt.Sprint(value)
	}
	return all
}

func TestPsqlRunsWhenAPersonAsksAndForAnHour(t *testing.T) {
	r := runApp(t, withRoles)
	for name, called := range map[string]string{"shop-psql": "psql", "shop-psql-write": "psql-write"} {
		job := r.Named(t, cronJobType, name)
		require.Equal(t, called, job.Input(t, "metadata.name"))
		require.Equal(t, true, job.Input(t, "spec.suspend"))
		require.EqualValues(t, 3600, job.Input(t, "spec.jobTemplate.spec.activeDeadlineSeconds"))
		require.EqualValues(t, 60, job.Input(t, "spec.jobTemplate.spec.ttlSecondsAfterFinished"))
		for _, key := range []string{"initContainers", "containers"} {
			container := job.Input(t, "spec.jobTemplate.spec.template.spec."+key+"[0]").(map[string]any)
			require.Equal(t, images.Client, container["image"])
			require.Equal(t, true, container["securityContext"].(map[string]any)["readOnlyRootFilesystem"])
		}
	}
}

// PostgreSQL itself checks it where the SQL is tested.
func TestVerifierIsTheSameInEveryRun(t *testing.T) {
	first, err := database.Verifier("threetier_a", "secret")
	require.NoError(t, err)
	again, err := database.Verifier("threetier_a", "secret")
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := database.Verifier("threetier_b", "secret")
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	require.Regexp(t, `^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`, first)
}
