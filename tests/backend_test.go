package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/gate/recorder"
)

func TestBackendGetsTheDefaultDatabaseEnvironment(t *testing.T) {
	r := runApp(t, nil)
	env := environment(t, r.Named(t, deploymentType, "shop-backend"))
	secret := r.Named(t, secretType, "shop-backend-database")
	require.Equal(t, "db.example", env["DB_HOST"])
	require.Equal(t, "5433", env["DB_PORT"])
	require.Equal(t, "app", env["DB_NAME"])
	require.Equal(t, "app_admin", env["DB_USER"])
	require.Equal(t, "verify-full", env["DB_SSLMODE"])
	require.Equal(t, logins.CAFile, env["DB_SSLROOTCERT"])
	require.Equal(t, "verify-full", env["PGSSLMODE"], "for drivers whose connection string says nothing of TLS")
	require.Equal(t, logins.CAFile, env["PGSSLROOTCERT"])
	require.Regexp(t, `^secret shop-backend-database-\w+ DB_PASSWORD$`, env["DB_PASSWORD"])
	require.Regexp(t, `^secret shop-backend-database-\w+ DATABASE_URL$`, env["DATABASE_URL"])
	require.Equal(t, testPassword, secret.SecretData(t)["DB_PASSWORD"], "verbatim")
	require.Equal(t,
		"postgresql://app_admin:p%25ss%2Fw%40rd%3A%3F%23%26%2B%20@db.example:5433/app?sslmode=verify-full&sslrootcert=/etc/database/ca.pem",
		secret.SecretData(t)["DATABASE_URL"])
}

func TestBackendFindsTheCertificatesWhereCAFileSays(t *testing.T) {
	r := runApp(t, nil)
	secret := r.Named(t, secretType, "shop-backend-database")
	require.Equal(t, "-----BEGIN CERTIFICATE-----", secret.SecretData(t)["ca.pem"])
	for _, res := range []recorder.Resource{r.Named(t, deploymentType, "shop-backend"), r.One(t, jobType)} {
		mount := res.Input(t, "spec.template.spec.containers[0].volumeMounts[1]").(map[string]any)
		volume := res.Input(t, "spec.template.spec.volumes[1]").(map[string]any)
		require.Equal(t, volume["name"], mount["name"])
		item := volume["secret"].(map[string]any)["items"].([]any)[0].(map[string]any)
		require.Equal(t, "ca.pem", item["key"])
		require.Equal(t, logins.CAFile, mount["mountPath"].(string)+"/"+item["path"].(string))
	}
}

func TestDatabaseEnvTemplatesReplaceTheDefaultSet(t *testing.T) {
	templates := map[string]struct {
		template, want string
		secret         bool
	}{
		"HOST":    {"{host}", "db.example", false},
		"READER":  {"{readerHost}:{port}", "reader.example:5433", false},
		"DSN":     {"host={host} user={username} password={password} sslrootcert={caFile}", "host=db.example user=app_admin password=" + testPassword + " sslrootcert=/etc/database/ca.pem", true},
		"URL":     {"postgresql+asyncpg://{username}:{password}@{host}:{port}/{name}", "postgresql+asyncpg://app_admin:p%25ss%2Fw%40rd%3A%3F%23%26%2B%20@db.example:5433/app", true},
		"SECRET":  {"{password}", testPassword, true},
		"ANSWER":  {"42", "42", false},
		"CA_URL":  {"file://{caFile}", "file:///etc/database/ca.pem", false},
		"DB_NAME": {"{name}", "app", false},
	}
	r := runApp(t, func(a *appStack) {
		a.Backend.DatabaseEnv = map[string]string{}
		for name, c := range templates {
			a.Backend.DatabaseEnv[name] = c.template
		}
	})
	env := environment(t, r.Named(t, deploymentType, "shop-backend"))
	require.Len(t, env, len(templates)+2, "and HOME, FORWARDED_ALLOW_IPS")
	require.Equal(t, "/tmp", env["HOME"])
	for name, c := range templates {
		if !c.secret {
			require.Equal(t, c.want, env[name], name)
			continue
		}
		require.True(t, strings.HasPrefix(env[name], "secret shop-backend-database-"), "%s is %s", name, env[name])
		require.Equal(t, c.want, r.Named(t, secretType, "shop-backend-database").SecretData(t)[name], name)
	}
}

