package logins

import (
	"fmt"
	"hash/fnv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/components/database"
)

const (
	// migrationLock is the key of PostgreSQL's advisory lock: any number that no app's own migration tool takes.
	migrationLock = 7243905918265530147
	// lockedFile is there once the lock is held. Tmp is the pod's own.
	lockedFile = "/tmp/.threetier-migration-lock"
	lockEvery  = 2
)

// lockOptions are how the lock's connection is made: nothing that the owner has set for the database may end it.
const lockOptions = "-c search_path=pg_catalog,pg_temp -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0"

// lostOptions let the server notice within 40 seconds that a pod is gone with its node.
const lostOptions = " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"

// holdLock takes the lock and looks every 10 seconds whether the connection is still there. With the shell, everything in
// the container ends, and the lock is free.
func holdLock(key int64) string {
	return fmt.Sprintf(`rm -f %[1]s
trap 'exit 0' TERM
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 >/dev/null <<'SQL' &
SELECT pg_advisory_lock(%[2]d);
\! touch %[1]s
SELECT \watch 10
SQL
wait $!`, lockedFile, key)
}

// OneMigration is a container that comes before a pod's others and holds a lock of the database for the pod's life: one
// pod of a migration waits for another, such as that of an update that was killed.
func (r *Logins) OneMigration(ctx *pulumi.Context, parent pulumi.Resource, of pods.Set, seconds int) (corev1.ContainerArgs, error) {
	return r.one(ctx, parent, of, r.resource+"-migrate-lock", r.of.Migration, migrationLock, lockOptions, seconds)
}

// OneWorker is the same for the pods of a worker.
func (r *Logins) OneWorker(ctx *pulumi.Context, parent pulumi.Resource, of pods.Set) (corev1.ContainerArgs, error) {
	key := fnv.New64a()
	_, _ = key.Write([]byte(of.Label)) // never fails
	return r.one(ctx, parent, of, of.Name+"-lock", r.app, int64(key.Sum64()), lockOptions+lostOptions, of.RolloutSeconds)
}

func (r *Logins) one(ctx *pulumi.Context, parent pulumi.Resource, of pods.Set, name string, login database.Login, key int64, options string, seconds int) (corev1.ContainerArgs, error) {
	secret, err := pods.NewSecret(ctx, parent, name, of.Metadata(), map[string]pulumi.StringInput{"PGPASSWORD": login.Password})
	if err != nil {
		return corev1.ContainerArgs{}, fmt.Errorf("create secret: %w", err)
	}
	env := append(pods.PlainEnv(map[string]pulumi.StringInput{"PGOPTIONS": pulumi.String(options), "PGUSER": login.Username}),
		pods.SecretEnv(secret, []string{"PGPASSWORD"})...)
	return corev1.ContainerArgs{
		Image:         pulumi.String(r.image),
		Command:       pods.Strings([]string{"sh", "-ec", holdLock(key)}),
		Env:           append(env, r.env...),
		RestartPolicy: pulumi.String("Always"), // it runs beside the others, and ends with them
		StartupProbe: corev1.ProbeArgs{
			Exec:          corev1.ExecActionArgs{Command: pods.Strings([]string{"test", "-e", lockedFile})},
			PeriodSeconds: pulumi.Int(lockEvery), FailureThreshold: pulumi.Int(seconds/lockEvery + 1),
		},
	}, nil
}

// Reaching comes before a lock's container, which would start again and again. It ends the pod where the database can't be
// logged in to, and its last words say why.
func Reaching(t pods.Set, lock corev1.ContainerArgs) corev1.ContainerInput {
	lock.Command = pods.Strings([]string{"psql", "--no-psqlrc", "--quiet", "--command=SELECT"})
	lock.RestartPolicy, lock.StartupProbe = nil, nil
	return hardened(t, lock, "database")
}

// HardenedLock is a lock's container in the pod of another set.
func HardenedLock(t pods.Set, lock corev1.ContainerArgs) corev1.ContainerInput {
	return hardened(t, lock, "lock")
}

// hardened has resources of its own.
func hardened(t pods.Set, container corev1.ContainerArgs, name string) corev1.ContainerInput {
	t.Resources, t.FileCapabilities = Resources, false
	return t.Hardened(container, name)
}
