//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"threetier/gate/plan"
)

var (
	console  = regexp.MustCompile("(?ms)^```console\n(.*?)^```")
	provider = regexp.MustCompile(` +--secrets-provider '[^']*'`)
	onStack  = regexp.MustCompile(`--stack (\w+)`)
)

// commandBlocks are the commands of a page of docs, block by block.
func commandBlocks(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range console.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// The commands of the pages that edit a stack config are run by Pulumi's own command line, and the program takes what
// they write.
func TestDocumentedEditsOfAConfigAreTakenByTheProgram(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "[ho]*", "*.md")) // how-to and operate
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, file := range pages {
		page, err := filepath.Rel(filepath.Join(root, "docs"), file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(page, func(t *testing.T) {
			dir := t.TempDir()
			must(t, "mkdir %[1]s/state && cp Pulumi.yaml Pulumi.*.yaml %[1]s", dir)
			run := func(command string) {
				t.Helper()
				cmd := exec.Command("bash", "-c", command)
				cmd.Dir, cmd.Stdin = dir, strings.NewReader("typed in")
				cmd.Env = append(os.Environ(), "PATH="+filepath.Join(root, ".local", "bin")+":"+os.Getenv("PATH"), "PULUMI_HOME="+dir+"/home",
					"PULUMI_BACKEND_URL=file://"+dir+"/state", "PULUMI_CONFIG_PASSPHRASE=of the test", "PULUMI_SKIP_UPDATE_CHECK=true")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
			}
			run("pulumi stack init prod")
			for _, block := range commandBlocks(t, page) {
				edited := ""
				for command := range strings.Lines(block) {
					switch {
					case strings.HasPrefix(command, "cp Pulumi."), strings.HasPrefix(command, "pulumi stack init prod2"):
						// The state is in a folder here, and has no key management service.
						run(provider.ReplaceAllString(command, ""))
					case strings.HasPrefix(command, "pulumi config "):
						edited = onStack.FindStringSubmatch(command)[1]
						file := filepath.Join(dir, "Pulumi."+edited+".yaml")
						before := must(t, "cat %s", file)
						run(command)
						if must(t, "cat %s", file) == before {
							t.Errorf("%s changes nothing", command)
						}
						all++
					}
				}
				if edited == "" {
					continue
				}
				if _, err := plan.Build(dir, edited); err != nil {
					t.Errorf("after %s the program says: %v", block, err)
				}
			}
		})
	}
	const least = 10
	if all < least {
		t.Errorf("%d commands that edit a config were found, want %d or more", all, least)
	}
}