func TestEnvWinsOverWhatServersAndDriversReadThemselves(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Env = map[string]pulumi.StringInput{"PGSSLMODE": pulumi.String("require"), "FORWARDED_ALLOW_IPS": pulumi.String("10.0.0.0/8")}
	})
	env := environment(t, r.Named(t, deploymentType, "shop-backend"))
	require.Equal(t, "require", env["PGSSLMODE"])
	require.Equal(t, "10.0.0.0/8", env["FORWARDED_ALLOW_IPS"])
	require.Equal(t, logins.CAFile, env["PGSSLROOTCERT"])
	require.NotContains(t, environment(t, r.Named(t, deploymentType, "shop-frontend")), "FORWARDED_ALLOW_IPS", "nobody but the backend runs uvicorn")
}

func TestDatabaseEnvCanBeEmpty(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Backend.DatabaseEnv = map[string]string{} })
	require.Equal(t, map[string]string{"HOME": "/tmp", "FORWARDED_ALLOW_IPS": "*"}, environment(t, r.Named(t, deploymentType, "shop-backend")))
}

func TestReadsGoToThePrimaryWhereThereIsNoReplica(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Database.ReaderHost = nil
		a.Backend.DatabaseEnv = map[string]string{"READER": "{readerHost}"}
	})
	require.Equal(t, "db.example", environment(t, r.Named(t, deploymentType, "shop-backend"))["READER"])
}

func TestMigrationRunsBeforeThePodsInTheirImageWithTheirEnvironment(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Env = map[string]pulumi.StringInput{"LOG_LEVEL": pulumi.String("info")}
		a.Backend.SecretEnv = map[string]pulumi.StringInput{"KEY": pulumi.String("x")}
		a.Backend.Command = []string{"serve"}
		a.Backend.MigrateSeconds = 90
	})
	job, deployment := r.One(t, jobType), r.Named(t, deploymentType, "shop-backend")
	require.Contains(t, deployment.DependsOn, job.URN)
	require.Equal(t, environment(t, deployment), environment(t, job))
	require.Equal(t, deployment.Input(t, "spec.template.spec.containers[0].image"), job.Input(t, "spec.template.spec.containers[0].image"))
	require.Equal(t, []any{"alembic", "upgrade", "head"}, job.Input(t, "spec.template.spec.containers[0].command"))
	require.Equal(t, []any{"serve"}, deployment.Input(t, "spec.template.spec.containers[0].command"))
	require.EqualValues(t, 90, job.Input(t, "spec.activeDeadlineSeconds"))
	require.EqualValues(t, 10, job.Input(t, "spec.template.spec.terminationGracePeriodSeconds"), "locks of a command that ignores SIGTERM end soon after")
}

func TestMigrationRunsOncePerChangeAndShowsWhyItFailed(t *testing.T) {
	job := runApp(t, nil).One(t, jobType)
	require.Nil(t, job.Input(t, "metadata.name"), "a change makes a new Job before the old one goes")
	require.Nil(t, job.Input(t, "spec.ttlSecondsAfterFinished"), "a Job that is gone would be run again")
	require.Equal(t, "Never", job.Input(t, "spec.template.spec.restartPolicy"), "failed pods keep their logs")
	require.Equal(t, "FallbackToLogsOnError", job.Input(t, "spec.template.spec.containers[0].terminationMessagePolicy"))
	require.Equal(t, "true", job.Input(t, `metadata.annotations["pulumi.com/replaceUnready"]`), "a failed one is tried again")
	require.EqualValues(t, 2, job.Input(t, "spec.backoffLimit"), "the database may fail over meanwhile")
}

