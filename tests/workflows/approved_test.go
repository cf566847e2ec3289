package workflows

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProdIsDeployedOnlyByAPersonWhoHasSeenItsPreview(t *testing.T) {
	reviewed := `[{"state": "approved", "user": {"login": "grace"}, "environments": [{"name": "prod"}]}]`
	for name, test := range map[string]struct {
		approvals string
		env       []string
		by        string
	}{
		"the merge alone":                     {approvals: `[]`, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}},
		"a required reviewer":                 {approvals: reviewed, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}, by: "grace"},
		"a reviewer who rejects":              {approvals: `[{"state": "rejected", "user": {"login": "grace"}, "environments": [{"name": "prod"}]}]`, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}},
		"a reviewer of another environment":   {approvals: `[{"state": "approved", "user": {"login": "grace"}, "environments": [{"name": "preview-prod"}]}]`, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}},
		"the failed job again":                {approvals: `[]`, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=2"}, by: "ada"},
		"the failed job again, after ten":     {approvals: `[]`, env: []string{"SHOWN=9", "GITHUB_RUN_ATTEMPT=10"}, by: "ada"},
		"all jobs again, with a new preview":  {approvals: `[]`, env: []string{"SHOWN=2", "GITHUB_RUN_ATTEMPT=2"}},
		"the failed job again, by a workflow": {approvals: `[]`, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=2", "GITHUB_TRIGGERING_ACTOR=github-actions[bot]"}},
		"a preview of no known attempt":       {approvals: `[]`, env: []string{"SHOWN=", "GITHUB_RUN_ATTEMPT=2"}},
		"an attempt that isn't a number":      {approvals: `[]`, env: []string{"SHOWN=a[0]", "GITHUB_RUN_ATTEMPT=2"}},
		"approvals that GitHub doesn't tell":  {approvals: `{"message": "Not Found"}`, env: []string{"SHOWN=1", "GITHUB_RUN_ATTEMPT=2"}},
		"nobody, and the switch is on":        {approvals: `[]`, env: []string{"WITHOUT=true", "SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}, by: "nobody"},
		"nobody, and the switch is off":       {approvals: `[]`, env: []string{"WITHOUT=false", "SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.command("gh", "echo '"+test.approvals+"'")
			s.env = append([]string{"GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=42", "GITHUB_TRIGGERING_ACTOR=ada"}, test.env...)
			code, said := s.says("approved", "prod")
			switch test.by {
			case "nobody":
				assert.Zero(t, code)
				assert.Contains(t, said, "PROD_WITHOUT_APPROVAL is true: nobody has to approve")
				return
			case "":
				assert.NotZero(t, code)
			default:
				assert.Zero(t, code)
				assert.Equal(t, "prod is approved by "+test.by+"\n", s.text("step-summary"))
			}
			assert.Equal(t, "gh api repos/acme/shop/actions/runs/42/approvals\n", s.text("calls"))
		})
	}
}

func TestWaitingForAnApprovalSaysHowToGiveIt(t *testing.T) {
	s := newStage(t)
	s.command("gh", "echo '[]'")
	s.env = []string{"GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=42", "GITHUB_TRIGGERING_ACTOR=ada", "SHOWN=1", "GITHUB_RUN_ATTEMPT=1"}
	require.Equal(t, 1, s.run("approved", "prod"))
	assert.Equal(t, "prod waits, and nobody has approved of this run. Read its preview, then run the failed job again: gh run rerun 42 --failed\n",
		s.text("step-summary"))
}

// The approval is of the preview that is deployed: its attempt and its plan come from the same job, and before the role.
func TestProdHasNoRoleBeforeItIsApproved(t *testing.T) {
	deploy := read(t, "deploy.yml")
	assert.Equal(t, "${{ github.run_attempt }}", deploy.Jobs["preview-prod"].Outputs["attempt"])
	prod := deploy.Jobs["prod"]
	assert.Equal(t, map[string]string{"actions": "read", "contents": "read", "id-token": "write"}, prod.Permissions)
	approved := prod.script(t, "approved")
	assert.Equal(t, "approved prod", approved.called())
	assert.Equal(t, map[string]any{
		"GH_TOKEN": "${{ github.token }}", "SHOWN": "${{ needs.preview-prod.outputs.attempt }}", "WITHOUT": "${{ vars.PROD_WITHOUT_APPROVAL || 'false' }}",
	}, approved.Env)
	for _, step := range prod.Steps {
		if step.Run == approved.Run {
			return
		}
		assert.NotContains(t, step.Uses, "./", "the role comes later")
	}
}
