package commands

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// github runs bin/github against a repository, which it may change.
func github(t *testing.T, g *fakeGitHub, args ...string) (said string, err error) {
	t.Helper()
	server := httptest.NewServer(g)
	defer server.Close()
	g.Writes = nil
	said, err = run(t, "github", []string{"URL=" + server.URL}, map[string]string{"gh": ghAPI}, args...)
	t.Log(said)
	return said, err
}

var values = []string{
	"AWS_REGION=eu-west-1", "PULUMI_BACKEND_URL=s3://acme-pulumi-state?region=eu-west-1", "PREVIEW_ROLE_ARN=arn:preview-dev",
	"PREVIEWS_ROLE_ARN=arn:previews-dev",
	"PREVIEW_PROD_ROLE_ARN=arn:preview-prod", "DRILL_PROD_ROLE_ARN=arn:drill-prod", "IMAGE_REGISTRY=ghcr.io/acme", "IMAGES_ROLE_ARN=arn:images",
	"dev/DEPLOY_ROLE_ARN=arn:deploy-dev", "prod/DEPLOY_ROLE_ARN=arn:deploy-prod",
}

// done is a repository that was set up.
func done(t *testing.T, g *fakeGitHub) *fakeGitHub {
	t.Helper()
	said, err := github(t, g, append([]string{"setup", "--yes"}, values...)...)
	require.NoError(t, err, said)
	return g
}

func TestRepositoryIsSetUpOnceAndChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fakeGitHub){
		"public":              func(*fakeGitHub) {},
		"private, Enterprise": func(g *fakeGitHub) { g.Visibility, g.Plan = "private", "enterprise" },
		"private, Team":       func(g *fakeGitHub) { g.Visibility, g.Plan = "private", "team" },
		"private, not told":   func(g *fakeGitHub) { g.Visibility, g.Plan, g.TellsPlan = "private", "team", false },
		"private, a person's, on an older server": func(g *fakeGitHub) {
			g.Visibility, g.Plan, g.Owner, g.Permissions.Pinned = "private", "pro", "User", nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGitHub()
			change(g)
			knowsPinning := g.Permissions.Pinned != nil
			done(t, g)
			hasReviewers := g.Visibility == "public" || g.Plan == "enterprise"
			for _, each := range []string{"dev", "preview-prod", "prod", "drill-prod", "images", "previews-dev"} {
				at := g.Environments[each]
				require.NotNil(t, at, each)
				assert.Equal(t, &branchPolicy{Custom: true}, at.Branches)
				require.Len(t, at.Policies, 1)
				assert.Equal(t, "main", at.Policies[0].Name)
				assert.Equal(t, hasReviewers && each == "prod", len(at.Reviewers) > 0, each)
			}
			assert.Equal(t, "arn:deploy-prod", g.Variables["prod/DEPLOY_ROLE_ARN"])
			assert.Equal(t, "arn:preview-prod", g.Variables["/PREVIEW_PROD_ROLE_ARN"])
			assert.Len(t, g.Variables, len(values))
			assert.Contains(t, g.Labels, "preview")
			assert.Equal(t, "read", g.Workflow.Default)
			assert.False(t, *g.Workflow.Approve)
			assert.Equal(t, knowsPinning, g.Permissions.Pinned != nil && *g.Permissions.Pinned)

			said, err := github(t, g, append([]string{"check"}, values...)...)
			require.NoError(t, err)
			assert.Contains(t, said, "acme/shop is as the workflows want it")
			assert.Equal(t, !hasReviewers && g.TellsPlan, strings.Contains(said, "note: prod has no required reviewers"))
			assert.Empty(t, g.Writes)

			before, err := json.Marshal(g)
			require.NoError(t, err)
			said, err = github(t, g, "setup", "--yes") // what isn't given stays
			require.NoError(t, err)
			if g.TellsPlan {
				assert.Empty(t, g.Writes, "the same again changes nothing")
			} else { // whether it may have reviewers is found out by trying
				assert.Equal(t, []string{"PUT repos/acme/shop/environments/prod 422", "PUT repos/acme/shop/environments/prod 200"}, g.Writes)
				assert.Contains(t, said, "note: prod has no required reviewers")
			}
			g.Writes = nil
			after, err := json.Marshal(g)
			require.NoError(t, err)
			assert.JSONEq(t, string(before), string(after))
		})
	}
}

