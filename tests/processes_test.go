package tests

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/app/pods"
	"threetier/gate/project"
	"threetier/gate/recorder"
)

const cronJobType = "kubernetes:batch/v1:CronJob"

// runProcesses records an app with a worker, a scheduled job and one that is run by hand.
func runProcesses(t *testing.T, change func(*appStack)) *recorder.Recording {
	t.Helper()
	return runApp(t, func(a *appStack) {
		a.Backend.Env = map[string]pulumi.StringInput{"LOG_LEVEL": pulumi.String("info"), "QUEUE": pulumi.String("all")}
		a.Backend.SecretEnv = map[string]pulumi.StringInput{"KEY": pulumi.String("hidden")}
		a.Backend.WritablePaths = []string{"/var/cache/app"}
		a.Workers = map[string]app.WorkerArgs{"mailer": {
			ProcessArgs: app.ProcessArgs{Command: []string{"mail"}, Env: map[string]pulumi.StringInput{"QUEUE": pulumi.String("mails")}},
			Replicas:    pods.ReplicaArgs{Max: 4}, StopSeconds: 90, HealthCommand: []string{"mail", "--check"},
		}}
		a.Jobs = map[string]app.JobArgs{
			"nightly": {
				ProcessArgs: app.ProcessArgs{Command: []string{"clean"}, SecretEnv: map[string]pulumi.StringInput{"TOKEN": pulumi.String("hush")}},
				Schedule:    "0 3 * * *", TimeZone: "Europe/Berlin", TimeoutSeconds: 7200, Retries: 2,
			},
			"reindex": {ProcessArgs: app.ProcessArgs{Command: []string{"reindex"}}},
		}
		if change != nil {
			change(a)
		}
	})
}

// template is where a pod's template stands in an object.
func template(res recorder.Resource) string {
	if res.Type == cronJobType {
		return "spec.jobTemplate.spec.template"
	}
	return "spec.template"
}

func TestWorkersAndJobsAreMadeOfExactlyThese(t *testing.T) {
	r := runProcesses(t, nil)
	require.Equal(t, []string{
		deploymentType + " shop-worker-mailer", rolloutType + " shop-worker-mailer", autoscalerType + " shop-worker-mailer", budgetType + " shop-worker-mailer",
	}, r.Children(r.Named(t, app.WorkerType, "shop-worker-mailer")))
	require.Equal(t, []string{cronJobType + " shop-job-nightly", secretType + " shop-job-nightly-env"}, r.Children(r.Named(t, app.JobType, "shop-job-nightly")))
	require.Equal(t, []string{cronJobType + " shop-job-reindex"}, r.Children(r.Named(t, app.JobType, "shop-job-reindex")))
	require.Len(t, r.All(serviceType), 3, "nobody sends them requests")
}

func TestProcessesHaveTheBackendsImageEnvironmentSecretsAndFiles(t *testing.T) {
	r := runProcesses(t, nil)
	backend := r.Named(t, deploymentType, "shop-backend")
	want := environment(t, backend)
	for _, process := range []struct {
		res     recorder.Resource
		command string
		env     map[string]string
	}{
		{r.Named(t, deploymentType, "shop-worker-mailer"), "mail", map[string]string{"QUEUE": "mails"}},
		{r.Named(t, cronJobType, "shop-job-nightly"), "clean", map[string]string{"TOKEN": "secret"}},
		{r.Named(t, cronJobType, "shop-job-reindex"), "reindex", nil},
	} {
		of := func(res recorder.Resource, path string) any { return res.Input(t, template(res)+".spec."+path) }
		for _, path := range []string{"containers[0].image", "containers[0].volumeMounts", "containers[0].securityContext", "volumes", "securityContext"} {
			require.Equal(t, of(backend, path), of(process.res, path), "%s: %s", process.res.Name, path)
		}
		require.Equal(t, []any{process.command}, of(process.res, "containers[0].command"))
		got := environment(t, process.res)
		for name, value := range process.env {
			require.True(t, strings.HasPrefix(got[name], value), "%s: %s is %s", process.res.Name, name, got[name])
			delete(got, name)
		}
		others := maps.Clone(want)
		maps.DeleteFunc(others, func(name, _ string) bool { return process.env[name] != "" })
		require.Equal(t, others, got, "%s: the same Secrets, and no copies", process.res.Name)
	}
	require.Equal(t, map[string]string{"TOKEN": "hush"}, r.Named(t, secretType, "shop-job-nightly-env").SecretData(t))
}

