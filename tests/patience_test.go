package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app/pods"
)

// A rollout starts a quarter of the pods at a time, rounded up: four pods start one after the other.
func TestEachGroupOfPodsHasTheTimeOfARollout(t *testing.T) {
	for replicas, want := range map[pods.ReplicaArgs]string{
		{Min: 1, Max: 1}: "100s", {Min: 2, Max: 2}: "200s", {Min: 4, Max: 4}: "400s", {Min: 2, Max: 10}: "400s", {Min: 200, Max: 200}: "400s",
	} {
		r := runApp(t, func(a *appStack) {
			a.Backend.Replicas, a.Backend.RolloutSeconds = replicas, 100
			a.Frontend.Replicas, a.Frontend.RolloutSeconds = replicas, 100
		})
		for _, kind := range []string{deploymentType, rolloutType} {
			require.Equal(t, want, r.Named(t, kind, "shop-backend").Timeouts["update"], replicas)
			require.Equal(t, "100s", r.Named(t, kind, "shop-backend").Timeouts["create"], "the first pods start together")
			require.Equal(t, "100s", r.Named(t, kind, "shop-frontend").Timeouts["update"], "all its pods start at once")
		}
		backend := r.Named(t, deploymentType, "shop-backend")
		require.EqualValues(t, 90, backend.Input(t, "spec.progressDeadlineSeconds"), "a group that doesn't come up fails as before")
	}
}

// Kubernetes reads $(NAME) and $$ in a variable.
func TestVariablesArriveAsTheyAreWritten(t *testing.T) {
	values := map[string]string{
		"PASSWORD": "pa$$word", "REFERENCE": "$(DB_HOST)", "ESCAPED": "$$(DB_HOST)", "PRICE": "5$", "SHELL": "${HOME} $HOME", "ALL": "$$$(A)$$",
	}
	want := map[string]string{
		"PASSWORD": "pa$$$$word", "REFERENCE": "$$(DB_HOST)", "ESCAPED": "$$$$(DB_HOST)", "PRICE": "5$", "SHELL": "${HOME} $HOME", "ALL": "$$$$$$(A)$$$$",
	}
	r := runApp(t, func(a *appStack) {
		a.Backend.Env = map[string]pulumi.StringInput{}
		for name, value := range values {
			a.Backend.Env[name] = pulumi.String(value)
		}
	})
	env := environment(t, r.Named(t, deploymentType, "shop-backend"))
	for name, value := range want {
		require.Equal(t, value, env[name], name)
		require.Equal(t, values[name], expanded(value), "what Kubernetes makes of it")
	}
}

// expanded is a value without references, as Kubernetes expands it.
func expanded(value string) string { return strings.ReplaceAll(value, "$$", "$") }
