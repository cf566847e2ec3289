package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/components/database"
	"threetier/gate/recorder"
)

// The types that an app is made of.
const (
	appNamespaceType = "kubernetes:core/v1:Namespace"
	secretType       = "kubernetes:core/v1:Secret"
	configMapType    = "kubernetes:core/v1:ConfigMap"
	serviceType      = "kubernetes:core/v1:Service"
	deploymentType   = "kubernetes:apps/v1:Deployment"
	rolloutType      = "kubernetes:apps/v1:DeploymentPatch"
	jobType          = "kubernetes:batch/v1:Job"
	autoscalerType   = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
	budgetType       = "kubernetes:policy/v1:PodDisruptionBudget"
	policyType       = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
)

const testPassword = "p%ss/w@rd:?#&+ "

// appStack is an app, and what it needs of its stack.
type appStack struct {
	app.AppArgs
	app.Wiring
}

// appArgs are the minimum that an app can be made of, with a migration.
func appArgs() appStack {
	return appStack{
		app.AppArgs{
			Namespace: "shop-test",
			Backend: app.BackendArgs{
				WorkloadArgs: app.WorkloadArgs{Image: "registry.example/backend:1"},
				Migrate:      []string{"alembic", "upgrade", "head"},
			},
			Frontend: &app.FrontendArgs{WorkloadArgs: app.WorkloadArgs{Image: "registry.example/frontend:1"}},
		},
		app.Wiring{Database: database.Connection{
			Host:       pulumi.String("db.example"),
			ReaderHost: pulumi.String("reader.example"),
			Port:       pulumi.Int(5433),
			Name:       pulumi.String("app"),
			Username:   pulumi.String("app_admin"),
			Password:   pulumi.ToSecret(pulumi.String(testPassword)).(pulumi.StringOutput),
			CABundle:   pulumi.String("-----BEGIN CERTIFICATE-----"),
		}},
	}
}

// runApp records an app in a cluster's provider; change edits its args first.
func runApp(t *testing.T, change func(*appStack)) *recorder.Recording {
	t.Helper()
	recording, err := tryApp(change, recorder.Options{})
	require.NoError(t, err)
	return recording
}

func tryApp(change func(*appStack), options recorder.Options) (*recorder.Recording, error) {
	return recorder.Run(func(ctx *pulumi.Context) error {
		provider, err := kubernetes.NewProvider(ctx, "cluster", &kubernetes.ProviderArgs{})
		if err != nil {
			return err
		}
		args := appArgs()
		if change != nil {
			change(&args)
		}
		app, err := app.NewApp(ctx, "shop", &args.AppArgs, args.Wiring, pulumi.Providers(provider))
		if err != nil {
			return err
		}
		ctx.Export("url", app.URL)
		ctx.Export("namespace", app.Namespace)
		return nil
	}, options)
}

// environment is a container's, with "secret NAME KEY" for what comes from a Secret.
func environment(t *testing.T, res recorder.Resource) map[string]string {
	t.Helper()
	env := map[string]string{}
	list, _ := res.Input(t, template(res)+".spec.containers[0].env").([]any)
	for _, item := range list {
		variable := item.(map[string]any)
		name := variable["name"].(string)
		require.NotContains(t, env, name, "set twice")
		if value, plain := variable["value"].(string); plain {
			env[name] = value
			continue
		}
		source, _ := variable["valueFrom"].(map[string]any)
		if source == nil {
			env[name] = ""
			continue
		}
		if field, isField := source["fieldRef"].(map[string]any); isField {
			env[name] = fmt.Sprint("field ", field["fieldPath"])
			continue
		}
		ref := source["secretKeyRef"].(map[string]any)
		env[name] = fmt.Sprintf("secret %s %s", ref["name"], ref["key"])
	}
	return env
}

func podsOf(r *recorder.Recording) []recorder.Resource {
	return append(r.All(deploymentType), r.All(jobType)...)
}