func TestProcessesWaitForTheMigration(t *testing.T) {
	r := runProcesses(t, nil)
	migration := r.One(t, jobType).URN
	require.Contains(t, r.Named(t, deploymentType, "shop-worker-mailer").DependsOn, migration)
	require.Contains(t, r.Named(t, cronJobType, "shop-job-nightly").DependsOn, migration)
	runProcesses(t, func(a *appStack) { a.Backend.Migrate = nil })
}

func TestWorkerRollsWithoutAGapAndHasItsTimeToStop(t *testing.T) {
	r := runProcesses(t, nil)
	worker := r.Named(t, deploymentType, "shop-worker-mailer")
	require.EqualValues(t, 0, worker.Input(t, "spec.strategy.rollingUpdate.maxUnavailable"))
	require.EqualValues(t, 10, worker.Input(t, "spec.minReadySeconds"), "one that ends at once hasn't started")
	require.Nil(t, worker.Input(t, "spec.replicas"), "the autoscaler's own")
	container := func(path string) any { return worker.Input(t, "spec.template.spec.containers[0]."+path) }
	require.Nil(t, container("lifecycle"), "SIGTERM comes at once")
	require.EqualValues(t, 90+10, worker.Input(t, "spec.template.spec.terminationGracePeriodSeconds"))
	require.Equal(t, []any{"mail", "--check"}, container("livenessProbe.exec.command"))
	require.EqualValues(t, 3, container("livenessProbe.failureThreshold"), "one check that fails restarts nothing")
	require.EqualValues(t, pods.DefaultRolloutSeconds, container("startupProbe.failureThreshold").(float64)*container("startupProbe.periodSeconds").(float64))
	require.Nil(t, container("readinessProbe"))
	require.Nil(t, container("ports"))
	scaler := r.Named(t, autoscalerType, "shop-worker-mailer")
	require.EqualValues(t, 1, scaler.Input(t, "spec.minReplicas"))
	require.EqualValues(t, 4, scaler.Input(t, "spec.maxReplicas"))

	plain := runApp(t, func(a *appStack) {
		a.Workers = map[string]app.WorkerArgs{"w": {ProcessArgs: app.ProcessArgs{Command: []string{"work"}}}}
	}).Named(t, deploymentType, "shop-worker-w")
	require.EqualValues(t, 1, plain.Input(t, "spec.replicas"))
	require.EqualValues(t, 30+10, plain.Input(t, "spec.template.spec.terminationGracePeriodSeconds"))
	require.Nil(t, plain.Input(t, "spec.template.spec.containers[0].livenessProbe"))

	short := runProcesses(t, func(a *appStack) { a.Backend.RolloutSeconds = 20 }).Named(t, deploymentType, "shop-worker-mailer")
	require.Less(t, short.Input(t, "spec.minReadySeconds"), short.Input(t, "spec.progressDeadlineSeconds"), "Kubernetes refuses others")
}

// The Cluster Autoscaler spares a node whose pods have files, and no pod of a Job by itself.
func TestNodesCanBeRemovedUnlessAJobRuns(t *testing.T) {
	const prefix = "cluster-autoscaler.kubernetes.io/"
	r := runProcesses(t, func(a *appStack) { a.Backend.WritablePaths = []string{"/cache"} })
	for name, volumes := range map[string]string{
		"shop-backend": "writable-0,copied", "shop-frontend": "writable-0", "shop-nginx": "writable-0", "shop-worker-mailer": "writable-0,copied",
	} {
		annotations := r.Named(t, deploymentType, name).Input(t, "spec.template.metadata.annotations")
		require.Equal(t, map[string]any{prefix + "safe-to-evict-local-volumes": volumes}, annotations, name)
	}
	for _, job := range append(r.All(jobType), r.Named(t, cronJobType, "shop-job-nightly")) {
		require.Equal(t, "false", job.Input(t, template(job)+`.metadata.annotations["`+prefix+`safe-to-evict"]`), job.Name)
		require.Equal(t, "true", job.Input(t, template(job)+`.metadata.annotations["karpenter.sh/do-not-disrupt"]`), "%s: EKS Auto Mode packs its nodes", job.Name)
	}
}

