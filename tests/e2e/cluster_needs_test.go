//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

func TestUpReadsThatTheClusterHasMetrics(t *testing.T) {
	for _, e := range events(t, "dev", "up-first") {
		if e.ResOp != nil && e.ResOp.Metadata.Op == "read" && strings.HasSuffix(e.ResOp.Metadata.URN, "::cluster-needs-metrics-server") {
			return
		}
	}
	t.Error("no read of the API of metrics-server, which dev's autoscaler needs")
}

// No other stack here asks for this class, and so for this API.
func TestPreviewFailsWithoutTheControllerOfALoadBalancerClass(t *testing.T) {
	const kubectl, crd = ".local/bin/local exec -- kubectl", "targetgroupbindings.elbv2.k8s.aws"
	preview := "bin/local preview --stack needs --config-file " +
		variant(t, "    drainSeconds: 10", "    loadBalancer: { class: service.k8s.aws/nlb }\n    drainSeconds: 10")
	install := func() {
		must(t, "%s apply --filename %s/node/load-balancer.yaml", kubectl, home)
		must(t, "%s wait --for=create --timeout=30s apiservice/v1beta1.elbv2.k8s.aws", kubectl)
	}
	defer install()
	must(t, "%s delete crd %s", kubectl, crd)
	must(t, "%s wait --for=delete --timeout=30s apiservice/v1beta1.elbv2.k8s.aws", kubectl)
	out := refused(t, "%s", preview)
	for _, want := range []string{"cluster-needs-load-balancer-controller", "resource 'v1beta1.elbv2.k8s.aws' does not exist"} {
		if !strings.Contains(out, want) {
			t.Errorf("a preview without the controller doesn't say %q:\n%s", want, out)
		}
	}
	install()
	must(t, "%s", preview)
}

func TestPreviewFailsWhereTheClusterCannotBeReached(t *testing.T) {
	out := refused(t, "bin/local preview --stack needs --config-file %s", variant(t,
		"    eks: acme-dev", `    kubeconfig: '{"apiVersion": "v1", "kind": "Config", "current-context": "c", `+
			`"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [{"name": "u", "user": {"token": "none"}}], `+
			`"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}'`,
		"    lifecycle: disposable", "    network: { vpcId: vpc-0local0000000001, subnetIds: [subnet-0local000000000a2, subnet-0local000000000b3], "+
			"clientSecurityGroupIds: [sg-0local0000cluster] }\n    lifecycle: disposable"))
	for _, want := range []string{"cluster-needs-metrics-server", "configured Kubernetes cluster is unreachable"} {
		if !strings.Contains(out, want) {
			t.Errorf("a preview of a cluster that nobody reaches doesn't say %q:\n%s", want, out)
		}
	}
}