func TestAppIsMadeOfExactlyThese(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.SecretEnv = map[string]pulumi.StringInput{"KEY": pulumi.String("x")}
		a.Nginx.Replicas = pods.ReplicaArgs{Min: 3, Max: 3}
	})
	require.Equal(t, []string{
		policyType + " shop-backend-in", policyType + " shop-backend-out", policyType + " shop-deny",
		policyType + " shop-frontend-in", policyType + " shop-migration-out",
		policyType + " shop-nginx-in", policyType + " shop-nginx-out",
		appNamespaceType + " shop",
		app.BackendType + " shop-backend", app.FrontendType + " shop-frontend", nginx.Type + " shop-nginx",
	}, sortedAs(r.Children(r.One(t, app.AppType)),
		policyType, appNamespaceType, secretType, "threetier:"))
	require.Equal(t, []string{
		deploymentType + " shop-backend", rolloutType + " shop-backend", autoscalerType + " shop-backend", jobType + " shop-backend-migrate",
		secretType + " shop-backend-database", secretType + " shop-backend-env", serviceType + " shop-backend", budgetType + " shop-backend",
	}, r.Children(r.One(t, app.BackendType)))
	require.Equal(t, []string{
		deploymentType + " shop-frontend", rolloutType + " shop-frontend", autoscalerType + " shop-frontend", serviceType + " shop-frontend", budgetType + " shop-frontend",
	}, r.Children(r.One(t, app.FrontendType)))
	require.Equal(t, []string{
		deploymentType + " shop-nginx", rolloutType + " shop-nginx", configMapType + " shop-nginx-config", serviceType + " shop-nginx", budgetType + " shop-nginx",
	}, r.Children(r.One(t, nginx.Type)))
}

