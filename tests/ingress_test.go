package tests

import (
	"fmt"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/gate/project"
	"threetier/gate/recorder"
)

func TestIngressOpensPortsToOneNamespace(t *testing.T) {
	way := pods.IngressArgs{Ports: []int{9100, 9200}}
	way.From.Namespace = "monitoring"
	r := runProcesses(t, func(a *appStack) {
		a.Backend.Ingress, a.Frontend.Ingress = []pods.IngressArgs{way}, []pods.IngressArgs{way}
		worker := a.Workers["mailer"]
		worker.Ingress = []pods.IngressArgs{way}
		a.Workers["mailer"] = worker
	})
	for _, label := range []string{"backend", "frontend", "worker-mailer"} {
		policy := r.Named(t, policyType, "shop-"+label+"-ingress")
		require.Equal(t, label, podLabel(policy.Input(t, "spec.podSelector")))
		require.Equal(t, []any{"Ingress"}, policy.Input(t, "spec.policyTypes"))
		require.Equal(t, []any{map[string]any{
			"from": []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "monitoring"}}}},
			"ports": []any{
				map[string]any{"protocol": "TCP", "port": 9100.0}, map[string]any{"protocol": "TCP", "port": 9200.0},
			},
		}}, policy.Input(t, "spec.ingress"), label)
	}
	require.Len(t, runProcesses(t, nil).All(policyType), 7, "nobody's by default")
}

func TestIngressLetsAPrometheusInToNginxsMetrics(t *testing.T) {
	way := pods.IngressArgs{Ports: []int{nginx.MetricsPort}}
	way.From.Namespace = "monitoring"
	r := runApp(t, func(a *appStack) {
		a.Nginx.Metrics, a.Nginx.Ingress = true, []pods.IngressArgs{way}
		a.Nginx.PodAnnotations = map[string]string{"prometheus.io/scrape": "true"}
	})
	policy := r.Named(t, policyType, "shop-nginx-ingress")
	require.Equal(t, "nginx", podLabel(policy.Input(t, "spec.podSelector")))
	require.Equal(t, []any{map[string]any{
		"from":  []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "monitoring"}}}},
		"ports": []any{map[string]any{"protocol": "TCP", "port": 8082.0}},
	}}, policy.Input(t, "spec.ingress"))
	require.NotContains(t, fmt.Sprint(r.Named(t, policyType, "shop-nginx-in").Input(t, "spec.ingress")), "8082", "anyone gets in there")
	require.NotContains(t, fmt.Sprint(r.Named(t, serviceType, "shop-nginx").Input(t, "spec.ports")), "metrics")
	require.Equal(t, "true", r.Named(t, deploymentType, "shop-nginx").Input(t, `spec.template.metadata.annotations["prometheus.io/scrape"]`))

	config := project.StackConfig(t, "dev").Set(t, "threetier:nginx.ingress", []any{map[string]any{"from": map[string]any{"namespace": "monitoring"}, "ports": []int{9113}}})
	require.Equal(t, []string{"threetier:nginx.ingress is given without metrics, want metrics: true beside it"}, refusedByProgram(config))
	require.Equal(t, []string{"threetier:nginx.ingress[0].ports is [9113], want [8082], where the metrics are"},
		refusedByProgram(config.Set(t, "threetier:nginx.metrics", true)))
}

func TestWrongWaysInAreALineEach(t *testing.T) {
	config := project.StackConfig(t, "dev").Set(t, "threetier:backend.ingress", []any{
		map[string]any{"ports": []int{9100}}, map[string]any{"from": map[string]any{"namespace": "Mon"}, "ports": []int{}},
	})
	require.ElementsMatch(t, []string{
		"threetier:backend.ingress[0].from.namespace is missing, want the name of a namespace",
		`threetier:backend.ingress[1].from.namespace is "Mon", want the name of a namespace`,
		"threetier:backend.ingress[1].ports is empty, want 1 to 20 ports",
	}, refusals(t, config))
}

