// Package template tests the way of the program into a project of one's own: pulumi new, the names, an upgrade. Its
// commands are those of docs/how-to/new-project.md and upgrade.md.
package template

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/plan"
	"threetier/gate/project"
	"threetier/internal/version"
)

// sample is the organisation of the samples. Written in one word, bin/names would replace it here too.
const sample = "ac" + "me"

// command is one of a user who has git, the Pulumi CLI and no account anywhere.
func command(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	private := t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(project.Root(), ".local", "bin")+":"+os.Getenv("PATH"),
		"PULUMI_HOME="+private, "PULUMI_BACKEND_URL=file://"+private, "PULUMI_CONFIG_PASSPHRASE=", "PULUMI_SKIP_UPDATE_CHECK=true",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@localhost", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@localhost")
	return cmd
}

// bash runs a script and returns what it said.
func bash(t *testing.T, dir, script string) (string, error) {
	t.Helper()
	out, err := command(t, dir, "bash", "-euc", script).CombinedOutput()
	return string(out), err
}

func must(t *testing.T, dir, script string) string {
	t.Helper()
	out, err := bash(t, dir, script)
	require.NoError(t, err, "%s\n%s", script, out)
	return out
}

// upstream is a clone of this repository with everything that isn't committed yet.
func upstream(t *testing.T) string {
	t.Helper()
	name, err := project.Name(project.Root())
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(project.Root(), ".names")); err == nil || name != "threetier" {
		t.Skip("SKIPPED: wants threetier itself, this is a project that was made from it")
	}
	dir := filepath.Join(t.TempDir(), "upstream")
	list, err := exec.Command("git", "-C", project.Root(), "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(project.Root(), name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(project.Root(), name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, info.Mode()))
	}
	must(t, dir, "git init --quiet --initial-branch main && git add --all && git commit --quiet --message threetier")
	return dir
}

// blocks are the commands of the two pages, with a folder as the repository, and without the builds of make plan: what it
// accepts is asked of the plan.
func blocks(t *testing.T, repository string) []string {
	t.Helper()
	var text string
	for _, name := range []string{"new-project.md", "upgrade.md"} {
		page, err := os.ReadFile(filepath.Join(project.Root(), "docs", "how-to", name))
		require.NoError(t, err)
		text += string(page)
	}
	var all []string
	for _, match := range regexp.MustCompile("(?ms)^```console\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		script := strings.ReplaceAll(match[1], "https://github.com/OWNER/threetier", repository)
		all = append(all, `make() { [ "$1" = plan ] && date >tests/plan/made || command make --no-print-directory "$@"; }`+"\n"+script)
	}
	require.Len(t, all, 3)
	return all
}

// made is the project of the page's first commands.
func made(t *testing.T, repository string) string {
	t.Helper()
	if _, err := bash(t, repository, "command -v pulumi && command -v pulumi-language-go"); err != nil {
		t.Skip("SKIPPED: wants the Pulumi CLI with its Go language host, which make up gets")
	}
	work := t.TempDir()
	must(t, work, blocks(t, repository)[0])
	return filepath.Join(work, "shop")
}

// plans builds the plan of each stack of a project, as make plan does.
func plans(t *testing.T, root string) map[string]string {
	t.Helper()
	stacks, err := project.Stacks(root)
	require.NoError(t, err)
	all := map[string]string{}
	for _, stack := range stacks {
		planned, err := plan.Build(root, stack)
		require.NoError(t, err)
		text, err := planned.Text()
		require.NoError(t, err)
		all[stack] = string(text)
	}
	return all
}

// files are those of a folder that git would keep, with their content and whether they can be run.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && entry.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		name, err := filepath.Rel(root, path)
		require.NoError(t, err)
		all[name] = string(text)
		if info.Mode()&0o100 != 0 {
			all[name] += "\nexecutable"
		}
		return nil
	}))
	return all
}

func replace(t *testing.T, root, name, old, with string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(text, []byte(old)), "%s in %s", old, name)
	require.NoError(t, os.WriteFile(filepath.Join(root, name), bytes.Replace(text, []byte(old), []byte(with), 1), 0o600))
}

func TestNewProjectIsTheProgramUnderAnotherName(t *testing.T) {
	repository := upstream(t)
	root := made(t, repository)
	loaded, err := workspace.LoadProject(filepath.Join(root, "Pulumi.yaml"))
	require.NoError(t, err)
	assert.Equal(t, "shop", loaded.Name.String())
	assert.Nil(t, loaded.Template)

	must(t, root, "git checkout --quiet HEAD^") // before the names
	copied, want := files(t, root), files(t, repository)
	delete(copied, "Pulumi.yaml")
	delete(want, "Pulumi.yaml")
	assert.Equal(t, want, copied)
	all := plans(t, root)
	assert.Len(t, all, 4, "dev, prod, full and pr-1")
	assert.Contains(t, all["dev"], "namespace: shop-dev\n")
	assert.Contains(t, all["prod"], "identifier: shop-prod-database\n")
}