func TestSingleWorkerNeverRunsTwiceAtOnce(t *testing.T) {
	single := func(a *appStack) {
		a.Workers = map[string]app.WorkerArgs{"bot": {ProcessArgs: app.ProcessArgs{Command: []string{"bot"}}, Single: true, StopSeconds: 120}}
	}
	r := runApp(t, func(a *appStack) { withRoles(a); single(a) })
	bot := r.Named(t, deploymentType, "shop-worker-bot")
	require.Equal(t, map[string]any{"type": "Recreate"}, bot.Input(t, "spec.strategy"))
	require.EqualValues(t, 1, bot.Input(t, "spec.replicas"))
	require.EqualValues(t, pods.DefaultRolloutSeconds+120-10, bot.Input(t, "spec.progressDeadlineSeconds"), "the old pod may take its time")
	// Who evicts a pod has it replaced at once.
	lock := bot.Input(t, "spec.template.spec.initContainers[0]").(map[string]any)
	require.Equal(t, "lock", lock["name"])
	require.Equal(t, "Always", lock["restartPolicy"], "it is held as long as the bot runs")
	env := environmentOf(t, r, lock)
	require.Equal(t, "threetier_a", env["PGUSER"])
	require.Equal(t, "the-app's", env["PGPASSWORD"])
	require.Contains(t, env["PGOPTIONS"], "-c tcp_keepalives_idle=10 ", "a node that is lost doesn't hold it for hours")
	require.Equal(t, "64Mi", lock["resources"].(map[string]any)["limits"].(map[string]any)["memory"], "the pod isn't twice as large for it")
	script := scriptOf(lock)
	looks := regexp.MustCompile(`\\watch (\d+)\n`).FindStringSubmatch(script)
	require.Len(t, looks, 2)
	require.Contains(t, []string{"5", "10", "20", "30"}, looks[1], "a lock that is lost is taken again soon")
	migration := scriptOf(containerNamed(r.Named(t, jobType, "shop-backend-migrate").Input(t, "spec.template.spec.initContainers"), "lock"))
	key := regexp.MustCompile(`pg_advisory_lock\((-?\d+)\)`)
	require.NotEqual(t, key.FindString(migration), key.FindString(script), "a migration waits for no worker")
	require.Equal(t, key.ReplaceAllString(migration, ""), key.ReplaceAllString(script, ""))

	require.Nil(t, runApp(t, single).Named(t, deploymentType, "shop-worker-bot").Input(t, "spec.template.spec.initContainers"), "logins of others")
	args := appArgs()
	single(&args)
	require.Empty(t, args.Complete())
	_, sum := args.Connections()
	require.Contains(t, sum, "worker bot 1 × 15 + jobs and migration 4", "its lock's, twice while one pod waits for the other")
}

func TestScheduledJobNeverRunsTwiceAtOnce(t *testing.T) {
	job := runProcesses(t, nil).Named(t, cronJobType, "shop-job-nightly")
	for path, want := range map[string]any{
		"metadata.name": "nightly", "spec.schedule": "0 3 * * *", "spec.timeZone": "Europe/Berlin", "spec.suspend": false,
		"spec.concurrencyPolicy": "Forbid", "spec.startingDeadlineSeconds": 600.0,
		"spec.successfulJobsHistoryLimit": 3.0, "spec.failedJobsHistoryLimit": 3.0,
		"spec.jobTemplate.spec.activeDeadlineSeconds": 7200.0, "spec.jobTemplate.spec.backoffLimit": 2.0,
		"spec.jobTemplate.spec.podReplacementPolicy":                    "Failed", // else two tries overlap on an eviction
		"spec.jobTemplate.spec.template.spec.restartPolicy":             "Never",
		"spec.jobTemplate.spec.template.spec.topologySpreadConstraints": nil,
	} {
		require.Equal(t, want, job.Input(t, path), path)
	}
	require.Nil(t, job.Input(t, "spec.jobTemplate.spec.ttlSecondsAfterFinished"), "the history's limits decide")
}

