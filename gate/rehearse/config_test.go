package rehearse

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/gate/project"
)

func configOf(t *testing.T, text string) *stackConfig {
	t.Helper()
	c, err := project.ReadValues([]byte(text))
	require.NoError(t, err)
	return &stackConfig{Values: c}
}

// at is a value of a config by path.
func at(t *testing.T, c *stackConfig, keys ...string) any {
	t.Helper()
	text, err := c.Text()
	require.NoError(t, err)
	var file map[string]any
	require.NoError(t, yaml.Unmarshal(text, &file))
	value := file["config"]
	for _, key := range keys {
		fields, _ := value.(map[string]any)
		value = fields[key]
	}
	return value
}

func TestDurableStackBecomesOneThatCanBeRemoved(t *testing.T) {
	text, err := os.ReadFile("../../Pulumi.prod.yaml")
	require.NoError(t, err)
	c := configOf(t, string(text))
	c.rehearsable(nil)
	assert.Equal(t, "disposable", at(t, c, "threetier:database", "lifecycle"))
	assert.Nil(t, at(t, c, "threetier:allow", "tags"), "which is refused beside a disposable database")
	assert.Equal(t, 10, at(t, c, "threetier:nginx", "drainSeconds"))
	assert.Equal(t, []string{
		"threetier:database.lifecycle is disposable instead of durable: the rehearsal removes its database.",
		"threetier:nginx.drainSeconds is 10 instead of 300: the local load balancer forgets a pod at once.",
	}, c.notes)
}

func TestWhatLeadsToTheRealStackIsLeftOut(t *testing.T) {
	c := configOf(t, `
config:
  threetier:namespace: shop
  threetier:nginx: { hosts: [shop.example.org], drainSeconds: 10 }
  threetier:database: { lifecycle: disposable, restoreFrom: rds:shop }
`)
	c.rehearsable(nil)
	assert.Nil(t, at(t, c, "threetier:namespace"))
	assert.Nil(t, at(t, c, "threetier:database", "restoreFrom"))
	assert.Equal(t, []string{
		"threetier:namespace is left out.", "threetier:database.restoreFrom is left out.",
	}, c.notes)
}

func TestTheLoadAsksForANameThatAllVersionsHave(t *testing.T) {
	version := func(keys string) *stackConfig {
		c := configOf(t, "config:\n  threetier:database: { lifecycle: disposable }\n"+keys)
		c.rehearsable(nil)
		return c
	}
	const named = "  threetier:domain: { name: shop.example.org, aliases: [store.example.org], redirectFrom: [www.example.org] }\n"
	before := version(named + "  threetier:nginx: { hosts: ['*.example.org', admin.example.org] }\n")
	assert.Equal(t, []any{"shop.example.org", "store.example.org", "www.example.org", "*.example.org", "admin.example.org"}, at(t, before, "threetier:nginx", "hosts"))
	assert.Nil(t, at(t, before, "threetier:domain"))
	assert.Equal(t, "shop.example.org", agreeOnName(before))
	assert.Equal(t, "admin.example.org", agreeOnName(before, version("  threetier:nginx: { hosts: ['*.example.org', admin.example.org] }\n")))

	// A first name: until now the app has answered to any.
	before, after := version(""), version(named)
	assert.Empty(t, agreeOnName(before, after))
	assert.Nil(t, at(t, after, "threetier:nginx", "hosts"))
	assert.Contains(t, after.notes, "threetier:nginx.hosts is left out.")
}

func TestTheLoadAsksThisMachineForAnyName(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	defer site.Close()
	named := strings.Replace(site.URL, "127.0.0.1", "shop.example.org", 1)
	status, body, err := get(named)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, strings.TrimPrefix(named, "http://"), string(body))
}

func TestSecretsBecomeTheSameStandInsInBothVersions(t *testing.T) {
	const text = `
config:
  threetier:nginx: { drainSeconds: 10 }
  threetier:database: { lifecycle: disposable }
  threetier:backend: { secretEnv: { KEY: { secure: v1:abc }, OTHER: { secure: v1:def } } }
`
	base, head := configOf(t, text), configOf(t, text)
	secrets := map[string]string{"threetier:backend.secretEnv.OTHER": "sk_test_1"}
	base.rehearsable(secrets)
	head.rehearsable(secrets)
	key := at(t, base, "threetier:backend", "secretEnv", "KEY")
	assert.Len(t, key, 40)
	assert.Equal(t, key, at(t, head, "threetier:backend", "secretEnv", "KEY"))
	assert.Equal(t, "sk_test_1", at(t, base, "threetier:backend", "secretEnv", "OTHER"))
	assert.Equal(t, []string{"2 secret values are stand-ins."}, base.notes)
}

func TestImagesAreNamedByTheirContent(t *testing.T) {
	for image, want := range map[string]string{
		"ghcr.io/acme/backend:1.0.0":        "ghcr.io/acme/backend:rehearsal-0a1b",
		"localhost:5000/backend":            "localhost:5000/backend:rehearsal-0a1b",
		"ghcr.io/acme/backend@sha256:00112": "ghcr.io/acme/backend:rehearsal-0a1b",
	} {
		c := configOf(t, "config: { 'threetier:backend': { image: '"+image+"' } }")
		c.image("backend", "0a1b")
		assert.Equal(t, want, at(t, c, "threetier:backend", "image"))
		c.image("frontend", "0a1b")
		assert.Nil(t, at(t, c, "threetier:frontend"), "which the stack doesn't have")
	}
}

