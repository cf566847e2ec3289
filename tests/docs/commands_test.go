package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// console is a block of commands, with the comment before it that says why it isn't run.
var console = regexp.MustCompile("(?ms)(?:<!-- (not run: [^\n]+) -->\n)?^ *```(?:console|sh|bash)\n(.*?)^ *```")

// everything is the world of somebody whose stacks run.
func everything() map[string]bool {
	known := map[string]bool{"state": true, "database": true, "bucket acme-pulumi-state": true, "role threetier-images": true, "role acme-developers": true}
	for _, stack := range []string{"dev", "prod"} {
		for _, fact := range []string{"stack ", "platform ", "up ", "cluster acme-", "context acme-", "alias/pulumi-"} {
			known[fact+stack] = true
		}
		known["named "+stack+" backend"], known["named "+stack+" frontend"] = true, true
	}
	for _, copied := range []string{"stack prod2", "cluster acme-prod2", "named prod2 backend", "named prod2 frontend"} { // a copy of prod's config
		known[copied] = true
	}
	return known
}

// checkout is a copy of what the commands of the pages read, with git's own knowledge of it.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := `cp -r docs bin platform Makefile Pulumi.*.yaml Pulumi.yaml "$1" && mkdir -p "$1/tests" && cp -r tests/plan "$1/tests/" &&
		cp *.md "$1" && mkdir -p "$1/local" && cp local/*.md "$1/local" && cd "$1" && rm bin/local bin/account && git init --quiet`
	cmd := exec.Command("sh", "-euc", script, "sh", dir)
	cmd.Dir = project.Root()
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	return dir
}

// tools are those that the pages use and this machine need not have; of sed, the one of macOS.
var tools = []string{"aws", "curl", "docker", "gh", "git", "kubectl", "make", "pulumi", "sed"}

var stubs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stubs")
	if err != nil {
		return "", err
	}
	said, err := exec.Command("go", "build", "-o", filepath.Join(dir, "stub"), "./stub").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	for _, tool := range tools {
		if err := os.Symlink("stub", filepath.Join(dir, tool)); err != nil {
			return "", err
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := stubs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// inWorld runs a script in a checkout, with stubs of the tools that know what exists.
func inWorld(t *testing.T, dir, script string, known map[string]bool, env ...string) error {
	t.Helper()
	bin, err := stubs()
	require.NoError(t, err)
	for _, own := range []string{"local", "account"} {
		require.NoError(t, os.Symlink(filepath.Join(bin, "stub"), filepath.Join(dir, "bin", own)))
	}
	home := t.TempDir()
	file := filepath.Join(home, "world")
	text, err := json.Marshal(known)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	// What a page says once for all of its commands.
	cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + home, "WORLD=" + file, "ORG=acme",
		"NS=threetier-prod", "DB=threetier-prod-database", "URL=https://shop.example.org", "SIGNING_KEY=key"}, env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// commands are those of a page of a checkout, in their order. It has no folder of another checkout.
func commands(t *testing.T, dir, page string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(dir, page))
	require.NoError(t, err)
	script := ""
	for _, block := range console.FindAllStringSubmatch(string(source), -1) {
		if block[1] == "" {
			script += regexp.MustCompile(`(?m)^ *cd \w+$`).ReplaceAllString(block[2], "") + "\n"
		}
	}
	return script
}

var signedIn = []string{"AWS_PROFILE=admin", "AWS_REGION=eu-west-1"}

// Nothing exists before the first command but the tools: each command finds what the ones before it have made. The page is
// read in a checkout that has other names than the samples'.
func TestCommandsOfTheFirstDeployRunInTheirOrder(t *testing.T) {
	if _, err := os.Stat(filepath.Join(project.Root(), ".names")); err == nil {
		t.Skip("SKIPPED: wants the samples' names, this project has names of its own")
	}
	const page = "docs/tutorials/first-deploy-to-aws.md"
	dir := checkout(t)
	given := regexp.MustCompile(`make names (ORG=initech .*)`).FindStringSubmatch(commands(t, dir, page))
	require.NotNil(t, given)
	names := exec.Command("sh", "-c", given[1]+" bin/names")
	names.Dir = dir
	said, err := names.CombinedOutput()
	require.NoError(t, err, string(said))
	script := commands(t, dir, page)
	require.NotContains(t, script, "ac"+"me")
	require.NoError(t, inWorld(t, dir, script, map[string]bool{}, "ORG=initech"))
}

// All other pages are for somebody whose stacks run. Each block is run, or says why not.
func TestCommandsOfEveryPageAreKnown(t *testing.T) {
	for name := range pages(t) {
		if name == "docs/tutorials/first-deploy-to-aws.md" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := checkout(t)
			assert.NoError(t, inWorld(t, dir, commands(t, dir, name), everything(), signedIn...))
		})
	}
}

// The stubs can tell a wrong order: each of these was once on a page.
func TestStubsRefuseWhatIsNotThereYet(t *testing.T) {
	for command, want := range map[string]string{
		"aws iam put-role-policy --role-name threetier-deploy-dev": "want role threetier-deploy-dev",
		"bin/account remove": "want stack dev",
		"bin/account create && pulumi -C platform up --stack dev && bin/account remove":                                                   "want no cluster acme-dev",
		"bin/account create && make images STACK=dev":                                                                                     "want cluster acme-dev",
		"bin/account create && pulumi -C platform up --stack dev && pulumi up --stack dev":                                                "want named dev backend",
		"bin/account create && pulumi -C platform up --stack dev && pulumi -C platform destroy --stack dev":                               "want images may go",
		"bin/account create && pulumi -C platform up --stack dev && make images STACK=dev && pulumi up --stack dev && bin/account remove": "want no up dev",
		"aws iam create-policy --policy-name threetier-apps --policy-document file://boundary.json":                                       "boundary.json: no such file",
		"AWS_REGION= aws sts get-caller-identity":                                                                                         "no profile or no region",
		"pulumi up --stack dev":                                  "want stack dev",
		"bin/account create && pulumi stack rm dev":              "no such command is known",
		`sed 's/\(acme\|pulumi\)-STACK/x/' docs/iam/deploy.json`: "only GNU's sed knows",
		"kubectl --namespace x rollout undo deployment y":        "no such command is known",
	} {
		known := map[string]bool{"context any": true}
		assert.ErrorContains(t, inWorld(t, checkout(t), command, known, signedIn...), want, command)
	}
}