func TestTemplateAsksForFlatKeysOnly(t *testing.T) {
	loaded, err := workspace.LoadProject(filepath.Join(project.Root(), "Pulumi.yaml"))
	require.NoError(t, err)
	if loaded.Template == nil {
		return // a project that was made from the template
	}
	assert.Len(t, loaded.Template.Config, 1)
	region := loaded.Template.Config["aws:region"]
	assert.NotEmpty(t, region.Description)
	dev, err := project.StackConfig(t, "dev").Text("aws:region")
	require.NoError(t, err)
	assert.Equal(t, dev, region.Default)
}

const names = "ORG=initech REPO=hooli/store SUBJECT=repo:hooli@12/store@345 ACCOUNT=210987654321 DOMAIN=initech.example MODULE=initech.example/shop"

func TestNamesOfTheSamplesAreReplacedEverywhere(t *testing.T) {
	root := upstream(t)
	must(t, root, "make names "+names)
	left, _ := bash(t, root, `git grep -lwE '`+sample+`|1234567890`+`12|example\.org' -- . ':!bin/names' ':!docs/how-to/new-project.md'`)
	assert.Empty(t, left)
	planned := plans(t, root)["prod"]
	assert.Contains(t, planned, "image: ghcr.io/initech/backend:1.0.0")
	assert.Contains(t, planned, "arn:aws:sns:eu-west-1:210987654321:initech-prod-alerts")
	trust, err := os.ReadFile(filepath.Join(root, "docs", "iam", "trust-deploy-prod.json"))
	require.NoError(t, err)
	assert.Contains(t, string(trust), `"token.actions.githubusercontent.com:sub": "repo:hooli@12/store@345:environment:prod"`)
	owners, err := os.ReadFile(filepath.Join(root, ".github", "CODEOWNERS"))
	require.NoError(t, err)
	assert.Contains(t, string(owners), "\n* @hooli/maintainers\n", "a team of the repository's owner")
	for _, module := range []string{".", "local"} {
		packages := must(t, filepath.Join(root, module), "GOFLAGS=-mod=mod go list -deps -test ./... | grep -c ^initech.example/shop")
		assert.NotEqual(t, "0", strings.TrimSpace(packages))
	}

	before := files(t, root)
	require.NoError(t, os.WriteFile(filepath.Join(root, "new.go"), []byte("package new\n\nimport _ \"threetier/internal/network\" // "+sample+"\n"), 0o600))
	must(t, root, "make names")
	after := files(t, root)
	assert.Equal(t, "package new\n\nimport _ \"initech.example/shop/internal/network\" // initech\n", after["new.go"])
	delete(after, "new.go")
	assert.Equal(t, before, after, "the same again changes nothing else")
}

// Until the subject is known, the roles trust nobody.
func TestSubjectWithoutItsNumbersIsNobodys(t *testing.T) {
	root := upstream(t)
	must(t, root, "make names REPO=hooli/store")
	for _, subject := range []string{"@OWNER_ID/store@REPO_ID", "/store"} { // of a repository from before July 2026
		trust, err := os.ReadFile(filepath.Join(root, "docs", "iam", "trust-images.json"))
		require.NoError(t, err)
		assert.Contains(t, string(trust), `"token.actions.githubusercontent.com:sub": "repo:hooli`+subject+`:environment:images"`)
		must(t, root, "make names SUBJECT=repo:hooli/store")
	}
}