// The images of a rehearsal are built of the commits: a name in the config is none of theirs.
func TestMigrationOfARehearsalIsNeverSkipped(t *testing.T) {
	c := configOf(t, "config: { threetier:nginx: { drainSeconds: 10 }, threetier:backend: { image: app:1, migrate: [x], allow: { skip migrate of app:1: older } } }")
	c.rehearsable(nil)
	assert.Empty(t, at(t, c, "threetier:backend", "allow"))
	assert.Equal(t, []string{"threetier:backend.allow is left out."}, c.notes)
}

const podsConfig = `
config:
  threetier:backend: { replicas: { min: 2, max: 10 }, resources: { cpu: 500m, memory: 256Mi } }
  threetier:nginx: { replicas: { min: 2, max: 2 }, resources: { cpu: 0.1, memory: 1Gi } }
  threetier:workers: { mailer: { command: [work], replicas: { min: 3, max: 3 } } }
`

func TestStackIsScaledToTheRoomOfTheNode(t *testing.T) {
	c := configOf(t, podsConfig)
	require.NoError(t, c.fit(room{cpu: 4, memoryMiB: 16000}))
	assert.Equal(t, map[string]any{"min": 2, "max": 4}, at(t, c, "threetier:backend", "replicas"))
	assert.Equal(t, map[string]any{"min": 2, "max": 2}, at(t, c, "threetier:nginx", "replicas"))
	assert.Equal(t, []string{"threetier:backend.replicas are 2 to 4 instead of 2 to 10: the node has room for no more."}, c.notes)

	small := configOf(t, podsConfig)
	require.NoError(t, small.fit(room{cpu: 2.2, memoryMiB: 16000}))
	assert.Equal(t, map[string]any{"min": 1, "max": 1}, at(t, small, "threetier:workers", "mailer", "replicas"))

	large := configOf(t, podsConfig)
	require.NoError(t, large.fit(room{cpu: 64, memoryMiB: 64000}))
	assert.Empty(t, large.notes)
}

func TestNodeWithoutRoomSaysHowMuchIsWanted(t *testing.T) {
	assert.EqualError(t, configOf(t, podsConfig).fit(room{cpu: 1, memoryMiB: 16000}),
		"the node has 1.00 CPU and 16000 MiB left, want 2.10 and 4096 for one pod of each tier: stop other stacks on it")
}

func TestQuantitiesAreReadAsKubernetesWritesThem(t *testing.T) {
	for text, want := range map[string]float64{"100m": 0.1, "2": 2, "0.5": 0.5, "1500000n": 0.0015, "many": 0} {
		assert.InDelta(t, want, cores(text), 1e-9, text)
	}
	for text, want := range map[string]float64{"256Mi": 256, "2Gi": 2048, "1024Ki": 1, "1048576": 1, "": 0} {
		assert.InDelta(t, want, mebi(text), 1e-9, text)
	}
}

// Base's instance is a new one: of an exception that both versions have, or base alone, there is nothing to upgrade.
func TestUpgradeIsAllowedWhereTheChangeUpgradesAlone(t *testing.T) {
	for _, c := range []struct {
		base, head string
		kept       any
	}{
		{"engineVersion: 17", "engineVersion: 18, allow: { RDS.6: x, upgrade to 18: tried }", map[string]any{"RDS.6": "x", "upgrade to 18": "tried"}},
		{"port: 1", "engineVersion: \"18\", allow: { upgrade to 18: tried }", map[string]any{"upgrade to 18": "tried"}},
		{"engineVersion: 18, allow: { upgrade to 18: tried }", "engineVersion: \"18\", allow: { RDS.6: x, upgrade to 18: tried }", map[string]any{"RDS.6": "x"}},
		{"engineVersion: 17, allow: { upgrade to 17: tried }", "allow: { upgrade to 17: tried }", map[string]any{}},
		{"engineVersion: 18, allow: { upgrade to 18: tried }", "engineVersion: 18", nil},
	} {
		base, head := configOf(t, "config: { threetier:database: {"+c.base+"} }"), configOf(t, "config: { threetier:database: {"+c.head+"} }")
		allowOnlyTheUpgradeOf(head, base)
		assert.Empty(t, at(t, base, "threetier:database", "allow"), c.base)
		assert.Equal(t, c.kept, at(t, head, "threetier:database", "allow"), c.head)
	}
}

func TestEmptyStackConfigIsOneThatTheProgramRefuses(t *testing.T) {
	for _, text := range []string{"", "config:", "# nothing", "config: {}"} {
		c := configOf(t, text)
		c.rehearsable(nil)
		c.fixReplicas()
		assert.NotNil(t, c.Values, text)
	}
}

func TestEnvironmentOfPulumiCloudIsRefused(t *testing.T) {
	_, err := project.ReadValues([]byte("environment: [shop/prod]\nconfig: {aws:region: eu-west-1}\n"))
	require.ErrorContains(t, err, "environment is given, want none: ")
}
