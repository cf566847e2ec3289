// Package workflows tests what runs in GitHub Actions and is not a Makefile target: the workflows' rights and pins, and
// the scripts that they call.
package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/internal/recorder"
)

type workflow struct {
	Name        string         `yaml:"name"`
	On          map[string]any `yaml:"on"`
	Permissions map[string]any `yaml:"permissions"`
	Concurrency map[string]any `yaml:"concurrency"`
	Jobs        map[string]job `yaml:"jobs"`
}

type job struct {
	Environment string            `yaml:"environment"`
	Permissions map[string]string `yaml:"permissions"`
	Concurrency map[string]any    `yaml:"concurrency"`
	Needs       string            `yaml:"needs"`
	Steps       []step            `yaml:"steps"`
}

type step struct {
	Uses string `yaml:"uses"`
	Run  string `yaml:"run"`
}

func folder(elem ...string) string {
	return filepath.Join(append([]string{recorder.Root(), ".github"}, elem...)...)
}

func read(t *testing.T, name string) workflow {
	t.Helper()
	text, err := os.ReadFile(folder("workflows", name))
	require.NoError(t, err)
	var parsed workflow
	require.NoError(t, encoding.YAML.Unmarshal(text, &parsed))
	return parsed
}

func TestActionsArePinnedByCommit(t *testing.T) {
	files, err := filepath.Glob(folder("workflows", "*.yml"))
	require.NoError(t, err)
	pinned := regexp.MustCompile(`^\s*-? *uses: (\./\.github/actions/\w+|[\w-]+/[\w-]+@[0-9a-f]{40} # v[0-9.]+(; .*)?)$`)
	for _, file := range append(files, folder("actions", "pulumi", "action.yml")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "uses:") {
				assert.Regexp(t, pinned, strings.TrimRight(line, "\n"), file)
			}
		}
	}
}

func TestCheckRunsMakefileTargetsOnly(t *testing.T) {
	for name, job := range read(t, "check.yml").Jobs {
		for _, step := range job.Steps {
			isPreparation := strings.HasPrefix(step.Run, "apt-get update") || strings.HasPrefix(step.Run, "git config")
			assert.True(t, step.Run == "" || isPreparation || strings.HasPrefix(step.Run, "make "), "%s: %s", name, step.Run)
		}
	}
}

func TestCodeOfAPullRequestNeverHasTheRightToWrite(t *testing.T) {
	for _, name := range []string{"check.yml", "preview.yml"} {
		parsed := read(t, name)
		assert.NotContains(t, parsed.On, "pull_request_target", name)
		for scope, right := range parsed.Permissions {
			assert.Equal(t, "read", right, "%s: %s", name, scope)
		}
		for id, job := range parsed.Jobs {
			for scope, right := range job.Permissions {
				assert.True(t, right == "read" || scope == "id-token", "%s, %s: %s: %s", name, id, scope, right)
			}
		}
	}
	for _, step := range read(t, "comment.yml").Jobs["comment"].Steps {
		assert.NotContains(t, step.Run, "make", "the one that may write runs nothing but its own script")
	}
}

func TestWorkflowsHoldNoLongLivedKey(t *testing.T) {
	for _, name := range []string{"check.yml", "preview.yml", "comment.yml", "deploy.yml"} {
		text, err := os.ReadFile(folder("workflows", name))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "secrets.", name)
	}
}

func TestDeploymentsOfAStackNeverOverlapAndAreNeverCancelled(t *testing.T) {
	deploy := read(t, "deploy.yml")
	assert.Empty(t, deploy.Concurrency, "a waiting approval for prod must not hold dev up")
	for _, stack := range []string{"dev", "prod"} {
		job := deploy.Jobs[stack]
		assert.Equal(t, map[string]any{"group": "deploy-" + stack, "cancel-in-progress": false}, job.Concurrency)
		assert.Equal(t, stack, job.Environment, "the environment holds the role, and prod's approval")
		assert.True(t, slices.ContainsFunc(job.Steps, func(s step) bool { return s.Run == ".github/scripts/apply "+stack+" plan" }))
	}
	assert.Equal(t, "preview-prod", deploy.Jobs["prod"].Needs)
	assert.Equal(t, "dev", deploy.Jobs["preview-prod"].Needs)
}