func TestThereIsNoMigrationWithoutACommand(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Backend.Migrate = nil })
	require.Empty(t, r.All(jobType))
}

func TestPlainEnvironmentIsInThePodSpecAndTheRestInTheSecret(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.DatabaseEnv = map[string]string{}
		a.Backend.Env = map[string]pulumi.StringInput{
			"LOG_LEVEL": pulumi.String("info"),
			"HOME":      pulumi.String("/home/app"),
			"OUTPUT":    pulumi.String("maybe secret").ToStringOutput(),
		}
		a.Backend.SecretEnv = map[string]pulumi.StringInput{"KEY": pulumi.String("x")}
	})
	secret := r.Named(t, secretType, "shop-backend-env")
	name := strings.Fields(environment(t, r.Named(t, deploymentType, "shop-backend"))["KEY"])[1]
	require.Equal(t, map[string]string{
		"LOG_LEVEL": "info", "HOME": "/home/app", "FORWARDED_ALLOW_IPS": "*",
		"OUTPUT": "secret " + name + " OUTPUT", "KEY": "secret " + name + " KEY",
	}, environment(t, r.Named(t, deploymentType, "shop-backend")))
	require.Equal(t, map[string]string{"KEY": "x", "OUTPUT": "maybe secret"}, secret.SecretData(t))
}

func TestProbesDontRestartAPodForASlowDatabase(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.HealthPath = "/readyz"
		a.Frontend.LivePath = "/alive"
	})
	container := func(name, path string) any {
		return r.Named(t, deploymentType, name).Input(t, "spec.template.spec.containers[0]."+path)
	}
	require.Equal(t, "/readyz", container("shop-backend", "readinessProbe.httpGet.path"))
	require.Nil(t, container("shop-backend", "startupProbe.httpGet"), "one that is born in an outage is there when that is over")
	require.NotNil(t, container("shop-backend", "startupProbe.tcpSocket"))
	require.Equal(t, "/alive", container("shop-frontend", "startupProbe.httpGet.path"))
	require.Nil(t, container("shop-backend", "livenessProbe.httpGet"), "by default a look at the port")
	require.NotNil(t, container("shop-backend", "livenessProbe.tcpSocket"))
	require.Equal(t, "/alive", container("shop-frontend", "livenessProbe.httpGet.path"))
	startup := container("shop-backend", "startupProbe.failureThreshold").(float64) * container("shop-backend", "startupProbe.periodSeconds").(float64)
	require.GreaterOrEqual(t, startup, float64(pods.DefaultRolloutSeconds), "the rollout gives up before the pod is restarted")
	back := container("shop-backend", "readinessProbe.periodSeconds").(float64)
	require.Less(t, back, 5.0, "back in the Service soon after the database is back")
}

// Apps refuse the Host that they don't know (kubernetes#14713), and redirect a request that didn't come by HTTPS.
func TestProbesAskAsNginxDoes(t *testing.T) {
	headers := func(change func(*appStack), name, probe string) any {
		r := runApp(t, func(a *appStack) {
			a.Backend.LivePath, a.Frontend.LivePath = "/alive", "/alive"
			change(a)
		})
		return r.Named(t, deploymentType, name).Input(t, "spec.template.spec.containers[0]."+probe+"Probe.httpGet.httpHeaders")
	}
	host := func(name string) map[string]any { return map[string]any{"name": "Host", "value": name} }
	https := map[string]any{"name": "X-Forwarded-Proto", "value": "https"}
	const certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
	for _, name := range []string{"shop-backend", "shop-frontend"} {
		for _, probe := range []string{"readiness", "liveness", "startup"} {
			for _, c := range []struct {
				why    string
				change func(*appStack)
				want   any
			}{
				{"the pod's address", func(*appStack) {}, nil},
				{"a key", func(a *appStack) { a.Backend.HealthHost, a.Frontend.HealthHost = "probe.example", "probe.example" }, []any{host("probe.example")}},
				{"hosts", func(a *appStack) { a.Nginx.Hosts = []string{"*.example.org", "shop.example.org", "b.example.org"} }, []any{host("shop.example.org")}},
				{"no whole host", func(a *appStack) { a.Nginx.Hosts = []string{"*.example.org"} }, nil},
				{"a domain before its certificates", func(a *appStack) {
					a.Nginx.Domain.Name, a.Nginx.Hosts = "shop.example.org", []string{"old.example.org"}
				}, []any{host("shop.example.org"), https}},
				{"a certificate", func(a *appStack) { a.Nginx.CertificateArn = certificate }, []any{https}},
			} {
				require.Equal(t, c.want, headers(c.change, name, probe), "%s of %s with %s", probe, name, c.why)
			}
		}
	}
	tcp := runApp(t, func(a *appStack) { a.Nginx.CertificateArn = certificate }).Named(t, deploymentType, "shop-nginx")
	require.Nil(t, tcp.Input(t, "spec.template.spec.containers[0].readinessProbe.httpGet.httpHeaders"), "nginx answers any host there")

	_, err := tryApp(func(a *appStack) { a.Backend.HealthHost = "https://shop.example.org" }, recorder.Options{})
	require.ErrorContains(t, err, `backend.healthHost is "https://shop.example.org", want a host name, like shop.example.org`)
}

