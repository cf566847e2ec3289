package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
)

// The provider may take a Deployment's old status for that of its new pods: a second look waits for these.
func TestEveryChangeOfPodsIsAwaitedASecondTime(t *testing.T) {
	rollouts := func(change func(*appStack)) map[string]any {
		seen := map[string]any{}
		r := runApp(t, change)
		for _, name := range []string{"shop-backend", "shop-frontend", "shop-nginx"} {
			rollout, deployment := r.Named(t, rolloutType, name), r.Named(t, deploymentType, name)
			require.Contains(t, rollout.DependsOn, deployment.URN)
			require.NotEmpty(t, rollout.Input(t, `metadata.annotations["threetier/rollout"]`))
			seen[name] = rollout.Input(t, `metadata.annotations["threetier/rollout"]`)
		}
		return seen
	}
	before := rollouts(nil)
	require.Equal(t, before, rollouts(nil))
	require.Equal(t, before, rollouts(func(a *appStack) { a.Nginx.Replicas = pods.ReplicaArgs{Min: 3, Max: 3} }), "more pods are no new pods")
	require.NotEqual(t, before["shop-nginx"], rollouts(func(a *appStack) { a.Nginx.Image = "registry.example/nginx:2" })["shop-nginx"])
	require.NotEqual(t, before["shop-frontend"], rollouts(func(a *appStack) { a.Frontend.HealthPath = "/other" })["shop-frontend"])
	require.Equal(t, before["shop-backend"], rollouts(func(a *appStack) { a.Frontend.HealthPath = "/other" })["shop-backend"])
}

func TestNginxRollsBesideTheOtherTiersAfterTheMigration(t *testing.T) {
	r := runApp(t, withRoles)
	migration := r.Named(t, jobType, "shop-backend-migrate").URN
	front := r.One(t, nginx.Type)
	require.Contains(t, front.DependsOn, migration, "a migration that fails leaves nginx as it was")
	for _, name := range []string{"shop-backend", "shop-frontend"} {
		service := r.Named(t, serviceType, name)
		require.Contains(t, front.DependsOn, service.URN, "nginx looks its name up at its start")
		require.NotContains(t, front.DependsOn, r.Named(t, rolloutType, name).URN)
		require.NotContains(t, service.DependsOn, r.Named(t, deploymentType, name).URN)
		require.NotContains(t, service.DependsOn, migration)
		require.Equal(t, "true", service.Input(t, `metadata.annotations["pulumi.com/skipAwait"]`))
	}
}

// A new page may call what the old API doesn't have.
func TestTheFrontendRollsOnceTheBackendServes(t *testing.T) {
	r := runApp(t, nil)
	backend := r.Named(t, rolloutType, "shop-backend").URN
	require.Contains(t, r.Named(t, deploymentType, "shop-backend").DependsOn, r.Named(t, jobType, "shop-backend-migrate").URN)
	require.Contains(t, r.Named(t, deploymentType, "shop-frontend").DependsOn, backend)
	require.NotContains(t, r.Named(t, serviceType, "shop-frontend").DependsOn, backend, "nginx waits for it")
}

// As long as both versions of a frontend serve, a page may ask for a script of the other one.
func TestAFrontendSwitchesAtOnce(t *testing.T) {
	rolling := runApp(t, nil).Named(t, deploymentType, "shop-frontend").Input(t, "spec.strategy.rollingUpdate")
	require.Equal(t, map[string]any{"maxSurge": "100%", "maxUnavailable": 0.0}, rolling)
}
