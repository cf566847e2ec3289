package logins

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
)

const (
	// PsqlName begins the names of the Jobs that people open.
	PsqlName = "psql"
	// WritesSuffix ends the name of the template whose pods may write.
	WritesSuffix = "-write"
	loginDir     = "/run/login"
	// psqlMinutes is how long a person's login and pod last.
	psqlMinutes = 60
)

//go:embed psql.sql
var psqlSQL string

// LetPeopleIn makes the templates of psql's pods: CronJobs that never run by themselves, since kubectl makes a Job of one.
// They have fixed names, by which people find them. Each pod first makes a login that expires and is named after the Job.
func (r *Logins) LetPeopleIn(ctx *pulumi.Context, parent pulumi.Resource, name string) error {
	if r == nil {
		return nil
	}
	scripts, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata:  pods.Metadata(r.Namespace, PsqlName),
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{"administrator.sql": pulumi.String(administratorSQL), "psql.sql": pulumi.String(r.inPsql(psqlSQL))},
	}, pulumi.Parent(parent))
	if err != nil {
		return fmt.Errorf("create SQL config map: %w", err)
	}
	for suffix, writes := range map[string]bool{"": false, WritesSuffix: true} {
		metadata := pods.Metadata(r.Namespace, PsqlName)
		metadata.Name = pulumi.String(PsqlName + suffix)
		_, err := newTemplate(ctx, parent, name+suffix, metadata, batchv1.JobSpecArgs{
			BackoffLimit:            pulumi.Int(0),
			ActiveDeadlineSeconds:   pulumi.Int(psqlMinutes * 60),
			TtlSecondsAfterFinished: pulumi.Int(60),
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: metadata.Labels},
				Spec:     r.psqlPod(scripts, writes),
			},
		})
		if err != nil {
			return fmt.Errorf("create cron job %s%s: %w", PsqlName, suffix, err)
		}
	}
	return nil
}

// newTemplate is a CronJob that never runs by itself: kubectl makes a Job of it.
func newTemplate(ctx *pulumi.Context, parent pulumi.Resource, name string, metadata metav1.ObjectMetaArgs, job batchv1.JobSpecArgs) (*batchv1.CronJob, error) {
	return batchv1.NewCronJob(ctx, name, &batchv1.CronJobArgs{
		Metadata: metadata,
		Spec: batchv1.CronJobSpecArgs{
			Suspend:                 pulumi.Bool(true),
			Schedule:                pulumi.String(pods.NeverSchedule),
			StartingDeadlineSeconds: pulumi.Int(60),
			JobTemplate:             batchv1.JobTemplateSpecArgs{Spec: job},
		},
	}, pulumi.Parent(parent))
}

// inPsql also tells the logins of people in a preview from those in others: all are the instance's.
func (r *Logins) inPsql(sql string) string {
	if r.of.Preview == nil {
		return sql
	}
	return strings.ReplaceAll(r.of.In(sql), "'psql-", "'"+r.of.Preview.Name+"_psql-")
}

// psqlPod has two containers that share a login: the first makes it as the administrator, and is gone when a person
// comes to the second.
func (r *Logins) psqlPod(scripts *corev1.ConfigMap, writes bool) corev1.PodSpecArgs {
	t := r.Set
	t.Label, t.Volumes, t.Mounts = PsqlName, nil, nil
	t.Mount("sql", sqlDir, corev1.VolumeArgs{ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: scripts.Metadata.Name()}})
	t.Mount("database-ca", CADir, r.ca)
	const login = pulumi.String("login")
	t.Volumes = append(t.Volumes, corev1.VolumeArgs{Name: login, EmptyDir: corev1.EmptyDirVolumeSourceArgs{
		Medium: pulumi.String("Memory"), SizeLimit: pulumi.String("1Mi"),
	}})
	t.Mounts = append(t.Mounts, corev1.VolumeMountArgs{Name: login, MountPath: pulumi.String(loginDir)})
	t.Container = corev1.ContainerArgs{
		Image:   pulumi.String(r.image),
		Command: pods.Strings([]string{"sleep", strconv.Itoa(psqlMinutes * 60)}),
		Env: slices.Concat(r.env, r.personsLogin("PGUSER"), pods.PlainEnv(map[string]pulumi.StringInput{
			"PGAPPNAME": pulumi.String("psql"), "PGPASSFILE": pulumi.String(loginDir + "/pgpass"),
		})),
	}
	pod := t.EndingPod()
	first := corev1.ContainerArgs{
		Image: pulumi.String(r.image),
		Command: pods.Strings([]string{"sh", "-ec", `umask 077
password=$(head -c 24 /dev/urandom | base64 | tr +/ ab)
printf '%s\n%s\n' "$password" "$password" | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --file=` + sqlDir + `/psql.sql
echo "*:*:*:*:$password" >` + loginDir + `/pgpass`}),
		Env: slices.Concat(r.env, r.administrator, r.personsLogin("LOGIN"), pods.PlainEnv(map[string]pulumi.StringInput{
			"MINUTES": pulumi.String(strconv.Itoa(psqlMinutes)), "WRITES": pulumi.String(strconv.FormatBool(writes)),
		})),
	}
	pod.InitContainers = corev1.ContainerArray{t.Hardened(first, "login")}
	pod.TerminationGracePeriodSeconds = pulumi.Int(1)
	return pod
}

// personsLogin has the name of the Job.
func (r *Logins) personsLogin(variable string) corev1.EnvVarArray {
	if r.of.Preview == nil {
		return corev1.EnvVarArray{jobName(variable)}
	}
	const job = "JOB"
	return corev1.EnvVarArray{jobName(job), corev1.EnvVarArgs{
		Name: pulumi.String(variable), Value: pulumi.String(r.of.Preview.Name + "_$(" + job + ")"),
	}}
}

func jobName(variable string) corev1.EnvVarArgs {
	return corev1.EnvVarArgs{Name: pulumi.String(variable), ValueFrom: corev1.EnvVarSourceArgs{
		FieldRef: corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String("metadata.labels['batch.kubernetes.io/job-name']")},
	}}
}