// sortedAs orders names by the first prefix that fits, then by name.
func sortedAs(names []string, prefixes ...string) []string {
	rank := func(name string) int {
		return slices.IndexFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
	slices.SortFunc(names, func(a, b string) int {
		if rank(a) != rank(b) {
			return rank(a) - rank(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

func TestEverythingInTheAppHasAParentAndTheClustersProvider(t *testing.T) {
	r := runApp(t, nil)
	for _, res := range r.Resources {
		if !strings.HasPrefix(res.Type, "kubernetes:") {
			continue
		}
		require.NotEmpty(t, res.Parent, "%s %s", res.Type, res.Name)
		require.Contains(t, res.Provider, "pulumi:providers:kubernetes::cluster", "%s %s", res.Type, res.Name)
		if res.Type != appNamespaceType {
			require.Equal(t, "shop-test", res.Input(t, "metadata.namespace"), "%s %s", res.Type, res.Name)
		}
	}
}

func TestOnlyTheServicesInsideAndTheNamespaceHaveFixedNames(t *testing.T) {
	named := map[string]any{}
	for _, res := range runApp(t, nil).Resources {
		// A rollout's name is that of its Deployment.
		if name := res.Input(t, "metadata.name"); name != nil && res.Type != rolloutType {
			named[res.Type+" "+res.Name] = name
		}
	}
	require.Equal(t, map[string]any{
		appNamespaceType + " shop":     "shop-test",
		serviceType + " shop-backend":  app.BackendServiceName,
		serviceType + " shop-frontend": app.FrontendServiceName,
	}, named)
}

func TestTwoAppsFitInOneStack(t *testing.T) {
	r := recorder.MustRun(t, func(ctx *pulumi.Context) error {
		for _, name := range []string{"one", "two"} {
			args := appArgs()
			args.Namespace = name
			if _, err := app.NewApp(ctx, name, &args.AppArgs, args.Wiring); err != nil {
				return err
			}
		}
		return nil
	}, recorder.Options{})
	urns := map[string]bool{}
	for _, res := range r.Resources {
		require.False(t, urns[res.URN], res.URN)
		urns[res.URN] = true
	}
	require.Len(t, r.All(app.AppType), 2)
}

func TestComponentsLeaveTheirArgsAsTheyWere(t *testing.T) {
	password := pulumi.ToSecret(pulumi.String(testPassword)).(pulumi.StringOutput)
	full := func() *appStack {
		args := appArgs()
		args.Database.Password = password
		args.Nginx.Routes = []nginx.RouteArgs{{Path: "/b", To: "backend"}, {Path: "/a", To: "backend"}, {Path: "/", To: "frontend"}}
		args.Nginx.LoadBalancer.Annotations = map[string]string{"a": "", "b": "1"}
		args.Backend.WritablePaths = []string{"/var/cache/app"}
		args.Backend.DatabaseEnv = map[string]string{"HOST": "{host}"}
		args.Backend.Env = map[string]pulumi.StringInput{"PLAIN": pulumi.String("1"), "HIDDEN": password}
		args.Frontend.Replicas.Max = 1
		return &args
	}
	args := full()
	recorder.MustRun(t, func(ctx *pulumi.Context) error {
		_, err := app.NewApp(ctx, "shop", &args.AppArgs, args.Wiring)
		return err
	}, recorder.Options{})
	require.Equal(t, full(), args)
}

// The Secret was App's own before it was the backend's: by its alias it stays the same object, and no pod rolls.
func TestDatabaseSecretIsKnownByItsFormerName(t *testing.T) {
	r := runApp(t, nil)
	require.Equal(t, []string{"urn:pulumi:dev::threetier::" + app.AppType + "$" + secretType + "::shop-database"},
		r.Named(t, secretType, "shop-backend-database").Aliases)
}

func TestWithoutAFrontendNothingOfOneIsThere(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Frontend = nil })
	for _, res := range r.Resources {
		require.NotContains(t, res.Name, "frontend")
		require.NotContains(t, fmt.Sprint(res.Plain()), "frontend", "%s %s", res.Type, res.Name)
	}
	config := r.One(t, configMapType).Input(t, `data["nginx.conf"]`)
	require.Contains(t, config, "location / {")
	require.Contains(t, config, "proxy_pass http://backend;")
	require.NotContains(t, config, "location /api", "the backend serves every path by one route")
	require.Equal(t, []string{
		policyType + " shop-backend-in", policyType + " shop-backend-out", policyType + " shop-deny",
		policyType + " shop-migration-out", policyType + " shop-nginx-in", policyType + " shop-nginx-out",
	}, r.Children(r.One(t, app.AppType))[1:7])
}

func TestWithoutAFrontendNoRouteLeadsToOne(t *testing.T) {
	r, err := tryApp(func(a *appStack) {
		a.Frontend = nil
		a.Nginx.Routes = []nginx.RouteArgs{{Path: "/v1", To: nginx.ToBackend}, {Path: "/", To: nginx.ToFrontend}}
	}, recorder.Options{})
	require.ErrorContains(t, err, `nginx.routes[1].to is "frontend", want backend: the stack has no frontend`)
	require.Equal(t, 1, strings.Count(err.Error(), ", want "))
	require.Len(t, r.Resources, 1, "the provider alone")
}

func TestAppNamesEveryProblemAtOnceAndRegistersNothing(t *testing.T) {
	r, err := tryApp(func(a *appStack) {
		a.Namespace = "Shop"
		a.Backend.Image = ""
		a.Backend.Port = 70000
		a.Frontend.Replicas = pods.ReplicaArgs{Min: -1}
		a.Nginx.MaxBodySize = "10 MB"
	}, recorder.Options{})
	require.Error(t, err)
	for _, line := range []string{
		`namespace is "Shop", want`,
		`backend.image is missing, want an image`,
		`backend.port is 70000, want 1 to 65535`,
		`frontend.replicas.min is -1, want 1 to`,
		`nginx.maxBodySize is "10 MB", want a size`,
	} {
		require.Contains(t, err.Error(), line)
	}
	require.Equal(t, 5, strings.Count(err.Error(), ", want "), "and no other")
	require.Len(t, r.Resources, 1, "the provider alone")
}

func TestAppRefusesMissingArgs(t *testing.T) {
	for name, take := range map[string]func(*appStack) *app.AppArgs{
		"args": func(*appStack) *app.AppArgs { return nil },
		"a database password": func(a *appStack) *app.AppArgs {
			a.Database.Password = nil
			return &a.AppArgs
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := recorder.Run(func(ctx *pulumi.Context) error {
				a := appArgs()
				_, err := app.NewApp(ctx, "x", take(&a), a.Wiring)
				return err
			}, recorder.Options{})
			require.Error(t, err)
			require.Empty(t, r.Resources)
		})
	}
}

func TestNamespaceEnforcesRestrictedPods(t *testing.T) {
	labels := runApp(t, nil).One(t, appNamespaceType).Input(t, "metadata.labels").(map[string]any)
	require.Equal(t, "restricted", labels["pod-security.kubernetes.io/enforce"])
	require.Equal(t, "latest", labels["pod-security.kubernetes.io/enforce-version"])
}

func TestEveryPodIsRestrictedAndReadOnly(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.RunAsUser = 1000
		a.Backend.WritablePaths = []string{"/var/cache/app"}
	})
	require.Len(t, podsOf(r), 4)
	for _, res := range podsOf(r) {
		spec := func(path string) any { return res.Input(t, "spec.template.spec."+path) }
		require.Equal(t, true, spec("securityContext.runAsNonRoot"), res.Name)
		require.Equal(t, "RuntimeDefault", spec("securityContext.seccompProfile.type"), res.Name)
		require.Equal(t, false, spec("automountServiceAccountToken"), res.Name)
		require.Equal(t, false, spec("enableServiceLinks"), res.Name)
		require.Equal(t, true, spec("containers[0].securityContext.readOnlyRootFilesystem"), res.Name)
		require.Equal(t, false, spec("containers[0].securityContext.allowPrivilegeEscalation"), res.Name)
		require.Equal(t, []any{"ALL"}, spec("containers[0].securityContext.capabilities.drop"), res.Name)
		require.Equal(t, "/tmp", spec("containers[0].volumeMounts[0].mountPath"), res.Name)
		for _, kind := range []string{"cpu", "memory", "ephemeral-storage"} {
			require.NotEmpty(t, spec("containers[0].resources.requests."+kind), "%s %s", res.Name, kind)
			require.NotEmpty(t, spec("containers[0].resources.limits."+kind), "%s %s", res.Name, kind)
		}
		require.Equal(t, spec("containers[0].resources.requests.memory"), spec("containers[0].resources.limits.memory"), res.Name)
		uid := spec("securityContext.runAsUser")
		require.Equal(t, uid, spec("securityContext.runAsGroup"), res.Name)
		if strings.HasPrefix(res.Name, "shop-backend") {
			require.EqualValues(t, 1000, uid)
			require.Equal(t, "/var/cache/app", spec("containers[0].volumeMounts[1].mountPath"))
		} else {
			require.Greater(t, uid, 10000.0, "no uid of the host's")
		}
	}
}

func TestOnlyTheseWaysAreOpenInTheNamespace(t *testing.T) {
	certificate := "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
	r := runApp(t, func(a *appStack) {
		a.Backend.Port = 3000
		a.Nginx.CertificateArn = certificate
	})
	var ways []string
	for _, policy := range r.All(policyType) {
		wantTypes := []any{"Ingress", "Egress"}
		switch {
		case strings.HasSuffix(policy.Name, "-in"):
			wantTypes = []any{"Ingress"}
		case strings.HasSuffix(policy.Name, "-out"):
			wantTypes = []any{"Egress"}
		}
		require.ElementsMatch(t, wantTypes, policy.Input(t, "spec.policyTypes"), policy.Name)
		who := podLabel(policy.Input(t, "spec.podSelector"))
		for _, direction := range []string{"ingress", "egress"} {
			rules, _ := policy.Input(t, "spec."+direction).([]any)
			for _, rule := range rules {
				ways = append(ways, describeWays(who, direction, rule.(map[string]any))...)
			}
		}
	}
	slices.Sort(ways)
	require.Equal(t, []string{
		"backend egress inside TCP 53", "backend egress inside TCP 5433", "backend egress inside UDP 53",
		"backend ingress nginx TCP 3000",
		"backend-migration egress inside TCP 53", "backend-migration egress inside TCP 5433", "backend-migration egress inside UDP 53",
		"frontend ingress nginx TCP 8080",
		"nginx egress backend TCP 3000", "nginx egress frontend TCP 8080",
		"nginx egress inside TCP 53", "nginx egress inside UDP 53",
		"nginx ingress anyone TCP 8080", "nginx ingress anyone TCP 8081",
	}, ways)
	require.Equal(t, map[string]any{}, r.Named(t, policyType, "shop-deny").Input(t, "spec.podSelector"), "the rule for all pods")
}

// Running pods keep their ways until the new ones serve: Pulumi creates first, and deletes at the end.
func TestAChangedPolicyIsANewObject(t *testing.T) {
	for _, policy := range runApp(t, nil).All(policyType) {
		require.Equal(t, []string{"spec"}, policy.ReplaceOnChanges, policy.Name)
		require.False(t, policy.DeleteBeforeReplace, policy.Name)
		require.Nil(t, policy.Input(t, "metadata.name"), "%s: two of one name can't be", policy.Name)
	}
}

func describeWays(who, direction string, rule map[string]any) []string {
	peers, _ := rule["from"].([]any)
	if direction == "egress" {
		peers, _ = rule["to"].([]any)
	}
	whom := []string{"anyone"}
	if len(peers) > 0 {
		whom = nil
	}
	for _, peer := range peers {
		if _, isNetwork := peer.(map[string]any)["ipBlock"]; isNetwork {
			whom = []string{"inside"} // TestDNSAndTheDatabaseAreInside says which networks
			continue
		}
		whom = append(whom, podLabel(peer.(map[string]any)["podSelector"]))
	}
	var ways []string
	for _, other := range whom {
		for _, port := range rule["ports"].([]any) {
			p := port.(map[string]any)
			ways = append(ways, fmt.Sprintf("%s %s %s %s %v", who, direction, other, p["protocol"], p["port"]))
		}
	}
	return ways
}

func podLabel(selector any) string {
	labels, _ := selector.(map[string]any)["matchLabels"].(map[string]any)
	return fmt.Sprint(labels["app.kubernetes.io/name"])
}

func TestSelectorsFindTheirOwnPodsAndNoOthers(t *testing.T) {
	r := runApp(t, nil)
	labels := map[string]int{}
	for _, res := range podsOf(r) {
		labels[podLabel(map[string]any{"matchLabels": res.Input(t, "spec.template.metadata.labels")})]++
	}
	require.Equal(t, map[string]int{"backend": 1, "backend-migration": 1, "frontend": 1, "nginx": 1}, labels)
	for _, service := range r.All(serviceType) {
		selector := podLabel(map[string]any{"matchLabels": service.Input(t, "spec.selector")})
		require.Equal(t, "shop-"+selector, service.Name)
	}
	for _, budget := range r.All(budgetType) {
		require.Equal(t, "shop-"+podLabel(budget.Input(t, "spec.selector")), budget.Name)
	}
}

func TestOnlyNginxHasALoadBalancer(t *testing.T) {
	types := map[string]any{}
	for _, service := range runApp(t, nil).All(serviceType) {
		types[service.Name] = service.Input(t, "spec.type")
	}
	require.Equal(t, map[string]any{"shop-backend": "ClusterIP", "shop-frontend": "ClusterIP", "shop-nginx": "LoadBalancer"}, types)
}

func TestDrainsAreNeverBlockedForEver(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Frontend.Replicas = pods.ReplicaArgs{Min: 1, Max: 1}
	})
	for _, budget := range r.All(budgetType) {
		require.EqualValues(t, 1, budget.Input(t, "spec.maxUnavailable"), budget.Name)
		require.Nil(t, budget.Input(t, "spec.minAvailable"), budget.Name)
		require.Equal(t, "AlwaysAllow", budget.Input(t, "spec.unhealthyPodEvictionPolicy"), budget.Name)
	}
}