func TestEgressByUDP(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Egress = []app.EgressArgs{{To: "10.0.0.0/16", UDP: []int{8125}}, {To: "10.1.0.0/16", Ports: []int{443}, UDP: []int{443}}}
	})
	policy := r.Named(t, policyType, "shop-backend-egress")
	require.Equal(t, []any{map[string]any{"protocol": "UDP", "port": 8125.0}}, policy.Input(t, "spec.egress[0].ports"))
	require.Equal(t, []any{map[string]any{"protocol": "TCP", "port": 443.0}, map[string]any{"protocol": "UDP", "port": 443.0}}, policy.Input(t, "spec.egress[1].ports"))
	_, err := tryApp(func(a *appStack) { a.Frontend.Egress = []app.EgressArgs{{To: "backend", UDP: []int{53}}} }, recorder.Options{})
	require.ErrorContains(t, err, "frontend.egress[0].udp is [53], want none: the backend's port is TCP")
	_, err = tryApp(func(a *appStack) {
		a.Backend.Egress = []app.EgressArgs{{To: "internet", Ports: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, UDP: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}
	}, recorder.Options{})
	require.ErrorContains(t, err, "backend.egress is 21 different ports, want at most 20")
}

func TestPodAnnotationsAreThoseOfTheirTier(t *testing.T) {
	r := runProcesses(t, func(a *appStack) {
		a.Backend.PodAnnotations = map[string]string{"prometheus.io/scrape": "true"}
		job := a.Jobs["nightly"]
		job.PodAnnotations = map[string]string{"sidecar.istio.io/inject": "false", "karpenter.sh/do-not-disrupt": "false"}
		a.Jobs["nightly"] = job
	})
	of := func(res recorder.Resource) map[string]any {
		return res.Input(t, template(res)+".metadata.annotations").(map[string]any)
	}
	backend := of(r.Named(t, deploymentType, "shop-backend"))
	require.Equal(t, "true", backend["prometheus.io/scrape"])
	require.Contains(t, backend, "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes", "beside the program's own")
	for _, other := range []recorder.Resource{r.Named(t, deploymentType, "shop-worker-mailer"), r.One(t, jobType), r.Named(t, cronJobType, "shop-job-reindex")} {
		require.NotContains(t, of(other), "prometheus.io/scrape", other.Name)
	}
	nightly := of(r.Named(t, cronJobType, "shop-job-nightly"))
	require.Equal(t, "false", nightly["sidecar.istio.io/inject"])
	require.Equal(t, "false", nightly["karpenter.sh/do-not-disrupt"], "the config's wins")
}

// An agent on each node listens at the node's own address, which Kubernetes alone knows.
func TestNodesAddressIsFilledIn(t *testing.T) {
	const address = "http://{nodeIP}:4318"
	r := runProcesses(t, func(a *appStack) {
		a.Backend.Env["OTLP"] = pulumi.String(address)
		worker := a.Workers["mailer"]
		worker.Env = map[string]pulumi.StringInput{"DD_AGENT_HOST": pulumi.String("{nodeIP}")}
		a.Workers["mailer"] = worker
	})
	for name, want := range map[string]map[string]string{
		"shop-backend":       {"OTLP": "http://$(THREETIER_NODE_IP):4318"},
		"shop-worker-mailer": {"OTLP": "http://$(THREETIER_NODE_IP):4318", "DD_AGENT_HOST": "$(THREETIER_NODE_IP)"},
	} {
		env := r.Named(t, deploymentType, name).Input(t, "spec.template.spec.containers[0].env").([]any)
		require.Equal(t, map[string]any{
			"name": "THREETIER_NODE_IP", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "status.hostIP"}},
		}, env[0], "Kubernetes fills in what stands before")
		names := map[any]int{}
		for _, variable := range env {
			names[variable.(map[string]any)["name"]]++
		}
		for variable, value := range want {
			require.Equal(t, value, environment(t, r.Named(t, deploymentType, name))[variable])
			require.Equal(t, 1, names[variable])
		}
		require.Equal(t, 1, names["THREETIER_NODE_IP"], "%s: each name once", name)
	}
	require.NotContains(t, environment(t, r.Named(t, deploymentType, "shop-frontend")), "THREETIER_NODE_IP")

	// Beside a secret, all other values are in the Secret.
	config := project.StackConfig(t, "dev").Set(t, "threetier:backend.env.OTLP", address).SetSecret(t, "threetier:backend.env.TOKEN", marker)
	require.Empty(t, refusedByEditor(t, editorSchema(t), config))
	backend := deploy(t, "dev", config).Named(t, deploymentType, "app-backend")
	require.Equal(t, "http://$(THREETIER_NODE_IP):4318", environment(t, backend)["OTLP"])
	require.Contains(t, environment(t, backend)["TOKEN"], "secret ")
	require.Equal(t, []string{
		`threetier:backend.env.OTLP is "http://me:{nodeIP}@x", want {nodeIP} or an address with it, like http://{nodeIP}:4318`,
	}, refusals(t, project.StackConfig(t, "dev").Set(t, "threetier:backend.env.OTLP", "http://me:{nodeIP}@x")))
}
