package tests

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// waits are the URNs of everything that comes before a resource: what it waits for, or a component that it is part of, and what comes
// before that. A child's registration waits for its parent's.
func waits(r *recorder.Recording, res recorder.Resource) map[string]bool {
	resources := map[string]recorder.Resource{}
	for _, other := range r.Resources {
		resources[other.URN] = other
	}
	before := map[string]bool{}
	var visit func(recorder.Resource)
	visit = func(of recorder.Resource) {
		for _, urn := range append(slices.Clone(of.DependsOn), of.Parent) {
			if !before[urn] {
				before[urn] = true
				visit(resources[urn])
			}
		}
	}
	visit(res)
	return before
}

// selects tells whether a policy's selector finds pods by the value of their tier's label.
func selects(t *testing.T, policy recorder.Resource, label any) bool {
	t.Helper()
	selector := policy.Input(t, "spec.podSelector").(object)
	if labels, byLabel := selector["matchLabels"].(object); byLabel {
		return labels["app.kubernetes.io/name"] == label
	}
	expressions, _ := selector["matchExpressions"].([]any)
	return len(expressions) == 0 || slices.ContainsFunc(expressions, func(each any) bool {
		return slices.Contains(each.(object)["values"].([]any), label)
	})
}

// A pod that starts before its policies has all ways for a moment, or none.
func TestPodsStartBehindTheirNetworkPolicies(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, pod := range templates(t, r) {
			if strings.HasPrefix(pod.Name, "app-psql") {
				continue // a person starts it, later
			}
			before := waits(r, pod.Resource)
			found := 0
			for _, policy := range r.All(policyType) {
				if selects(t, policy, pod.Input(t, `metadata.labels["app.kubernetes.io/name"]`)) {
					found++
					assert.True(t, before[policy.URN], "%s starts before %s", pod, policy.Name)
				}
			}
			assert.GreaterOrEqual(t, found, 2, "%s: what closes all, and what opens its ways", pod)
		}
	})
}

// What kubectl edits, an up writes again, where Kubernetes has one field for two writers.
func TestEditsByHandStopNoUp(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, res := range r.Resources {
			kind := res.Type[strings.LastIndex(res.Type, ":")+1:]
			once := []string{"Job", "Secret", "ConfigMap", "DeploymentPatch"} // another one is made, or one field is written
			if !strings.HasPrefix(res.Type, "kubernetes:") || slices.Contains(once, kind) {
				continue
			}
			assert.Equal(t, "true", res.Input(t, `metadata.annotations["pulumi.com/patchForce"]`), "%s %s", kind, res.Name)
		}
	})
}

// An up that stops waiting says that all is well, or fails what would have come up.
func TestPulumiWaitsAsLongAsWhatItWaitsForMayTake(t *testing.T) {
	seconds := func(res recorder.Resource, of string) float64 {
		limit, err := time.ParseDuration(res.Timeouts[of])
		require.NoError(t, err, "%s %s: %s", res.Type, res.Name, of)
		return limit.Seconds()
	}
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		waited := 0
		for _, res := range r.Resources {
			switch res.Type {
			case deploymentType:
				waited++
				patch := r.Named(t, "kubernetes:apps/v1:DeploymentPatch", res.Name)
				for _, of := range []string{"create", "update"} {
					assert.Greater(t, seconds(res, of), number(res.Input(t, "spec"), "progressDeadlineSeconds"), "%s: Kubernetes says why first", res.Name)
					assert.Equal(t, seconds(res, of), seconds(patch, of), "%s: the second look takes as long", res.Name)
				}
			case "kubernetes:batch/v1:Job":
				waited++
				assert.Greater(t, seconds(res, "create"), number(res.Input(t, "spec"), "activeDeadlineSeconds")+number(res.Input(t, "spec.template.spec"), "terminationGracePeriodSeconds"),
					"%s: the Job has failed before the up gives up", res.Name)
				assert.GreaterOrEqual(t, number(res.Input(t, "spec"), "activeDeadlineSeconds"), 60.0, res.Name)
			case validationType:
				waited++
				assert.GreaterOrEqual(t, seconds(res, "create"), 1800.0, "%s: ACM says 30 minutes", res.Name)
			}
		}
		assert.GreaterOrEqual(t, waited, 5)
	})
	r := deploy(t, "dev", inZone(t))
	for _, res := range r.All(validationType) {
		assert.GreaterOrEqual(t, seconds(res, "create"), 1800.0, "%s: ACM says 30 minutes", res.Name)
	}
	require.Len(t, r.All(validationType), 2)
}

// The certificate that somebody uses is there before the load balancer, and goes after it.
func TestLoadBalancerComesAfterTheCertificatesOfTheStack(t *testing.T) {
	r := recorder.MustRun(t, stack.Deploy, recorder.Options{Config: withNames(t, map[string]any{"name": shop, "redirectFrom": []string{www}})})
	service := r.Named(t, serviceType, "app-nginx")
	for _, name := range []string{shop, www} {
		assert.True(t, waits(r, service)[r.Named(t, certificateType, "domain-"+name).URN], name)
	}
}

func TestLoadBalancerIsAskedForWhatKeepsClientsSafeAndPodsReachable(t *testing.T) {
	r := deploy(t, "full", project.StackConfig(t, "full"))
	for name, want := range map[string]struct {
		values []string
		why    string
	}{
		"ssl-negotiation-policy":          {[]string{"ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"}, "TLS 1.2 or later"},
		"ssl-ports":                       {[]string{"443"}, "port 80 only redirects"},
		"healthcheck-interval":            {[]string{"5", "10"}, "a pod that is gone gets no new connection after 20 s"},
		"healthcheck-unhealthy-threshold": {[]string{"2"}, "a pod that is gone gets no new connection after 20 s"},
		"healthcheck-healthy-threshold":   {[]string{"2"}, "a new pod serves after 20 s"},
		"healthcheck-protocol":            {[]string{"http"}, "a port that is open may belong to an nginx that stops"},
		"nlb-target-type":                 {[]string{"ip"}, "pods, and not nodes: a client's address stays"},
		"target-group-attributes":         {[]string{"preserve_client_ip.enabled=true"}, "limits and logs are by the client's address"},
		"attributes":                      {[]string{"load_balancing.cross_zone.enabled=true"}, "an address of a zone without a pod leads somewhere"},
	} {
		assert.Contains(t, want.values, annotation(t, r, name), "%s: %s", name, want.why)
	}
	for _, label := range []string{"elbv2.k8s.aws/pod-readiness-gate-inject", "eks.amazonaws.com/pod-readiness-gate-inject"} {
		assert.Equal(t, "enabled", r.One(t, namespaceType).Input(t, `metadata.labels["`+label+`"]`), "an old pod stays until the load balancer has a new one")
	}
}