func TestRolloutsNeverHaveAPodTooFew(t *testing.T) {
	for _, deployment := range runApp(t, nil).All(deploymentType) {
		require.EqualValues(t, 0, deployment.Input(t, "spec.strategy.rollingUpdate.maxUnavailable"), deployment.Name)
		require.NotNil(t, deployment.Input(t, "spec.template.spec.containers[0].readinessProbe"), deployment.Name)
		sleep := deployment.Input(t, "spec.template.spec.containers[0].lifecycle.preStop.sleep.seconds").(float64)
		grace := deployment.Input(t, "spec.template.spec.terminationGracePeriodSeconds").(float64)
		require.Greater(t, sleep, 0.0, deployment.Name)
		require.Greater(t, grace, sleep+60, "%s: the longest request may end", deployment.Name)
		spread := deployment.Input(t, "spec.template.spec.topologySpreadConstraints").([]any)
		require.Len(t, spread, 2, deployment.Name)
		for _, constraint := range spread {
			require.Equal(t, "ScheduleAnyway", constraint.(map[string]any)["whenUnsatisfiable"], deployment.Name)
		}
	}
}

func TestPodsWaitForTheLongestRequestOfTheirRoutes(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Nginx.DrainSeconds = 20
		a.Nginx.Routes = []nginx.RouteArgs{
			{Path: "/", To: nginx.ToFrontend, TimeoutSeconds: 5},
			{Path: "/api", To: nginx.ToBackend},
			{Path: "/report", To: nginx.ToBackend, TimeoutSeconds: 900},
		}
	})
	grace := func(name string) any {
		return r.Named(t, deploymentType, name).Input(t, "spec.template.spec.terminationGracePeriodSeconds")
	}
	require.EqualValues(t, 20+900+10, grace("shop-nginx"))
	require.EqualValues(t, 15+900+10, grace("shop-backend"))
	require.EqualValues(t, 15+5+10, grace("shop-frontend"))
}

