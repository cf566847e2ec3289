package workflows

import (
	"fmt"
	"maps"
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

// workflows are all of them, by the name of their file.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(folder("workflows", "*"))
	require.NoError(t, err)
	all := map[string]workflow{}
	for _, file := range files {
		all[filepath.Base(file)] = read(t, filepath.Base(file))
	}
	return all
}

// expanded are the job's steps, with those of the project's own actions in their place.
func (j job) expanded(t *testing.T) []step {
	t.Helper()
	var all []step
	for _, each := range j.Steps {
		path, isOwn := strings.CutPrefix(each.Uses, "./.github/")
		if !isOwn {
			all = append(all, each)
			continue
		}
		text, err := os.ReadFile(folder(path, "action.yml"))
		require.NoError(t, err)
		var action struct {
			Runs struct{ Steps []step }
		}
		require.NoError(t, encoding.YAML.Unmarshal(text, &action))
		require.NotEmpty(t, action.Runs.Steps)
		for _, inner := range action.Runs.Steps {
			if role := inner.With["role-to-assume"]; role == "${{ inputs.role }}" {
				inner.With["role-to-assume"] = each.With["role"]
			}
			all = append(all, inner)
		}
	}
	return all
}

// mayWrite says that the job's token or its OIDC token can change anything. The jobs of a workflow that it calls are judged
// by themselves.
func (j job) mayWrite() bool {
	return j.Uses == "" && slices.ContainsFunc(slices.Collect(maps.Values(j.Permissions)), func(right string) bool { return right != "read" && right != "none" })
}

// What a job without permissions of its own gets is its workflow's, and without that the repository's setting.
func TestEveryJobSaysWhatItMay(t *testing.T) {
	for name, each := range workflows(t) {
		assert.NotNil(t, each.Permissions, name)
		for scope, right := range each.Permissions {
			assert.Equal(t, "read", right, "%s: %s is for single jobs", name, scope)
		}
	}
}

// What others wrote runs in jobs that may change nothing: packages of the apps, tests, caches that such jobs fill, images.
// The program itself is the exception: to preview and deploy a stack is to run it, with its modules.
func TestAJobThatMayWriteRunsNothingElseThanItsTask(t *testing.T) {
	actions := map[string]map[string]any{
		"actions/checkout":                      {"persist-credentials": false},
		"actions/setup-go":                      {"cache": false},
		"actions/download-artifact":             {"name": nil, "pattern": nil}, // by its id: other jobs may take a name
		"actions/upload-artifact":               nil,
		"actions/attest-build-provenance":       nil,
		"aws-actions/configure-aws-credentials": nil,
		"pulumi/actions":                        {"command": nil},
	}
	runs := []string{
		".github/scripts/preview dev plan", ".github/scripts/preview dev summaries", ".github/scripts/apply dev plan",
		".github/scripts/preview prod plan", ".github/scripts/approved prod", ".github/scripts/apply prod plan",
		`aws eks update-kubeconfig --name "$(pulumi config get --stack prod --path threetier:cluster.eks)"`, "make drill STACK=prod",
		`cat drill-prod.md >>"$GITHUB_STEP_SUMMARY"`,
		`.github/scripts/push "$FOLDER" "$REPOSITORY" image/image.tar`, `.github/scripts/propose dev pinned "$BACKEND" "$FRONTEND"`,
		`.github/scripts/comment "$HEAD_OWNER" "$HEAD_BRANCH" "$HEAD_SHA"`, ".github/scripts/release",
		`gh api --silent --method DELETE "repos/$GH_REPO/issues/$NUMBER/labels/preview"`, `.github/scripts/push-preview "$NUMBER" "$SHA" "$RUN"`,
		`aws eks update-kubeconfig --name "$(pulumi config get --stack dev --path threetier:cluster.eks)"`, `.github/scripts/preview-up "$SHA"`,
		"make preview-down", ".github/scripts/sweep", `.github/scripts/tell "$HEAD_SHA" "$URL"`,
	}
	var judged []string
	for name, each := range workflows(t) {
		for id, job := range each.Jobs {
			if !job.mayWrite() {
				continue
			}
			at := name + ", " + id
			judged = append(judged, at)
			assert.Nil(t, job.Container, at)
			assert.Nil(t, job.Services, at)
			for _, step := range job.expanded(t) {
				action, _, _ := strings.Cut(step.Uses, "@")
				with, isKnown := actions[action]
				assert.True(t, isKnown || action == "", "%s uses %s", at, action)
				for input, value := range with {
					assert.Equal(t, value, step.With[input], "%s: %s of %s", at, input, action)
				}
				assert.True(t, step.Uses != "" || slices.Contains(runs, step.Run), "%s runs %s", at, step.Run)
			}
		}
	}
	assert.ElementsMatch(t, []string{
		"comment.yml, comment", "deploy.yml, dev", "deploy.yml, preview-prod", "deploy.yml, prod", "drill.yml, prod",
		"image.yml, push", "images.yml, propose", "preview.yml, preview",
		"previews.yml, unlabel", "previews.yml, push", "previews.yml, up", "previews.yml, tell", "previews.yml, down", "previews.yml, sweep",
		"release.yml, tag",
	}, judged)
	for _, script := range []string{"push", "propose", "comment", "release", "push-preview", "tell"} {
		text, err := os.ReadFile(folder("scripts", script))
		require.NoError(t, err)
		code := regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(string(text), "")
		assert.NotRegexp(t, `(?m)(^|[|;&({!]|\b(if|then|do|else))\s*(npm|npx|node|docker|podman|buildah|make|go|python3?|pip|curl|wget|eval|source|bash|sh|\.)\s`, code, script)
	}
}

