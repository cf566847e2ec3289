package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/gate/project"
	"threetier/internal/stack"
)

func source(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project.Root(), name))
	require.NoError(t, err)
	return string(text)
}

// first is the first group of a pattern in a file.
func first(t *testing.T, name, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(source(t, name))
	require.NotNil(t, match, "%s has no %s", name, pattern)
	return match[1]
}

// What the local node wants of a machine stands in the README as the program asks for it.
func TestMachineOfTheReadmeIsThatOfTheProgram(t *testing.T) {
	readme := pages(t)["README.md"]
	gigabytes := func(name string) string {
		return first(t, "local/internal/machine/machine.go", name+` = (\d+)`) + " GiB"
	}
	for _, row := range []string{
		"| Go | " + first(t, "go.mod", `(?m)^go (\d+\.\d+)`) + " or later;",
		"| Node.js | " + first(t, "apps/frontend/package.json", `"node": ">=([\d.]+)"`) + " or later;",
		"| disk | " + gigabytes("DiskGiB") + " free |",
		"| memory | " + gigabytes("MemoryGiB") + " |",
		"| user | root,",
	} {
		assert.Contains(t, readme, row)
	}
	assert.Contains(t, source(t, "bin/local"), "want Go "+first(t, "go.mod", `(?m)^go (\d+\.\d+)`)+" or later")
	assert.LessOrEqual(t, len(strings.Fields(readme)), 600, "words")
}

// The versions that pages name are those that the project runs.
func TestVersionsOfThePagesAreThoseThatRun(t *testing.T) {
	kubernetes := first(t, "local/tools/kubernetes/go.mod", `k8s\.io/kubernetes v(\d+\.\d+)`)
	pulumi := first(t, ".github/actions/pulumi/action.yml", `pulumi-version: (\S+)`)
	for page, words := range map[string][]string{
		"docs/reference/requirements.md": {"| " + kubernetes + ", on the local node |", "the workflows use " + pulumi + ")"},
		"docs/how-to/gitlab.md":          {"golang:" + first(t, "go.mod", `(?m)^go (\d+\.\d+)`) + "-", "--version " + pulumi, "/dist/v" + first(t, ".github/workflows/check.yml", `node-version: (\d+)`) + "."},
	} {
		for _, word := range words {
			assert.Contains(t, pages(t)[page], word, page)
		}
	}
}

// Each package that make up may install is one of those that the first tutorial counts.
func TestNumberOfPackagesIsThatOfTheProgram(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(project.Root(), "local/internal/tools/packages.go"), nil, 0)
	require.NoError(t, err)
	packages := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		pair, isPair := node.(*ast.KeyValueExpr)
		if !isPair {
			return true
		}
		if key, isText := pair.Key.(*ast.BasicLit); !isText || key.Value != `"up"` {
			return true
		}
		for _, need := range pair.Value.(*ast.CompositeLit).Elts {
			packages[need.(*ast.CompositeLit).Elts[0].(*ast.BasicLit).Value] = true
		}
		return false
	})
	require.NotEmpty(t, packages)
	assert.Contains(t, pages(t)["docs/tutorials/on-your-machine.md"], fmt.Sprintf("up to %d Debian packages", len(packages)))
}

// The page of the commands is make help.
func TestPageOfTheCommandsIsThatOfTheMakefile(t *testing.T) {
	var want, have []string
	group := ""
	for line := range strings.Lines(source(t, "Makefile")) {
		if title, isGroup := strings.CutPrefix(line, "##@ "); isGroup {
			group = strings.TrimSpace(title)
		}
		if match := regexp.MustCompile(`^([a-z-]+):.*## (.*)\n`).FindStringSubmatch(line); match != nil && match[1] != "help" {
			require.NotEmpty(t, group, match[1])
			want = append(want, group+": | `make "+match[1]+"` | "+match[2]+" |")
		}
	}
	for line := range strings.Lines(pages(t)["docs/reference/commands.md"]) {
		if title, isGroup := strings.CutPrefix(line, "## "); isGroup {
			group = strings.TrimSpace(title)
		}
		if strings.HasPrefix(line, "| `make ") {
			have = append(have, group+": "+strings.TrimSpace(line))
		}
	}
	assert.Equal(t, want, have)
}

