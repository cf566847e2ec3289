package tests

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app/pods"
	"threetier/gate/project"
)

// withRegistry is dev's stack config with credentials for a registry.
func withRegistry(t *testing.T, server string) *project.Config {
	return project.StackConfig(t, "dev").
		Set(t, "threetier:registry.server", server).
		Set(t, "threetier:registry.username", "acme-bot").
		SetSecret(t, "threetier:registry.password", marker+":"+`"/`)
}

func TestEveryPodPullsWithTheRegistrysCredentials(t *testing.T) {
	for server, known := range map[string]string{
		"ghcr.io": "ghcr.io", "registry.example.org:5000": "registry.example.org:5000", "docker.io": "https://index.docker.io/v1/",
	} {
		r := deploy(t, "dev", withRegistry(t, server))
		secret := r.Named(t, secretType, "app-registry")
		require.Equal(t, "kubernetes.io/dockerconfigjson", secret.Input(t, "type"))
		require.Equal(t, true, secret.Input(t, "immutable"))
		require.Nil(t, secret.Input(t, "metadata.name"), "a new password is a new Secret")
		var config map[string]map[string]map[string]string
		require.NoError(t, json.Unmarshal([]byte(secret.SecretData(t)[".dockerconfigjson"]), &config))
		require.Equal(t, map[string]string{
			"username": "acme-bot", "password": marker + ":" + `"/`, "auth": base64.StdEncoding.EncodeToString([]byte("acme-bot:" + marker + ":" + `"/`)),
		}, config["auths"][known])
		require.Len(t, config["auths"], 1)
		require.Len(t, podsOf(r), 6)
		for _, res := range podsOf(r) {
			names := res.Input(t, "spec.template.spec.imagePullSecrets").([]any)
			require.Len(t, names, 1, res.Name)
			require.Regexp(t, "^app-registry-", names[0].(map[string]any)["name"], res.Name)
		}
		for _, res := range r.Resources {
			assert.NotContains(t, fmt.Sprint(res.Plain()), marker, "%s %s", res.Type, res.Name)
		}
	}
}

func TestPodsPullWithoutCredentialsWhereThereAreNone(t *testing.T) {
	for _, res := range podsOf(runApp(t, nil)) {
		require.Nil(t, res.Input(t, "spec.template.spec.imagePullSecrets"), res.Name)
		require.Nil(t, res.Input(t, "spec.template.spec.nodeSelector"), res.Name)
		require.Nil(t, res.Input(t, "spec.template.spec.serviceAccountName"), res.Name)
	}
}

func TestHalfARegistryIsRefused(t *testing.T) {
	assert.ElementsMatch(t, []string{
		`threetier:registry.server is "https://ghcr.io", want a registry's host name, like ghcr.io, as the images begin with`,
		"threetier:registry.username is missing, want the name of the user that pulls images, without a colon",
		"threetier:registry.password is missing, want the password or token that images are pulled with",
	}, refusals(t, project.StackConfig(t, "dev").Set(t, "threetier:registry.server", "https://ghcr.io")))
}

func TestPodsOfAllTiersRunWhereThePlacementSays(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		withRoles(a)
		a.Placement = pods.PlacementArgs{
			NodeSelector: map[string]string{"example.org/pool": "apps"},
			Tolerations:  []pods.TolerationArgs{{Key: "dedicated", Value: "apps", Effect: "NoSchedule"}, {Operator: "Exists"}},
		}
	})
	without := runApp(t, withRoles)
	require.Len(t, podsOf(r), 6)
	for _, res := range podsOf(r) {
		require.Equal(t, map[string]any{"example.org/pool": "apps"}, res.Input(t, "spec.template.spec.nodeSelector"), res.Name)
		own := without.Named(t, res.Type, res.Name).Input(t, "spec.template.spec.tolerations").([]any)
		require.Equal(t, append(own,
			map[string]any{"key": "dedicated", "value": "apps", "effect": "NoSchedule"}, map[string]any{"operator": "Exists"},
		), res.Input(t, "spec.template.spec.tolerations"), res.Name)
	}
}

func TestWrongPlacementIsALineEach(t *testing.T) {
	const name, value = "want the name of a label or taint, like example.org/pool", "want at most 63 letters, digits, -, _ and ., the first and last a letter or digit"
	config := project.StackConfig(t, "dev").
		Set(t, "threetier:placement.nodeSelector", map[string]any{"pool": "a b", "gpu": true}).
		Set(t, "threetier:placement.tolerations", []any{
			map[string]any{"value": "x"},
			map[string]any{"key": "dedicated", "operator": "Exists", "value": "apps"},
			map[string]any{"key": "dedicated", "operator": "In", "effect": "Never"},
			map[string]any{"key": "dedicated", "seconds": 3},
		})
	assert.ElementsMatch(t, []string{
		"threetier:placement.nodeSelector.gpu is true, want a string in quotes: YAML may change one without them",
		`threetier:placement.nodeSelector.pool is "a b", ` + value,
		"threetier:placement.tolerations[0].key is missing, want the key of a taint, or operator Exists for all taints",
		`threetier:placement.tolerations[1].value is "apps", want none with operator Exists`,
		`threetier:placement.tolerations[2].operator is "In", want Equal or Exists`,
		`threetier:placement.tolerations[2].effect is "Never", want NoSchedule, PreferNoSchedule or NoExecute`,
		"threetier:placement.tolerations[3].seconds is 3, want one of the keys key, operator, value, effect",
	}, refusals(t, config))
	assert.Equal(t, []string{`threetier:placement.nodeSelector is "a b", ` + name},
		refusals(t, project.StackConfig(t, "dev").Set(t, "threetier:placement.nodeSelector", map[string]any{"a b": "x"})))
}
