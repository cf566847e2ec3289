// Package workflows tests what runs in GitHub Actions and is not a Makefile target: the workflows' rights and pins, and
// the scripts that they call.
package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

type workflow struct {
	Name        string         `yaml:"name"`
	On          map[string]any `yaml:"on"`
	Permissions map[string]any `yaml:"permissions"`
	Concurrency map[string]any `yaml:"concurrency"`
	Env         map[string]any `yaml:"env"`
	Jobs        map[string]job `yaml:"jobs"`
}

type job struct {
	If          string            `yaml:"if"`
	Uses        string            `yaml:"uses"`
	Minutes     int               `yaml:"timeout-minutes"`
	Environment string            `yaml:"environment"`
	Permissions map[string]string `yaml:"permissions"`
	Concurrency map[string]any    `yaml:"concurrency"`
	Container   any               `yaml:"container"`
	Services    any               `yaml:"services"`
	Env         map[string]any    `yaml:"env"`
	Needs       any               `yaml:"needs"`
	Outputs     map[string]string `yaml:"outputs"`
	With        map[string]any    `yaml:"with"`
	Steps       []step            `yaml:"steps"`
}

type step struct {
	ID   string         `yaml:"id"`
	Env  map[string]any `yaml:"env"`
	Uses string         `yaml:"uses"`
	Run  string         `yaml:"run"`
	With map[string]any `yaml:"with"`
}

func (j job) runs(command string) bool {
	return slices.ContainsFunc(j.Steps, func(s step) bool { return s.Run == command })
}

// script is the step that calls one of the scripts.
func (j job) script(t *testing.T, name string) step {
	t.Helper()
	for _, each := range j.Steps {
		if called, _, _ := strings.Cut(each.called(), " "); called == name {
			return each
		}
	}
	require.Fail(t, "no step calls "+name)
	return step{}
}

// called is the script that the step calls, with its arguments; empty where it calls none.
func (s step) called() string {
	called, isScript := strings.CutPrefix(s.Run, ".github/scripts/")
	if !isScript {
		return ""
	}
	return called
}

// role is what the job assumes; empty where it assumes none.
func (j job) role() any {
	for _, step := range j.Steps {
		if step.Uses == "./.github/actions/pulumi" {
			return step.With["role"]
		}
	}
	return ""
}

func folder(elem ...string) string {
	return filepath.Join(append([]string{project.Root(), ".github"}, elem...)...)
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
	pinned := regexp.MustCompile(`^\s*-? *uses: (\./\.github/(actions/\w+|workflows/\w+\.yml)|[\w-]+/[\w-]+@[0-9a-f]{40} # v[0-9.]+(; .*)?)$`)
	for _, file := range append(files, folder("actions", "pulumi", "action.yml")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, " uses: ") {
				assert.Regexp(t, pinned, strings.TrimRight(line, "\n"), file)
			}
		}
	}
}

func TestCheckRunsMakefileTargetsOnly(t *testing.T) {
	for _, file := range []string{"check.yml", "nightly.yml"} {
		for name, job := range read(t, file).Jobs {
			for _, step := range job.Steps {
				isPreparation := strings.HasPrefix(step.Run, "apt-get update") || strings.HasPrefix(step.Run, "git config")
				assert.True(t, step.Run == "" || isPreparation || strings.HasPrefix(step.Run, "make "), "%s: %s", name, step.Run)
			}
		}
	}
}

// A test that no workflow runs fails on somebody's laptop, months later.
func TestEveryTargetOfTestsIsRunByAWorkflow(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(project.Root(), "Makefile"))
	require.NoError(t, err)
	var run []string
	for _, file := range []string{"check.yml", "nightly.yml"} {
		text, err := os.ReadFile(folder("workflows", file))
		require.NoError(t, err)
		for _, list := range regexp.MustCompile(`target: \[(.*)\]`).FindAllStringSubmatch(string(text), -1) {
			run = append(run, strings.Split(list[1], ", ")...)
		}
	}
	targets := regexp.MustCompile(`(?m)^(test-[a-z]+):`).FindAllStringSubmatch(string(makefile), -1)
	require.NotEmpty(t, targets)
	for _, target := range targets {
		assert.Contains(t, run, target[1])
	}
	nightly := read(t, "nightly.yml")
	assert.Contains(t, nightly.On, "schedule")
	assert.NotContains(t, nightly.On, "pull_request")
}