func TestABusyPodMayLeaveItsHealthPathUnanswered(t *testing.T) {
	patience := func(seconds int, probe string) float64 {
		r := runApp(t, func(a *appStack) { a.Backend.ReadySeconds, a.Backend.LivePath = seconds, "/alive" })
		container := r.Named(t, deploymentType, "shop-backend").Input(t, "spec.template.spec.containers[0]."+probe).(map[string]any)
		return container["periodSeconds"].(float64) * container["failureThreshold"].(float64)
	}
	require.EqualValues(t, 9, patience(0, "readinessProbe"))
	require.EqualValues(t, 60, patience(0, "livenessProbe"))
	require.EqualValues(t, 33, patience(31, "readinessProbe"), "no less than it may")
	require.EqualValues(t, 60, patience(31, "livenessProbe"))
	require.EqualValues(t, 300, patience(300, "readinessProbe"))
	require.EqualValues(t, 300, patience(300, "livenessProbe"), "a busy pod isn't restarted before it is left out")
}

func TestATiersDiskIsItsOwn(t *testing.T) {
	r := runProcesses(t, func(a *appStack) {
		a.Backend.DiskGiB = 20
		worker := a.Workers["mailer"]
		worker.DiskGiB = 5
		a.Workers["mailer"] = worker
	})
	for name, want := range map[string]string{"shop-backend": "20Gi", "shop-frontend": "2Gi", "shop-nginx": "2Gi", "shop-worker-mailer": "5Gi"} {
		got := r.Named(t, deploymentType, name).Input(t, `spec.template.spec.containers[0].resources.limits["ephemeral-storage"]`)
		require.Equal(t, want, got, name)
	}
	require.Equal(t, "20Gi", r.One(t, jobType).Input(t, `spec.template.spec.containers[0].resources.limits["ephemeral-storage"]`), "the migration's")
	nightly := r.Named(t, cronJobType, "shop-job-nightly")
	require.Equal(t, "2Gi", nightly.Input(t, template(nightly)+`.spec.containers[0].resources.limits["ephemeral-storage"]`))
}

