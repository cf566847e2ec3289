package tests

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFrontendKnowsNothingOfTheDatabase(t *testing.T) {
	deployment := runApp(t, nil).Named(t, deploymentType, "shop-frontend")
	require.Equal(t, map[string]string{"HOME": "/tmp"}, environment(t, deployment))
	require.Len(t, deployment.Input(t, "spec.template.spec.volumes"), 1, "its /tmp")
}

func TestFrontendRunsWithItsDefaults(t *testing.T) {
	deployment := runApp(t, nil).Named(t, deploymentType, "shop-frontend")
	container := func(path string) any {
		return deployment.Input(t, "spec.template.spec.containers[0]."+path)
	}
	require.Equal(t, "registry.example/frontend:1", container("image"))
	require.EqualValues(t, 8080, container("ports[0].containerPort"))
	require.Equal(t, "/", container("readinessProbe.httpGet.path"))
	require.Equal(t, "64Mi", container("resources.limits.memory"))
	require.Nil(t, container("command"), "the image's own")
}