func TestEveryOutputIsOnItsPage(t *testing.T) {
	var want, have []string
	for _, output := range stack.Outputs {
		want = append(want, output.Name+": "+output.Doc)
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| (.+) \\|$").FindAllStringSubmatch(pages(t)["docs/reference/outputs.md"], -1) {
		have = append(have, match[1]+": "+match[2])
	}
	assert.ElementsMatch(t, want, have)
}

func TestEveryVariableOfTheNodeIsOnItsPage(t *testing.T) {
	said, err := exec.Command("git", "-C", project.Root(), "grep", "-hoE", `"THREETIER_[A-Z_]+"`, "--", "local/*.go", ":!*_test.go").Output()
	require.NoError(t, err)
	for _, name := range strings.Fields(string(said)) {
		if name == `"THREETIER_ROOT"` || name == `"THREETIER_ACCOUNT_SOCKET"` { // set by bin/local and by the node for their own programs
			continue
		}
		assert.Contains(t, pages(t)["docs/reference/environment-variables.md"], "`"+strings.Trim(name, `"`)+"`")
	}
}

// Each workflow has a row, and no row is of none.
func TestEveryWorkflowIsOnItsPage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(project.Root(), ".github/workflows/*.yml"))
	require.NoError(t, err)
	var want, have []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".yml"); name != "image" { // a part of images
			want = append(want, name)
		}
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(pages(t)["docs/reference/workflows.md"], -1) {
		have = append(have, match[1])
	}
	assert.ElementsMatch(t, want, have)
}

// The sums of the costs follow from their rows.
func TestSumsOfTheCostsAddUp(t *testing.T) {
	page := pages(t)["docs/explanation/costs.md"]
	number := func(text string) float64 {
		value, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
		require.NoError(t, err, text)
		return value
	}
	_, table, found := strings.Cut(page, "## One stack\n")
	require.True(t, found)
	var dev, prod float64
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.ReplaceAll(line, "*", ""), "|")
		switch {
		case len(cells) < 5 || strings.Contains(line, "---") || strings.Contains(line, "item"):
		case strings.Contains(line, "**total**"):
			assert.InDelta(t, number(cells[2]), dev, 0.001)
			assert.InDelta(t, number(cells[3]), prod, 0.001)
		default:
			dev, prod = dev+number(cells[2]), prod+number(cells[3])
		}
		if strings.Contains(line, "**total**") {
			break
		}
	}
	_, table, found = strings.Cut(page, "## Three whole sums\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| (dev .*)\|$`).FindAllStringSubmatch(table, -1)
	require.Len(t, rows, 3)
	for _, row := range rows {
		cells := strings.Split(row[1], "|")
		stacks := dev
		if strings.HasPrefix(row[1], "dev and prod") {
			stacks += prod
		}
		assert.InDelta(t, stacks, number(cells[1]), 0.001, row[1])
		sum := 0.0
		for _, cell := range cells[1:6] {
			sum += number(cell)
		}
		assert.InDelta(t, sum, number(cells[6]), 0.001, row[1])
	}
}

// make previews reckons with the node of the page of the costs.
func TestPriceOfANodeIsThatOfThePage(t *testing.T) {
	month, err := strconv.ParseFloat(first(t, "docs/explanation/costs.md", `\| a node \| ([\d.]+) \|`), 64)
	require.NoError(t, err)
	day := fmt.Sprintf("%.2f", month*24/730)
	assert.Equal(t, day, first(t, "bin/preview", `node_day=([\d.]+)`))
	assert.Contains(t, pages(t)["docs/explanation/costs.md"], "costs "+day+" a day")
}

// An address that the program, a script or a workflow prints leads to a page, and to a heading of it.
func TestAddressesInTheCodeLeadToAPage(t *testing.T) {
	said, err := exec.Command("git", "-C", project.Root(), "grep", "--untracked", "-hoIE", `(^|[^/a-z]|"[A-Z][a-z ]+" in )docs/[a-z/-]+\.md(#[a-z0-9-]*)?`, "--", ":!tests", ":!docs/iam").Output()
	require.NoError(t, err)
	all := pages(t)
	found := map[string]bool{}
	for line := range strings.Lines(string(said)) {
		found[strings.TrimSpace(line)] = true
	}
	require.Greater(t, len(found), 20)
	for _, address := range slices.Sorted(maps.Keys(found)) {
		title, _, isTitled := strings.Cut(address, `" in `)
		_, path, _ := strings.Cut(address, "docs/")
		path, anchor, _ := strings.Cut("docs/"+path, "#")
		if !assert.Contains(t, all, path, address) {
			continue
		}
		if anchor != "" {
			assert.Contains(t, anchors(all[path]), anchor, address)
		}
		if isTitled {
			assert.Contains(t, all[path], "\n## "+strings.Trim(title, `"`)+"\n", address)
		}
	}
}