// Linux answers EPERM to the start of a program with a file capability that isn't in the bounding set: official Caddy, say.
func TestProgramsWithFileCapabilitiesStartWithoutHavingThem(t *testing.T) {
	r := runProcesses(t, withRoles)
	context := func(res recorder.Resource, container string) map[string]any {
		return res.Input(t, template(res)+".spec."+container+".securityContext").(map[string]any)
	}
	for _, res := range []recorder.Resource{
		r.Named(t, deploymentType, "shop-backend"), r.Named(t, deploymentType, "shop-frontend"), r.Named(t, jobType, "shop-backend-migrate"),
		r.Named(t, deploymentType, "shop-worker-mailer"), r.Named(t, cronJobType, "shop-job-nightly"),
	} {
		got := context(res, "containers[0]")
		require.Equal(t, map[string]any{"drop": []any{"ALL"}, "add": []any{"NET_BIND_SERVICE"}}, got["capabilities"], res.Name)
		require.Equal(t, false, got["allowPrivilegeEscalation"], res.Name)
	}
	for _, got := range []map[string]any{
		context(r.Named(t, deploymentType, "shop-nginx"), "containers[0]"), context(r.Named(t, jobType, "shop-backend-roles"), "containers[0]"),
		containerNamed(r.Named(t, jobType, "shop-backend-migrate").Input(t, "spec.template.spec.initContainers"), "lock")["securityContext"].(map[string]any),
	} {
		require.Equal(t, map[string]any{"drop": []any{"ALL"}}, got["capabilities"], "images of our own need none")
	}
}

func TestServicePortIsThePodsPort(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Backend.Port = 3000 })
	service := r.Named(t, serviceType, "shop-backend")
	require.EqualValues(t, 3000, service.Input(t, "spec.ports[0].port"))
	require.Equal(t, "http", service.Input(t, "spec.ports[0].targetPort"))
	require.EqualValues(t, 3000, r.Named(t, deploymentType, "shop-backend").Input(t, "spec.template.spec.containers[0].ports[0].containerPort"))
	require.Contains(t, r.One(t, configMapType).Input(t, `data["nginx.conf"]`), "server backend-service:3000 ")
}

func TestAFormerPortStaysOpenBesideTheNewOne(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Port, a.Backend.FormerPort = 9000, 8000
		a.Frontend.Port, a.Frontend.FormerPort = 9080, 8080
		a.Frontend.Egress = []app.EgressArgs{{To: app.ToBackend}}
	})
	for name, ports := range map[string][]float64{"shop-backend": {9000, 8000}, "shop-frontend": {9080, 8080}} {
		require.Equal(t, []any{
			map[string]any{"name": "http", "port": ports[0], "targetPort": "http"},
			map[string]any{"name": "former", "port": ports[1], "targetPort": "http"},
		}, r.Named(t, serviceType, name).Input(t, "spec.ports"))
	}
	for path, policy := range map[string]string{
		"spec.ingress[0]": "shop-backend-in", "spec.egress[0]": "shop-nginx-out", "spec.egress[1]": "shop-frontend-egress",
	} {
		open := r.Named(t, policyType, policy).Input(t, path+".ports")
		require.Equal(t, []any{map[string]any{"port": 9000.0, "protocol": "TCP"}, map[string]any{"port": 8000.0, "protocol": "TCP"}}, open, policy)
	}
	config := r.Named(t, configMapType, "shop-nginx-config").Input(t, `data["nginx.conf"]`)
	require.Contains(t, config, "backend-service:9000")
	require.NotContains(t, config, ":8000")

	_, err := tryApp(func(a *appStack) { a.Backend.FormerPort = 8000 }, recorder.Options{})
	require.ErrorContains(t, err, "backend.formerPort is 8000, want another one than port")
	_, err = tryApp(func(a *appStack) { a.Frontend.FormerPort = 8080 }, recorder.Options{})
	require.ErrorContains(t, err, "frontend.formerPort is 8080, want another one than port")
}

func TestWorkloadsMayServeOnAnyPortWithoutBeingRoot(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Frontend.Port = 80 })
	for _, name := range []string{"shop-backend", "shop-frontend"} {
		spec := "spec.template.spec.securityContext."
		require.Equal(t, "net.ipv4.ip_unprivileged_port_start", r.Named(t, deploymentType, name).Input(t, spec+"sysctls[0].name"))
		require.Equal(t, "0", r.Named(t, deploymentType, name).Input(t, spec+"sysctls[0].value"))
		require.Equal(t, true, r.Named(t, deploymentType, name).Input(t, spec+"runAsNonRoot"))
	}
}