func TestCheckNamesEachDifferenceAndSetupEndsIt(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	rules := func(g *fakeGitHub) *ruleset {
		for _, each := range g.Rulesets {
			return each
		}
		return nil
	}
	for name, test := range map[string]struct {
		change       func(*fakeGitHub)
		mended, left []string
	}{
		"weaker": {change: func(g *fakeGitHub) {
			delete(g.Variables, "/AWS_REGION")
			delete(g.Variables, "prod/DEPLOY_ROLE_ARN")
			g.Environments["drill-prod"].Branches = nil
			g.Environments["dev"].Policies = append(g.Environments["dev"].Policies, policy{98, "*", "branch"}, policy{99, "main", "tag"})
			g.Environments["preview-prod"].Policies = nil
			g.Environments["prod"].Reviewers = nil
			g.Workflow = workflowPermissions{Default: "write", Approve: &yes}
			g.Permissions.Pinned = &no
			r := rules(g)
			r.Enforcement, r.Conditions.Ref.Include, r.Conditions.Ref.Exclude = "disabled", []string{"refs/heads/dev"}, []string{"refs/heads/main"}
			r.Bypass = []map[string]any{{"actor_type": "DeployKey"}}
			r.Rules = r.Rules[:2] // without deletion and force pushes
			g.Branch = "trunk"
			g.OwnersErrors = []map[string]any{{"line": 4, "kind": "Unknown owner", "source": "* @acme/maintainers"}}
		}, mended: []string{
			"Actions: default_workflow_permissions is write, want read",
			"Actions: can_approve_pull_request_reviews is true, want false",
			"Actions: sha_pinning_required is false, want true",
			"environment dev is open to the branch *, want main alone",
			"environment dev is open to the tag main, want main alone",
			"environment drill-prod is for all branches, want main alone",
			"environment preview-prod isn't open to the branch main",
			"environment prod has no required reviewers, want the code owners",
			"variable AWS_REGION isn't set, want AWS_REGION=VALUE",
			"variable prod/DEPLOY_ROLE_ARN isn't set, want prod/DEPLOY_ROLE_ARN=VALUE",
			`ruleset threetier: enforcement is "disabled", want "active"`,
			`ruleset threetier: bypass_actors is [{"actor_type":"DeployKey"}], want []`,
			`ruleset threetier: include is ["refs/heads/dev"], want ["refs/heads/main"]`,
			`ruleset threetier: exclude is ["refs/heads/main"], want []`,
			"ruleset threetier: deletion is null, want true",
			"ruleset threetier: non_fast_forward is null, want true",
		}, left: []string{
			"the default branch is trunk, want main: the workflows deploy main",
			".github/CODEOWNERS on main, line 4: Unknown owner * @acme/maintainers",
		}},
		"gone": {change: func(g *fakeGitHub) {
			delete(g.Environments, "images")
			delete(g.Labels, "preview")
			g.Environments["dev"].Branches = &branchPolicy{Protected: true}
			g.Rulesets = map[int]*ruleset{}
			g.NoOwners = true
		}, mended: []string{
			"environment dev is for all branches, want main alone",
			"environment images is missing",
			"environment images isn't open to the branch main",
			"label preview is missing",
			"ruleset threetier is missing: main takes pushes that nobody reviewed",
		}, left: []string{"main has no .github/CODEOWNERS, want the one of this folder: merge it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := done(t, newGitHub())
			test.change(g)
			said, err := github(t, g, "check")
			require.Error(t, err)
			assert.ElementsMatch(t, append(test.mended, test.left...), strings.Split(strings.TrimSpace(said), "\n"))
			assert.Empty(t, g.Writes)

			_, err = github(t, g, append([]string{"setup", "--yes"}, values...)...)
			require.Error(t, err, "something is left")
			said, err = github(t, g, "check")
			require.Error(t, err)
			assert.ElementsMatch(t, test.left, strings.Split(strings.TrimSpace(said), "\n"))
		})
	}
}

