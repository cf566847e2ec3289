package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/app"
)

// The provider may take a Deployment's old status for that of its new pods: a second look waits for these.
func TestEveryChangeOfPodsIsAwaitedASecondTime(t *testing.T) {
	rollouts := func(change func(*app.AppArgs)) map[string]any {
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
	require.Equal(t, before, rollouts(func(a *app.AppArgs) { a.Nginx.Replicas = app.ReplicaArgs{Min: number(3), Max: number(3)} }), "more pods are no new pods")
	require.NotEqual(t, before["shop-nginx"], rollouts(func(a *app.AppArgs) { a.Nginx.Image = "registry.example/nginx:2" })["shop-nginx"])
	require.NotEqual(t, before["shop-frontend"], rollouts(func(a *app.AppArgs) { a.Frontend.HealthPath = "/other" })["shop-frontend"])
	require.Equal(t, before["shop-backend"], rollouts(func(a *app.AppArgs) { a.Frontend.HealthPath = "/other" })["shop-backend"])
}