func TestPoliciesHaveTheNameOfTheProject(t *testing.T) {
	root := upstream(t)
	replace(t, root, "Pulumi.yaml", "name: threetier\n", "name: shop\n")
	must(t, root, "make names ORG=initech")
	policy, err := os.ReadFile(filepath.Join(root, "docs", "iam", "deploy.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(policy), "threetier")
	assert.Contains(t, string(policy), "arn:aws:s3:::initech-pulumi-state/.pulumi/stacks/shop/STACK.*")
	assert.Contains(t, string(policy), "arn:aws:rds:*:123456789012:db:shop-STACK-database*")
	assert.Contains(t, string(policy), `"aws:RequestTag/Project": "shop"`)
	namespace, err := os.ReadFile(filepath.Join(root, "docs", "iam", "namespace.yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(namespace), "name: shop-STACK\n  labels:\n    threetier/project: shop\n    threetier/stack: STACK\n")
}

func TestWrongNamesAreRefusedAndChangeNothing(t *testing.T) {
	root := upstream(t)
	for given, want := range map[string]string{
		"ORG=a/b": "ORG is a/b, want letters, digits and -", "REPO=shop": "REPO is shop, want owner/name",
		"ACCOUNT=12": "ACCOUNT is 12, want 12 digits", "DOMAIN=x": "DOMAIN is x, want a domain, like initech.example",
		"SUBJECT=hooli/store": "SUBJECT is hooli/store, want the repository's sub_claim_prefix, like repo:initech@1/shop@2",
		"MODULE='a b'":        "MODULE is a b, want the path of a Go module, like initech.example/shop",
	} {
		said, err := bash(t, root, "make names "+given)
		require.Error(t, err)
		assert.Contains(t, said, want)
	}
	assert.Empty(t, must(t, root, "git status --porcelain"))
}

func TestUpgradeKeepsWhatBothHaveChanged(t *testing.T) {
	repository := upstream(t)
	root := made(t, repository)
	commands := blocks(t, repository)
	before := files(t, root)
	must(t, root, commands[1])
	assert.Equal(t, before, files(t, root), "to connect changes no file")

	replace(t, root, "Pulumi.prod.yaml", "replicas: { min: 2, max: 10 }", "replicas: { min: 2, max: 8 }")
	must(t, root, "git commit --quiet --all --message 'fewer pods'")
	backend := "ghcr.io/" + sample + "/backend:1"
	replace(t, repository, "Pulumi.prod.yaml", "backupRetentionDays: 14", "backupRetentionDays: 21")
	replace(t, repository, "Pulumi.dev.yaml", backend+".0.0", backend+".1.0")
	replace(t, repository, "tests/plan/dev.yaml", "stack: dev\n", "stack: dev # newer\n")
	replace(t, repository, "Pulumi.yaml", "displayName: ", "displayName: newer, ")
	require.NoError(t, os.WriteFile(filepath.Join(repository, "docs", "new.md"), []byte("the clusters of "+sample+"\n"), 0o600))
	replace(t, repository, "internal/version/version.go", version.Number, "9.1.0")
	replace(t, repository, "CHANGELOG.md", "## "+version.Number+"\n", "## 9.1.0\n\n- the newest\n\n## 9.0.0\n\n- the one before\n\n## "+version.Number+"\n")
	must(t, repository, "git rm --quiet docs/explanation/costs.md docs/how-to/access.md && git add --all && git commit --quiet --message newer")
	said := must(t, root, commands[2])
	assert.Contains(t, said, "from "+version.Number+" to 9.1.0:\n## ")
	assert.Contains(t, said, "## 9.1.0\n\n- the newest\n\n## 9.0.0\n\n- the one before\n\n")
	assert.NotContains(t, said, "### ", "sections that this project has already")

	after := files(t, root)
	assert.Contains(t, after["Pulumi.prod.yaml"], "replicas: { min: 2, max: 8 }")
	assert.Contains(t, after["Pulumi.prod.yaml"], "backupRetentionDays: 21")
	assert.Contains(t, after["Pulumi.dev.yaml"], "ghcr.io/initech/backend:1.1.0")
	assert.Equal(t, "the clusters of initech\n", after["docs/new.md"])
	assert.NotContains(t, after, "docs/explanation/costs.md")
	require.Contains(t, before["docs/how-to/access.md"], "initech")
	assert.NotContains(t, after, "docs/how-to/access.md", "only the names were changed here")
	assert.Equal(t, before["tests/plan/dev.yaml"], after["tests/plan/dev.yaml"], "make plan writes it")
	assert.Equal(t, before["Pulumi.yaml"], after["Pulumi.yaml"])
	assert.Contains(t, plans(t, root)["prod"], "backupRetentionPeriod: 21\n")
	assert.Empty(t, must(t, root, "git status --porcelain"))

	replace(t, root, "Pulumi.prod.yaml", "backupRetentionDays: 21", "backupRetentionDays: 28")
	must(t, root, "git commit --quiet --all --message 'longer backups'")
	replace(t, repository, "Pulumi.prod.yaml", "backupRetentionDays: 21", "backupRetentionDays: 35")
	must(t, repository, "git commit --quiet --all --message newest && cd "+root+" && git fetch --quiet upstream")
	said, err := bash(t, root, "make upgrade FROM=upstream/main")
	require.Error(t, err)
	assert.Contains(t, said, "both have changed, or one has deleted:\nPulumi.prod.yaml\ndecide in these files")
	assert.Contains(t, files(t, root)["Pulumi.prod.yaml"], "<<<<<<<")
}