func TestNewPodMustStayReadyBeforeARolloutGoesOn(t *testing.T) {
	seconds := func(change func(*appStack), name string) any {
		return runApp(t, change).Named(t, deploymentType, name).Input(t, "spec.minReadySeconds")
	}
	require.EqualValues(t, 10, seconds(nil, "shop-backend"))
	require.EqualValues(t, 30, seconds(func(a *appStack) { a.Frontend.MinReadySeconds = pointer(30) }, "shop-frontend"))
	require.EqualValues(t, 6, seconds(func(a *appStack) { a.Backend.RolloutSeconds = 20 }, "shop-backend"), "less where a rollout has little time")
	require.Nil(t, seconds(func(a *appStack) { a.Backend.MinReadySeconds = pointer(0) }, "shop-backend"))
	require.Nil(t, seconds(nil, "shop-nginx"), "a pod behind a network load balancer takes minutes anyway")
}

func TestCPULimitIsTheNextWholeCore(t *testing.T) {
	for cpu, limit := range map[string]string{"": "1", "250m": "1", "1": "1", "1500m": "2", "0.5": "1", "4": "4"} {
		r := runApp(t, func(a *appStack) { a.Backend.Resources.CPU = cpu })
		got := r.Named(t, deploymentType, "shop-backend").Input(t, "spec.template.spec.containers[0].resources.limits.cpu")
		require.Equal(t, limit, got, "cpu %q", cpu)
	}
}

func TestWorkloadRefusesWhatItCannotRun(t *testing.T) {
	text := func(values ...string) map[string]pulumi.StringInput {
		env := map[string]pulumi.StringInput{}
		for _, name := range values {
			env[name] = pulumi.String("x")
		}
		return env
	}
	with := func(change func(*app.BackendArgs)) app.BackendArgs {
		args := app.BackendArgs{WorkloadArgs: app.WorkloadArgs{Image: "registry.example/backend:1"}}
		change(&args)
		return args
	}
	for want, args := range map[string]app.BackendArgs{
		`image is missing, want an image`:                                 {},
		`minReadySeconds is 20, want at most a third of rolloutSeconds`:   with(func(a *app.BackendArgs) { a.MinReadySeconds, a.RolloutSeconds = pointer(20), 40 }),
		`secretEnv is "A-B", want names`:                                  with(func(a *app.BackendArgs) { a.SecretEnv = text("A-B") }),
		`env.X is in secretEnv too, want it in one of the two`:            with(func(a *app.BackendArgs) { a.Env, a.SecretEnv = text("X"), text("X") }),
		`databaseEnv.DB_HOST is in env or secretEnv too, want it in one`:  with(func(a *app.BackendArgs) { a.Env = text("DB_HOST") }),
		`databaseEnv.URL is "{pasword}", want the parts {host}, {readerH`: with(func(a *app.BackendArgs) { a.DatabaseEnv = map[string]string{"URL": "x{pasword}"} }),
		`databaseEnv is "A B", want names`:                                with(func(a *app.BackendArgs) { a.DatabaseEnv = map[string]string{"A B": "{host}"} }),
		`migrate is empty, want a command, like [alembic, upgrade, head]`: with(func(a *app.BackendArgs) { a.Migrate = []string{} }),
	} {
		t.Run(want, func(t *testing.T) {
			whole := appArgs()
			whole.Backend = args
			problems := whole.Complete()
			require.Len(t, problems, 1, "%v", problems)
			require.Contains(t, problems[0].String(), want)
		})
	}
}

func TestProblemsNeverShowAnEnvironmentsValues(t *testing.T) {
	args := appArgs()
	args.Backend.SecretEnv = map[string]pulumi.StringInput{"1X": pulumi.String("hush")}
	require.ErrorContains(t, args.Complete().Err(), "1X")
	require.NotContains(t, args.Complete().Err().Error(), "hush")
}

// containerNamed is the container of a list that has the name.
func containerNamed(containers any, name string) map[string]any {
	for _, each := range containers.([]any) {
		if container := each.(map[string]any); container["name"] == name {
			return container
		}
	}
	return nil
}
