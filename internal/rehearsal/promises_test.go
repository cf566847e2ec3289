package rehearsal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachChangeIsOneOfTheConfigAndNoOther(t *testing.T) {
	text, err := os.ReadFile("../../Pulumi.dev.yaml")
	require.NoError(t, err)
	c := configOf(t, string(text))
	c.rehearsable(nil)
	seen := map[string]bool{}
	for _, change := range changes {
		before, err := c.text()
		require.NoError(t, err)
		change.set(c)
		after, err := c.text()
		require.NoError(t, err)
		assert.NotEqual(t, string(before), string(after), "%s changes nothing", change.key)
		assert.False(t, seen[change.key], "%s is there twice", change.key)
		seen[change.key] = true
	}
	assert.Equal(t, "debug", at(t, c, "threetier:backend", "env", "LOG_LEVEL"), "a field beside the changed one stays")
	assert.Equal(t, 5434, at(t, c, "threetier:database", "port"))
}

func TestReplacedResourcesAreReadFromTheEngineEvents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"sequence": 1, "preludeEvent": {}}
{"resourcePreEvent": {"metadata": {"op": "replace", "type": "aws:rds/instance:Instance", "urn": "urn:pulumi:dev::threetier::threetier:index:Database$aws:rds/instance:Instance::database"}}}
{"resourcePreEvent": {"metadata": {"op": "update", "type": "aws:rds/parameterGroup:ParameterGroup", "urn": "urn:pulumi:dev::threetier::aws:rds/parameterGroup:ParameterGroup::database"}}}
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
	assert.Equal(t, []string{"backend"}, p.rolled(known))
}

func TestPageOfPromisesHasARowForEachKey(t *testing.T) {
	page := PromisesMarkdown([]Promise{
		{Key: "threetier:backend.env", Change: "one variable more", Sent: 700, Rolled: []string{"backend"}, AWS: awsNone},
		{Key: "threetier:database.port", Change: "5434", Sent: 700, Lost: 30, Errors: 4, Restarted: true, AWS: awsRestart},
	}, "dev", "25 November 2026", 20)
	assert.Contains(t, page, "measured this page on 25 November 2026")
	assert.Contains(t, page, "| `threetier:backend.env` | one variable more | 0 of 700 | 0 | backend | none | no | the same |\n")
	assert.Contains(t, page, "| `threetier:database.port` | 5434 | 30 of 700 | 4 | none | none | yes | a restart: up to a minute without the database |\n")
}
