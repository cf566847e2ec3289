package rehearse

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/costs"
	"threetier/gate/plan"
)

// A small stack config; that of dev is its users' own.
const smallConfig = `
config:
  aws:region: eu-west-1
  threetier:cluster: { eks: acme-dev }
  threetier:database: { lifecycle: disposable, maxStorageGiB: 40, port: 5433 }
  threetier:backend: { image: "ghcr.io/acme/backend:1.0.0", migrate: [migrate], env: { LOG_LEVEL: debug } }
`

// One change after the other is a config that the program takes, with a frontend and without one.
func TestChangesMakeValidConfigs(t *testing.T) {
	for text, want := range map[string]int{
		smallConfig: len(changes) - 1,
		smallConfig + `  threetier:frontend: { image: "ghcr.io/acme/frontend:1.0.0" }`: len(changes),
	} {
		c := configOf(t, text)
		c.rehearsable(nil)
		c.fixReplicas()
		applied := 0
		for _, change := range changes {
			applies, err := change.apply(c)
			require.NoError(t, err)
			if !applies {
				assert.Equal(t, "threetier:frontend.image", change.key)
				continue
			}
			applied++
			folder := t.TempDir()
			text, err := c.Text()
			require.NoError(t, err)
			if strings.Contains(string(text), "COST_KEY") { // no secret, and only the gate of a committed config asks
				text = []byte(strings.Replace(string(text), "config:\n", "config:\n    threetier:allow: {'plain text of threetier:backend.secretEnv.COST_KEY': a measure}\n", 1))
			}
			require.NoError(t, os.WriteFile(filepath.Join(folder, "Pulumi.changed.yaml"), text, 0o600))
			_, err = plan.Build(folder, "changed")
			require.NoError(t, err, "%s %s", change.key, change.text)
		}
		assert.Equal(t, want, applied)
		assert.Equal(t, "debug", at(t, c, "threetier:backend", "env", "LOG_LEVEL"), "a field beside the changed one stays")
		assert.Equal(t, map[string]any{"min": 2, "max": 2}, at(t, c, "threetier:nginx", "replicas"))
	}
}

func TestFiguresAreOfTheseChangesAlone(t *testing.T) {
	measured, err := costs.Read(filepath.Join("../..", costs.File))
	require.NoError(t, err)
	require.NotEmpty(t, measured.Rows)
	for _, row := range measured.Rows {
		assert.True(t, slices.ContainsFunc(changes, func(c change) bool {
			return row.Key == c.key && row.Change == c.text && row.AWS == c.aws
		}), "run make costs: %v", row)
	}
}

func TestReplacedResourcesAreReadFromTheEnginesEvents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"sequence": 1, "preludeEvent": {}}
{"resourcePreEvent": {"metadata": {"op": "replace", "type": "aws:rds/instance:Instance", "urn": "urn:pulumi:dev::threetier::threetier:index:Database$aws:rds/instance:Instance::database"}}}
{"resourcePreEvent": {"metadata": {"op": "update", "type": "aws:rds/parameterGroup:ParameterGroup", "urn": "urn:pulumi:dev::threetier::aws:rds/parameterGroup:ParameterGroup::parameters"}}}
{"resourcePreEvent": {"metadata": {"op": "replace", "type": "kubernetes:batch/v1:Job", "urn": "urn:pulumi:dev::threetier::kubernetes:batch/v1:Job::app-backend"}}}
`), 0o600))
	names, err := replaced(file)
	require.NoError(t, err)
	assert.Equal(t, []string{"database"}, names)
}

func TestTiersWithNewPodsAreTold(t *testing.T) {
	p := newPods(localNode{})
	p.pod(podOf(t, "old", "nginx", "Running", ""))
	known := p.byName()
	p.pod(podOf(t, "new", "backend", "Running", ""))
	p.pod(podOf(t, "migration", "backend-migration", "Running", ""))
	assert.Equal(t, []string{"backend"}, p.tiersBeside(known))
}