// What streams for ten minutes is never silent for long: its time to end isn't that of a silence, which a TLS listener limits.
func TestStoppingPodsWaitForStopSeconds(t *testing.T) {
	run := func(backend, frontend int) (grace func(string) any, config string) {
		r := runApp(t, func(a *appStack) {
			a.Nginx.DrainSeconds, a.Nginx.CertificateArn = 20, "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
			a.Backend.StopSeconds, a.Frontend.StopSeconds = backend, frontend
		})
		return func(name string) any {
			return r.Named(t, deploymentType, name).Input(t, "spec.template.spec.terminationGracePeriodSeconds")
		}, r.Named(t, configMapType, "shop-nginx-config").Input(t, `data["nginx.conf"]`).(string)
	}
	grace, config := run(900, 0)
	require.EqualValues(t, 15+900+10, grace("shop-backend"))
	require.EqualValues(t, 15+60+10, grace("shop-frontend"))
	require.EqualValues(t, 20+900+10, grace("shop-nginx"), "or nginx would cut it")
	require.Contains(t, config, "worker_shutdown_timeout 900s;")
	require.Contains(t, config, "proxy_read_timeout 60s;", "silence is another time")
	grace, config = run(5, 30)
	require.EqualValues(t, 15+5+10, grace("shop-backend"), "WebSockets may be cut, say")
	require.EqualValues(t, 20+30+10, grace("shop-nginx"), "the longest of the tiers")
	require.Contains(t, config, "worker_shutdown_timeout 30s;")
}