// subject is the end of the subject of the job's OIDC token.
// https://docs.github.com/en/actions/reference/security/oidc: the environment's where there is one, or the event's.
func subject(t *testing.T, each workflow, job job) string {
	t.Helper()
	if job.Environment != "" {
		return "environment:" + job.Environment
	}
	require.Equal(t, []string{"pull_request"}, slices.Collect(maps.Keys(each.On)), "all jobs of a branch have one subject, want an environment")
	return "pull_request"
}

func TestEveryRoleIsAssumedByTheJobWhoseSubjectItTrusts(t *testing.T) {
	var page string
	for _, name := range []string{"roles.md", "continuous-deployment.md"} {
		text, err := os.ReadFile(filepath.Join(project.Root(), "docs", "how-to", name))
		require.NoError(t, err)
		page += string(text)
	}
	// They say of which role a variable is, and whom each role trusts.
	roleOf := map[string]string{}
	for _, match := range regexp.MustCompile("`(\\w+_ROLE_ARN)` \\(of `threetier-([a-z-]+)`").FindAllStringSubmatch(page, -1) {
		roleOf[match[1]] = match[2]
	}
	listed := regexp.MustCompile("(?m)^\\| `threetier-([a-z-]+)` \\|[^|]*\\| \\[trust-([a-z-]+)\\.json\\]").FindAllStringSubmatch(page, -1)
	assert.Len(t, listed, 7)
	for _, match := range listed {
		assert.Equal(t, match[1], match[2], "the role and its trust policy")
	}

	var assumed []string
	for name, each := range workflows(t) {
		for id, job := range each.Jobs {
			for _, step := range job.expanded(t) {
				variable, isRole := step.With["role-to-assume"].(string)
				if !isRole {
					continue
				}
				variable = strings.TrimSuffix(strings.TrimPrefix(variable, "${{ vars."), " }}")
				role := roleOf[variable]
				if variable == "DEPLOY_ROLE_ARN" { // each environment has its own
					role = "deploy-" + job.Environment
				}
				assumed = append(assumed, role)
				text, err := os.ReadFile(filepath.Join(project.Root(), "docs", "iam", "trust-"+role+".json"))
				require.NoError(t, err, "%s, %s: %s", name, id, variable)
				assert.Contains(t, string(text), `@REPO_ID:`+subject(t, each, job)+`"`, "%s, %s", name, id)
			}
		}
	}
	slices.Sort(assumed)
	assert.Equal(t, []string{"deploy-dev", "deploy-prod", "drill-prod", "images", "preview-dev", "preview-prod", "previews-dev"}, slices.Compact(assumed))
}

const token = "the-token-of-somebody"