func TestCheckSaysWhichParameterOfARuleDiffers(t *testing.T) {
	t.Parallel()
	g := done(t, newGitHub())
	for _, rules := range g.Rulesets {
		for i, rule := range rules.Rules {
			weaker := strings.NewReplacer(`"require_last_push_approval":true`, `"require_last_push_approval":false`, `{"context":"lint","integration_id":15368},`, "").Replace(string(rule.Parameters))
			if weaker != "" {
				rules.Rules[i].Parameters = json.RawMessage(weaker)
			}
		}
	}
	said, err := github(t, g, "check")
	require.Error(t, err)
	assert.Contains(t, said, "ruleset threetier: require_last_push_approval is false, want true\n")
	assert.Regexp(t, `ruleset threetier: required_status_checks is \[.*\], want \[.*"lint".*\]\n`, said)
	assert.Equal(t, 2, strings.Count(said, "ruleset threetier"), "one line for each")
}

// What is wanted is read from the workflows by the script, and once more here.
func TestVariablesEnvironmentsAndChecksAreThoseOfTheWorkflows(t *testing.T) {
	t.Parallel()
	type job struct {
		Environment string
		Strategy    struct{ Matrix map[string][]string }
	}
	files, err := filepath.Glob(filepath.Join(project.Root(), ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	files = append(files, filepath.Join(project.Root(), ".github", "actions", "pulumi", "action.yml"))
	var environments, checks, variables []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var whole struct{ Jobs map[string]job }
		require.NoError(t, encoding.YAML.Unmarshal(text, &whole))
		for _, match := range regexp.MustCompile(`\bvars\.(\w+)`).FindAllStringSubmatch(string(text), -1) {
			variables = append(variables, match[1])
		}
		for id, each := range whole.Jobs {
			if each.Environment != "" {
				environments = append(environments, each.Environment)
			}
			name := filepath.Base(file)
			if name == "check.yml" || name == "preview.yml" && id == "plan" {
				if len(each.Strategy.Matrix) == 0 {
					checks = append(checks, id)
				}
				for _, value := range each.Strategy.Matrix["target"] {
					checks = append(checks, id+" ("+value+")")
				}
			}
		}
	}
	slices.Sort(variables)
	variables = slices.Compact(variables)

	g := done(t, newGitHub())
	var made []string
	for name := range g.Environments {
		made = append(made, name)
	}
	slices.Sort(environments)
	assert.ElementsMatch(t, slices.Compact(environments), made)
	var required []string
	for _, rules := range g.Rulesets {
		for _, rule := range rules.Rules {
			for _, match := range regexp.MustCompile(`"context":"([^"]+)","integration_id":15368`).FindAllStringSubmatch(string(rule.Parameters), -1) {
				required = append(required, match[1])
			}
		}
	}
	assert.ElementsMatch(t, checks, required)
	assert.Contains(t, required, "test (test-live)")

	said, err := github(t, newGitHub(), "check", "NONE=x")
	require.Error(t, err)
	_, list, _ := strings.Cut(strings.TrimSpace(said), "NONE is read by no workflow, want one of: ")
	var known []string
	for _, each := range strings.Fields(list) {
		known = append(known, each[strings.LastIndex(each, "/")+1:])
	}
	slices.Sort(known)
	assert.Equal(t, variables, slices.Compact(known))
	assert.Contains(t, list, "dev/DEPLOY_ROLE_ARN prod/DEPLOY_ROLE_ARN")
}

func TestSetupAsksAndChangesNothingWithoutYes(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"setup"}, {"setup", "--dry-run"}, {"check"}} {
		g := newGitHub()
		said, err := github(t, g, append(args, values...)...)
		assert.Empty(t, g.Writes, args)
		assert.Contains(t, said, "environment prod is missing")
		if len(args) == 2 {
			require.NoError(t, err)
			assert.Contains(t, said, `gh api --method POST repos/acme/shop/environments/prod/variables --input - <<<'{"name":"DEPLOY_ROLE_ARN","value":"arn:deploy-prod"}'`)
			continue
		}
		require.Error(t, err)
	}
}