func TestJobWithoutAScheduleIsRunByHandAlone(t *testing.T) {
	job := runProcesses(t, nil).Named(t, cronJobType, "shop-job-reindex")
	require.Equal(t, "reindex", job.Input(t, "metadata.name"))
	require.Equal(t, true, job.Input(t, "spec.suspend"))
	_, err := cron.ParseStandard(job.Input(t, "spec.schedule").(string))
	require.NoError(t, err, "Kubernetes wants one all the same")
	require.EqualValues(t, 3600, job.Input(t, "spec.jobTemplate.spec.activeDeadlineSeconds"))
	require.EqualValues(t, 0, job.Input(t, "spec.jobTemplate.spec.backoffLimit"), "nobody said that it may be run again")
}

func TestProcessesReachWhatTheBackendReachesAndNobodyReachesThem(t *testing.T) {
	r := runProcesses(t, nil)
	selected := func(policy string) any {
		return r.Named(t, policyType, "shop-"+policy).Input(t, "spec.podSelector.matchExpressions")
	}
	require.Equal(t, []any{map[string]any{
		"key": "app.kubernetes.io/name", "operator": "In", "values": []any{"backend", "job-nightly", "job-reindex", "worker-mailer"},
	}}, selected("backend-out"))
	require.Len(t, r.All(policyType), 7, "the same as without them")
	for _, res := range []recorder.Resource{r.Named(t, deploymentType, "shop-worker-mailer"), r.Named(t, cronJobType, "shop-job-nightly")} {
		label := res.Input(t, template(res)+`.metadata.labels["app.kubernetes.io/name"]`)
		require.Equal(t, strings.TrimPrefix(res.Name, "shop-"), label)
		require.Equal(t, label, res.Input(t, template(res)+".spec.containers[0].name"))
	}
}

func TestProcessWithItsOwnWaysOutHasNoneOfTheBackends(t *testing.T) {
	ways := func(to string) []app.EgressArgs { return []app.EgressArgs{{To: to, Ports: []int{443}}} }
	r := runProcesses(t, func(a *appStack) {
		a.Backend.Egress = ways("internet")
		nightly, reindex := a.Jobs["nightly"], a.Jobs["reindex"]
		nightly.Egress, reindex.Egress = ways("10.20.0.0/16"), []app.EgressArgs{}
		a.Jobs["nightly"], a.Jobs["reindex"] = nightly, reindex
	})
	require.Equal(t, []any{"backend", "worker-mailer"}, r.Named(t, policyType, "shop-backend-egress").Input(t, "spec.podSelector.matchExpressions[0].values"))
	own := r.Named(t, policyType, "shop-job-nightly-egress")
	require.Equal(t, "job-nightly", podLabel(own.Input(t, "spec.podSelector")))
	require.Equal(t, "10.20.0.0/16", own.Input(t, "spec.egress[0].to[0].ipBlock.cidr"))
	for _, policy := range r.All(policyType) {
		require.NotContains(t, policy.Name, "reindex", "all is closed but DNS and the database")
	}
}

func TestSchedulesAreThoseThatKubernetesTakes(t *testing.T) {
	for _, schedule := range schedules {
		_, err := cron.ParseStandard(schedule)
		require.NoError(t, err, schedule)
	}
}