func TestCodeOfAPullRequestNeverHasTheRightToWrite(t *testing.T) {
	for _, name := range []string{"build.yml", "check.yml", "nightly.yml", "preview.yml", "rehearse.yml"} {
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
	for _, name := range []string{"build.yml", "check.yml", "preview.yml", "previews.yml", "comment.yml", "deploy.yml", "drill.yml", "images.yml", "nightly.yml", "rehearse.yml"} {
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
		assert.True(t, job.runs(".github/scripts/apply "+stack+" plan"))
	}
	assert.Equal(t, "preview-prod", deploy.Jobs["prod"].Needs)
	assert.Equal(t, "dev", deploy.Jobs["preview-prod"].Needs)
}

func TestDrillUsesARoleOfItsOwnAndKeepsItsReport(t *testing.T) {
	drill := read(t, "drill.yml")
	assert.Equal(t, map[string]any{"group": "drill-prod", "cancel-in-progress": false}, drill.Concurrency)
	job := drill.Jobs["prod"]
	assert.Contains(t, drill.On, "schedule")
	assert.Equal(t, "drill-prod", job.Environment, "prod's environment waits for an approval")
	assert.True(t, job.runs("make drill STACK=prod"))
	assert.Equal(t, "${{ vars.DRILL_PROD_ROLE_ARN }}", job.role())
	keeps := job.Steps[len(job.Steps)-1]
	assert.Equal(t, "drill-prod.md", keeps.With["path"])
}

func TestRehearsalNeedsNoCredentialAndHandsItsReportOn(t *testing.T) {
	rehearse := read(t, "rehearse.yml")
	assert.Equal(t, map[string]any{"workflow_run": map[string]any{"workflows": []any{"preview", "rehearse"}, "types": []any{"completed"}}}, read(t, "comment.yml").On)
	job := rehearse.Jobs["rehearse"]
	assert.Equal(t, map[string]string{"contents": "read"}, job.Permissions)
	assert.True(t, job.runs(`.github/scripts/rehearse "$BASE" "$STACK" summaries`))
	var artifacts []any
	for _, step := range job.Steps {
		if name, isArtifact := step.With["name"]; isArtifact {
			artifacts = append(artifacts, name)
		}
	}
	assert.Equal(t, []any{"summary-rehearsal", "rehearsal"}, artifacts)
}

func TestNothingIsDeployedThatHasNotPassedCheck(t *testing.T) {
	deploy := read(t, "deploy.yml")
	assert.Equal(t, []any{"passed", "check"}, deploy.Jobs["dev"].Needs)
	assert.Contains(t, deploy.Jobs["dev"].If, "(needs.check.result == 'success' || needs.check.result == 'skipped' && needs.passed.outputs.commit != '')")
	assert.Equal(t, "github.ref == 'refs/heads/main' && needs.passed.outputs.commit == ''", deploy.Jobs["check"].If)
	for before, job := range map[string]job{"dev": deploy.Jobs["preview-prod"], "preview-prod": deploy.Jobs["prod"]} {
		assert.Equal(t, before, job.Needs)
		assert.Equal(t, "!cancelled() && github.ref == 'refs/heads/main' && needs."+before+".result == 'success'", job.If)
	}
	assert.Equal(t, "./.github/workflows/check.yml", deploy.Jobs["check"].Uses)
	check := read(t, "check.yml")
	assert.Contains(t, check.On, "workflow_call")
	assert.NotContains(t, check.On, "push", "deploy calls it on main: once is enough")
}

// Whoever may push a branch runs code with the rights of a pull request's jobs.
func TestCodeThatIsNotOnMainGetsNoRoleButDevsForPreviews(t *testing.T) {
	for _, name := range []string{"build.yml", "check.yml", "preview.yml", "comment.yml", "deploy.yml", "nightly.yml", "rehearse.yml"} {
		for id, job := range read(t, name).Jobs {
			switch {
			case name == "deploy.yml":
				assert.Contains(t, job.If, "github.ref == 'refs/heads/main'", id)
			case name != "preview.yml" || id != "preview":
				assert.NotContains(t, job.Permissions, "id-token", "%s, %s", name, id)
				assert.Empty(t, job.Environment, "%s, %s", name, id)
			}
		}
	}
	preview := read(t, "preview.yml").Jobs["preview"]
	assert.Equal(t, "${{ vars.PREVIEW_ROLE_ARN }}", preview.role())
	assert.True(t, preview.runs(".github/scripts/preview dev summaries"))
	assert.Empty(t, preview.Environment)

	deploy := read(t, "deploy.yml")
	assert.Equal(t, "${{ vars.PREVIEW_PROD_ROLE_ARN }}", deploy.Jobs["preview-prod"].role())
	for _, stack := range []string{"dev", "prod"} {
		assert.Equal(t, "${{ vars.DEPLOY_ROLE_ARN }}", deploy.Jobs[stack].role(), "the environment's own")
	}
}

func TestCredentialsOutliveEveryJob(t *testing.T) {
	text, err := os.ReadFile(folder("actions", "pulumi", "action.yml"))
	require.NoError(t, err)
	match := regexp.MustCompile(`role-duration-seconds: (\d+)`).FindStringSubmatch(string(text))
	require.NotNil(t, match)
	seconds, err := strconv.Atoi(match[1])
	require.NoError(t, err)
	for _, name := range []string{"preview.yml", "previews.yml", "deploy.yml"} {
		for id, job := range read(t, name).Jobs {
			if job.role() != "" {
				assert.Positive(t, job.Minutes, id)
				assert.LessOrEqual(t, job.Minutes*60, seconds, id)
			}
		}
	}
}