func TestSetupKeepsWhatTheTeamHasAdded(t *testing.T) {
	t.Parallel()
	g := newGitHub()
	g.Environments["preview-prod"] = &environment{Wait: 5, PreventOwn: true, Reviewers: []reviewer{{"User", 3}}}
	g.Permissions.Allowed = "selected"
	done(t, g)
	assert.Equal(t, 5, g.Environments["preview-prod"].Wait)
	assert.Equal(t, []reviewer{{"User", 3}}, g.Environments["preview-prod"].Reviewers)
	assert.True(t, g.Environments["preview-prod"].PreventOwn)
	assert.Equal(t, "selected", g.Permissions.Allowed)
}

func TestPrivateRepositoryOnGitHubFreeSaysWhatIsRefused(t *testing.T) {
	t.Parallel()
	g := newGitHub()
	g.Visibility, g.Owner = "private", "User"
	said, err := github(t, g, append([]string{"setup", "--yes"}, values...)...)
	require.Error(t, err)
	assert.Contains(t, said, "left to you: main has no ruleset: "+upgrade)
	assert.Contains(t, said, "PUT repos/acme/shop/environments/prod: GitHub refuses it: "+upgrade)
	assert.NotContains(t, said, "is as the workflows want it")
	assert.Equal(t, "eu-west-1", g.Variables["/AWS_REGION"], "what isn't refused is set")
}

func TestReviewersAreTheCodeOwners(t *testing.T) {
	t.Parallel()
	g := newGitHub()
	g.Teams = nil
	said, err := github(t, g, append([]string{"setup", "--yes"}, values...)...)
	require.Error(t, err)
	assert.Contains(t, said, "note: the code owner @acme/maintainers isn't found")
	assert.Contains(t, said, "left to you: environment prod has no required reviewers, want the code owners: name a team or a person in .github/CODEOWNERS")
}

func TestOnePersonCanMerge(t *testing.T) {
	t.Parallel()
	g := done(t, newGitHub())
	_, err := github(t, g, "setup", "--yes", "--alone")
	require.NoError(t, err)
	_, err = github(t, g, "check", "--alone")
	require.NoError(t, err)
	said, err := github(t, g, "check")
	require.Error(t, err)
	assert.Contains(t, said, "required_approving_review_count is 0, want 1")
}

func TestValuesComeFromAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "values.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"AWS_REGION": "eu-west-1", "prod/DEPLOY_ROLE_ARN": "arn:prod's"}`), 0o600))
	g := newGitHub()
	_, err := github(t, g, "setup", "--yes", "--from", file, "AWS_REGION=eu-north-1")
	require.Error(t, err, "the others are missing")
	assert.Equal(t, "arn:prod's", g.Variables["prod/DEPLOY_ROLE_ARN"])
	assert.Equal(t, "eu-north-1", g.Variables["/AWS_REGION"])
}

func TestOnlyAnAdministratorIsAsked(t *testing.T) {
	t.Parallel()
	g := newGitHub()
	g.Admin = false
	said, err := github(t, g, "setup", "--yes")
	require.Error(t, err)
	assert.Contains(t, said, "the repository is acme/shop, want one whose administrator is logged in: gh auth status")
	assert.Empty(t, g.Writes)
}
