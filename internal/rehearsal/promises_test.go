package rehearsal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/internal/planner"
	"threetier/internal/promises"
)

// Each change alone and all together are configs that the program takes, and each makes another config.
func TestChangesAreThoseOfAValidConfig(t *testing.T) {
	text, err := os.ReadFile("../../Pulumi.dev.yaml")
	require.NoError(t, err)
	plan := func(c *stackConfig) {
		folder := t.TempDir()
		text, err := c.text()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "Pulumi.changed.yaml"), text, 0o600))
		_, err = planner.Build(folder, "changed")
		require.NoError(t, err)
	}
	all := configOf(t, string(text))
	all.rehearsable(nil)
	all.fixReplicas()
	for _, change := range changes {
		t.Run(change.key+" "+change.text, func(t *testing.T) {
			before, err := all.text()
			require.NoError(t, err)
			change.edit(all)
			after, err := all.text()
			require.NoError(t, err)
			assert.NotEqual(t, string(before), string(after))
			plan(all)
		})
	}
	assert.Equal(t, "debug", at(t, all, "threetier:backend", "env", "LOG_LEVEL"), "a field beside the changed one stays")
	assert.Equal(t, map[string]any{"min": 2, "max": 2}, at(t, all, "threetier:nginx", "replicas"))
}

func TestPageHasARowOfEachChange(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("../..", promises.File))
	require.NoError(t, err)
	lines := promises.Lines(string(page))
	require.Len(t, lines, len(changes), "run make promises")
	for i, change := range changes {
		assert.True(t, strings.HasPrefix(lines[i].Text, "| `"+change.key+"` | "+change.text+" | "), lines[i].Text)
		assert.True(t, strings.HasSuffix(lines[i].Text, " | "+change.aws+" |\n"), lines[i].Text)
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
	p := newPods(node{})
	p.pod(podOf(t, "old", "nginx", "Running", ""))
	known := p.names()
	p.pod(podOf(t, "new", "backend", "Running", ""))
	p.pod(podOf(t, "migration", "backend-migration", "Running", ""))
	assert.Equal(t, []string{"backend"}, p.tiersBeside(known))
}