func TestAutoscalerExistsOnlyWhereReplicasDiffer(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Replicas = pods.ReplicaArgs{Min: 2, Max: 8}
		a.Frontend.Replicas = pods.ReplicaArgs{Min: 3, Max: 3}
		a.Nginx.Replicas = pods.ReplicaArgs{Min: 12}
	})
	require.Nil(t, r.Named(t, deploymentType, "shop-backend").Input(t, "spec.replicas"), "the autoscaler's own")
	require.EqualValues(t, 3, r.Named(t, deploymentType, "shop-frontend").Input(t, "spec.replicas"))
	require.EqualValues(t, 12, r.Named(t, deploymentType, "shop-nginx").Input(t, "spec.replicas"), "the default maximum is raised to the minimum")
	scaler := r.One(t, autoscalerType)
	require.Equal(t, "shop-backend", scaler.Name)
	// A number that was fixed before stays until the autoscaler changes it, and one of the autoscaler's may be replaced.
	require.Equal(t, []string{"spec.replicas"}, r.Named(t, deploymentType, "shop-backend").IgnoreChanges)
	require.Empty(t, r.Named(t, deploymentType, "shop-frontend").IgnoreChanges)
	require.Equal(t, "true", r.Named(t, deploymentType, "shop-frontend").Input(t, `metadata.annotations["pulumi.com/patchForce"]`))
	require.EqualValues(t, 2, scaler.Input(t, "spec.minReplicas"))
	require.EqualValues(t, 8, scaler.Input(t, "spec.maxReplicas"))
	require.Contains(t, scaler.Input(t, "spec.scaleTargetRef.name"), "shop-backend-")
	require.EqualValues(t, 0, scaler.Input(t, "spec.behavior.scaleUp.stabilizationWindowSeconds"))
	require.Greater(t, scaler.Input(t, "spec.behavior.scaleDown.stabilizationWindowSeconds"), 60.0)
}