// A pattern that no test's name has runs nothing, and passes.
func TestEachCommandThatRunsTestsByNameRunsOne(t *testing.T) {
	found := 0
	for name, text := range pages(t) {
		for _, match := range regexp.MustCompile("go test ([./a-z ]+)-run '?([A-Za-z|]+)").FindAllStringSubmatch(text, -1) {
			if match[2] == "TestName" {
				continue
			}
			found++
			said, err := exec.Command("git", append([]string{"-C", project.Root(), "grep", "-qE", "^func Test[A-Za-z]*(" + match[2] + ")", "--"}, strings.Fields(match[1])...)...).CombinedOutput()
			assert.NoError(t, err, "%s: no test of %s has %s in its name: %s", name, match[1], match[2], said)
		}
	}
	assert.Positive(t, found)
}

// The page of failures has the program's own words: who searches for them finds the row.
func TestTextsOfTheFailuresAreThoseOfTheProgram(t *testing.T) {
	for _, text := range []string{
		"no credentials of AWS work here", "has a route to an internet gateway, want private subnets only", "wants private subnets in at least",
		"which is there and isn't this stack's", "in plain text", "; if that is meant, add to ",
		"got no address: is there a load balancer controller", "which is neither built here nor loaded", "which isn't in this repository",
		"does not contain", "waits, and nobody has approved of this run", "is in use with the password of",
		"is not trusted, and its script could run", "the app may not use", "event trigger",
	} {
		assert.Contains(t, pages(t)["docs/operate/failed-up.md"], text)
		said, err := exec.Command("git", "-C", project.Root(), "grep", "-lIF", text, "--", ":!docs", ":!*_test.go", ":!CHANGELOG.md").CombinedOutput()
		assert.NoError(t, err, "%s: %s", text, said)
	}
}

// A schema is as much of one as tells which keys an object may have.
type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	Additional json.RawMessage    `json:"additionalProperties"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	OneOf      []*schema          `json:"oneOf"`
}

// unknown are the paths of a value that the schema has no key for.
func (s *schema) unknown(path string, value any) (paths []string) {
	for _, choice := range slices.Concat(s.AnyOf, s.OneOf) {
		if len(choice.unknown(path, value)) == 0 && (choice.Properties != nil || choice.Items != nil) {
			return nil
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for key, each := range value {
			var additional schema
			switch sub := s.Properties[key]; {
			case sub != nil:
				paths = append(paths, sub.unknown(path+"."+key, each)...)
			case s.Properties != nil && string(s.Additional) == "false":
				paths = append(paths, path+"."+key)
			case json.Unmarshal(s.Additional, &additional) == nil:
				paths = append(paths, additional.unknown(path+"."+key, each)...)
			}
		}
	case []any:
		if s.Items != nil {
			for _, each := range value {
				paths = append(paths, s.Items.unknown(path+"[]", each)...)
			}
		}
	}
	return paths
}

// Each example of a config, whole or a part, names keys that the program knows.
func TestKeysInTheExamplesAreKnown(t *testing.T) {
	var config schema
	require.NoError(t, json.Unmarshal([]byte(source(t, "docs/config.schema.json")), &config))
	keys := config.Properties["config"]
	require.NotNil(t, keys)
	require.NotEmpty(t, keys.unknown("", map[string]any{"threetier:backend": map[string]any{"imag": "x"}}))
	examples := 0
	for name, text := range pages(t) {
		for _, block := range regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```").FindAllStringSubmatch(text, -1) {
			var example map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(block[1]), &example), "%s: %s", name, block[1])
			if inner, isWhole := example["config"].(map[string]any); isWhole {
				example = inner
			}
			for key, value := range example {
				if strings.HasPrefix(key, "threetier:") {
					examples++
					assert.Empty(t, keys.unknown("", map[string]any{key: value}), "%s: %s", name, key)
				}
			}
		}
	}
	assert.Greater(t, examples, 30)
}