func TestWorkerAndJobProblems(t *testing.T) {
	command := app.ProcessArgs{Command: []string{"work"}}
	job := func(change func(*app.JobArgs)) app.AppArgs {
		args := app.JobArgs{ProcessArgs: command}
		change(&args)
		return app.AppArgs{Jobs: map[string]app.JobArgs{"j": args}}
	}
	worker := func(change func(*app.WorkerArgs)) app.AppArgs {
		args := app.WorkerArgs{ProcessArgs: command}
		change(&args)
		return app.AppArgs{Workers: map[string]app.WorkerArgs{"w": args}}
	}
	for want, given := range map[string]app.AppArgs{
		`jobs is "", want names of 1 to 40`:                                            {Jobs: map[string]app.JobArgs{"": {ProcessArgs: command}}},
		`jobs is "psql-report", want another name: the program's own CronJobs have it`: {Jobs: map[string]app.JobArgs{"psql-report": {ProcessArgs: command}}},
		`workers.w.command is missing, want a command`:                                 worker(func(a *app.WorkerArgs) { a.Command = nil }),
		`jobs.j.login is "admin", want app or owner`:                                   job(func(a *app.JobArgs) { a.Login = "admin" }),
		`workers.w.healthCommand is empty, want a command`:                             worker(func(a *app.WorkerArgs) { a.HealthCommand = []string{""} }),
		`workers.w.single is true, want false with replicas of more`:                   worker(func(a *app.WorkerArgs) { a.Single, a.Replicas = true, pods.ReplicaArgs{Max: 2} }),
		`workers.w.replicas.max is 1, want min (2) or more`:                            worker(func(a *app.WorkerArgs) { a.Replicas = pods.ReplicaArgs{Min: 2, Max: 1} }),
		`jobs.j.schedule is "0 3 * * 5-1", want one that comes`:                        job(func(a *app.JobArgs) { a.Schedule = "0 3 * * 5-1" }),
		`jobs.j.schedule is "0 3 31 2 *", want one that comes`:                         job(func(a *app.JobArgs) { a.Schedule = "0 3 31 2 *" }),
		`jobs.j.timeZone is "Europe/Berlni", want an IANA time zone`:                   job(func(a *app.JobArgs) { a.Schedule, a.TimeZone = "@daily", "Europe/Berlni" }),
		`jobs.j.timeZone is "Europe/Berlin", want a schedule beside it`:                job(func(a *app.JobArgs) { a.TimeZone = "Europe/Berlin" }),
	} {
		t.Run(want, func(t *testing.T) {
			args := appArgs()
			args.Workers, args.Jobs = given.Workers, given.Jobs
			problems := args.Complete()
			require.Len(t, problems, 1, "%v", problems)
			require.Contains(t, problems[0].String(), want)
		})
	}
}

func TestSecretOfAProcessStaysSecret(t *testing.T) {
	config := project.StackConfig(t, "dev").
		Set(t, "threetier:workers.mailer.command", []string{"mail"}).
		Set(t, "threetier:workers.mailer.env.LOG_LEVEL", "debug").
		SetSecret(t, "threetier:workers.mailer.secretEnv.SMTP_PASSWORD", marker+"-smtp").
		Set(t, "threetier:jobs.nightly.command", []string{"clean"}).
		SetSecret(t, "threetier:jobs.nightly.env.TOKEN", marker+"-token")
	require.Empty(t, refusedByEditor(t, editorSchema(t), config))
	recording := deploy(t, "dev", config)
	for _, res := range recording.Resources {
		require.NotContains(t, fmt.Sprint(res.Plain()), marker, "%s %s", res.Type, res.Name)
	}
	require.Equal(t, map[string]string{"SMTP_PASSWORD": marker + "-smtp", "LOG_LEVEL": "debug"},
		recording.Named(t, secretType, "app-worker-mailer-env").SecretData(t))
	require.Equal(t, map[string]string{"TOKEN": marker + "-token"}, recording.Named(t, secretType, "app-job-nightly-env").SecretData(t))

	lines := refusals(t, config.SetSecret(t, "threetier:jobs.nightly.schedule", marker))
	require.Equal(t, []string{"threetier:jobs.nightly.schedule is [secret], want a cron expression of five fields, like \"0 3 * * *\", or @daily"}, lines)
}