func TestPasswordNeverAppearsOutsideSecrets(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Env = map[string]pulumi.StringInput{"FROM_CONFIG": pulumi.ToSecret(pulumi.String("hidden-env")).(pulumi.StringOutput)}
		a.Frontend.SecretEnv = map[string]pulumi.StringInput{"KEY": pulumi.String("hidden-key")}
	})
	for _, res := range r.Resources {
		text := fmt.Sprint(resource.NewPropertyMapFromMap(map[string]any{"inputs": res.Plain()}))
		for _, hidden := range []string{testPassword, "p%25ss", "hidden-env", "hidden-key"} {
			require.NotContains(t, text, hidden, "%s %s", res.Type, res.Name)
		}
	}
	require.Equal(t, "hidden-env", r.Named(t, secretType, "shop-backend-env").SecretData(t)["FROM_CONFIG"])
	require.Equal(t, "hidden-key", r.Named(t, secretType, "shop-frontend-env").SecretData(t)["KEY"])
}

func TestSecretsAndConfigAreNewObjectsWhenTheyChange(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Frontend.SecretEnv = map[string]pulumi.StringInput{"KEY": pulumi.String("x")}
	})
	for _, res := range append(r.All(secretType), r.All(configMapType)...) {
		require.Nil(t, res.Input(t, "metadata.name"), "%s is auto-named, so its pods roll", res.Name)
		require.Equal(t, true, res.Input(t, "immutable"), res.Name)
	}
}

// urlOf runs an app whose load balancer answers with that status, and tells the stack's url.
func urlOf(t *testing.T, certificate string, ingress ...any) (string, error) {
	t.Helper()
	var url string
	_, err := recorder.Run(func(ctx *pulumi.Context) error {
		args := appArgs()
		args.Nginx.CertificateArn = certificate
		app, err := app.NewApp(ctx, "shop", &args.AppArgs, args.Wiring)
		if err != nil {
			return err
		}
		ctx.Export("url", app.URL.ApplyT(func(u string) string { url = u; return u }))
		return nil
	}, recorder.Options{Answer: func(res recorder.Resource) resource.PropertyMap {
		if res.Type != serviceType || res.Name != "shop-nginx" {
			return nil
		}
		return resource.NewPropertyMapFromMap(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": ingress}}})
	}})
	return url, err
}

func TestURLIsTheLoadBalancersWhateverItsAddressIs(t *testing.T) {
	const certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
	hostname := map[string]any{"hostname": "x.elb.amazonaws.com"}
	for _, c := range []struct {
		name, certificate, want string
		ingress                 []any
	}{
		{"a hostname", "", "http://x.elb.amazonaws.com", []any{hostname}},
		{"an address", "", "http://192.0.2.7", []any{map[string]any{"ip": "192.0.2.7"}}},
		{"an empty entry before it", "", "http://192.0.2.7", []any{map[string]any{}, map[string]any{"ip": "192.0.2.7"}}},
		{"a certificate", certificate, "https://x.elb.amazonaws.com", []any{hostname}},
	} {
		url, err := urlOf(t, c.certificate, c.ingress...)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, url, c.name)
	}
}

func TestALoadBalancerWithoutAnAddressIsAClearError(t *testing.T) {
	_, err := urlOf(t, "")
	require.ErrorContains(t, err, "got no address: is there a load balancer controller in the cluster?")
}

// The API server answers without an empty value, and a saved plan is held to the answer.
func TestEmptyVariableHasNoValue(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Backend.Env = map[string]pulumi.StringInput{"EMPTY": pulumi.String("")} })
	for _, variable := range r.Named(t, deploymentType, "shop-backend").Input(t, "spec.template.spec.containers[0].env").([]any) {
		if variable.(map[string]any)["name"] == "EMPTY" {
			require.NotContains(t, variable, "value")
			return
		}
	}
	t.Fatal("no variable EMPTY")
}