// runner is what a job has given the command of one of its steps: its environment, and files in the stage's home and
// checkout. Tokens and keys are the value token.
func (s *stage) runner(each workflow, job job, run step) []string {
	env := map[string]string{}
	for scope, right := range job.Permissions {
		if scope == "id-token" && right == "write" {
			env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], env["ACTIONS_ID_TOKEN_REQUEST_URL"] = token, "https://"+token
		}
	}
	secret := regexp.MustCompile(`\$\{\{[^}]*(github\.token|secrets\.)[^}]*\}\}`)
	give := func(values map[string]any) {
		for key, value := range values {
			env[key] = secret.ReplaceAllString(fmt.Sprint(value), token)
		}
	}
	give(each.Env)
	give(job.Env)
	for _, step := range job.expanded(s.t) {
		if step.Run == run.Run && run.Run != "" {
			break
		}
		action, _, _ := strings.Cut(step.Uses, "@")
		switch {
		case action == "actions/checkout":
			if step.With["persist-credentials"] != false {
				s.git("config http.https://github.com/.extraheader " + token)
			}
		case action == "aws-actions/configure-aws-credentials":
			env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"] = token, token, token
		case strings.Contains(action, "login") || strings.Contains(step.Run, "login"):
			s.write(".docker/config.json", token)
		case action == "actions/setup-node" || action == "docker/setup-qemu-action": // they ask for no token
		default:
			assert.Fail(s.t, "what "+action+step.Run+" leaves behind isn't known here")
		}
	}
	give(run.Env)
	var list []string
	for key, value := range env {
		list = append(list, key+"="+value)
	}
	return list
}

// A package of the page, or one that the Dockerfile installs, looks for what it can take.
func TestPackagesOfTheAppsFindNoToken(t *testing.T) {
	for name, id := range map[string]string{"image.yml": "build", "build.yml": "image"} {
		s := apps(t)
		s.write("apps/backend/package.json", "{}")
		s.git("add . && git -c user.name=a -c user.email=a@localhost commit --quiet --message page")
		look := `{ env; cat .git/config "$HOME"/.docker/* "$HOME"/.aws/* "$HOME"/.npmrc "$HOME"/.netrc "$XDG_RUNTIME_DIR"/containers/*; } >>` + s.file("loot") + ` 2>/dev/null; true`
		s.command("npm", look)
		s.command("docker", look)
		file := read(t, name)
		build := file.Jobs[id]
		step := build.script(t, "build")
		assert.Equal(t, `build "$FOLDER" "$REPOSITORY" dev image`, step.called(), name)
		s.env = s.runner(file, build, step)
		require.Zero(t, s.run("build", "apps/backend", backend, "dev", "image"))
		assert.Contains(t, s.text("calls"), "npm --prefix apps/backend run build\n")
		assert.Contains(t, s.text("calls"), "docker buildx build ")
		loot := s.text("loot")
		assert.Contains(t, loot, "REPOSITORY=", "it has looked")
		assert.Contains(t, loot, "[core]", "also into the checkout")
		assert.NotContains(t, loot, token)
		assert.NotRegexp(t, `(?m)^(AWS_|ACTIONS_|GH_TOKEN|GITHUB_TOKEN|NODE_AUTH_TOKEN)`, loot)
		assert.Empty(t, build.Environment, "an environment's secrets and subject are for jobs that run no packages")
	}
}

// Any job of a run may give its artifact any name, so the name proves nothing.
func TestWhatAJobHandsOnIsTakenByItsID(t *testing.T) {
	id := regexp.MustCompile(`^\$\{\{ needs\.([\w-]+)\.outputs\.(\w+) \}\}$`)
	taken := 0
	for name, file := range workflows(t) {
		for at, job := range file.Jobs {
			for _, each := range job.Steps {
				if !strings.HasPrefix(each.Uses, "actions/download-artifact@") {
					continue
				}
				taken++
				match := id.FindStringSubmatch(fmt.Sprint(each.With["artifact-ids"]))
				require.NotNil(t, match, "%s, %s", name, at)
				from := file.Jobs[match[1]]
				output := regexp.MustCompile(`^\$\{\{ steps\.(\w+)\.outputs\.artifact-id \}\}$`).FindStringSubmatch(from.Outputs[match[2]])
				require.NotNil(t, output, "%s, %s", name, match[1])
				assert.True(t, slices.ContainsFunc(from.Steps, func(s step) bool {
					return s.ID == output[1] && strings.HasPrefix(s.Uses, "actions/upload-artifact@")
				}), "%s, %s", name, match[1])
			}
		}
	}
	assert.Equal(t, 4, taken)
}
