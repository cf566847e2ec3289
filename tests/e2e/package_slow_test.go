//go:build e2e && slow

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inYAML is a stack whose program is the package's example in YAML, in a folder of its own.
type inYAML struct {
	*testStack
	dir string
}

func (s inYAML) pulumi(t *testing.T, command string) string {
	t.Helper()
	return must(t, ".local/bin/local exec -- sh -c 'cd %[1]s && PATH=%[1]s:$THREETIER_ROOT/.local/bin:$PATH pulumi %[2]s --stack %[3]s --non-interactive'", s.dir, command, s.name)
}

// program is the file of an example, beside the package and the language host that run it.
func (s inYAML) program(t *testing.T, example string) string {
	t.Helper()
	must(t, "go build -o %s/pulumi-resource-threetier ./package", s.dir)
	must(t, "go build -C local/tools/pulumi-language-yaml -o %s/ github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml", s.dir)
	text, err := os.ReadFile(filepath.Join(root, "package/examples", example, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "Pulumi.yaml")
	named := strings.NewReplacer("../../", s.dir, "name: threetier\n", "name: "+projectName+"\n").Replace(string(text))
	if err := os.WriteFile(file, []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s inYAML) configure(t *testing.T, salt string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "Pulumi."+s.name+".yaml"), []byte(salt+"\nconfig:\n  aws:region: eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// steps are how many of each kind the next up would take.
func (s inYAML) steps(t *testing.T) map[string]int {
	t.Helper()
	out := s.pulumi(t, "preview --json 2>/dev/null")
	var preview struct{ ChangeSummary map[string]int }
	if err := json.Unmarshal([]byte(out), &preview); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return preview.ChangeSummary
}

// onlyMoves is a preview that makes the component and leaves all else as it is. What is only read is read again.
func (s inYAML) onlyMoves(t *testing.T) {
	t.Helper()
	steps := s.steps(t)
	for kind, count := range steps {
		if !slices.Contains([]string{"same", "read", "discard", "read-discard"}, kind) && (kind != "create" || count != 1) {
			t.Errorf("the move is %d %s, want the component created and all else the same: %v", count, kind, steps)
		}
	}
	if steps["create"] != 1 || steps["same"] < 50 {
		t.Errorf("the move is %v, want the component created and all else the same", steps)
	}
}

// The example has the values of dev. Its stack comes up as the program's own, moves to YAML, rolls out, moves back, and is
// destroyed in YAML: nothing is replaced, and no request is lost.
func TestSlowAStackMovesToAProgramInYAMLAndBack(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join(root, ".names")); err == nil {
		t.Skip("SKIPPED: wants the samples' own stack dev, this project has one of its own")
	}
	s := inYAML{newStack(t, "packaged", "Pulumi.dev.yaml"), t.TempDir()}
	s.up(t)
	program := s.program(t, "yaml")
	// The salt of the stack's secrets is in the config that the first up was run with.
	s.configure(t, must(t, "grep ^encryptionsalt: %s/project/Pulumi.%s.yaml", home, s.name))

	l := startLoad(s.site, 20)
	s.onlyMoves(t)
	s.pulumi(t, "up --yes --skip-preview")
	if steps := s.steps(t); steps["create"] != 0 {
		t.Errorf("a preview after the move is %v, want all the same", steps)
	}
	before := pods(t, s.name, "backend")
	edit(t, program, "LOG_LEVEL: debug", "LOG_LEVEL: info")
	s.pulumi(t, "up --yes --skip-preview")
	if len(started(before, pods(t, s.name, "backend"))) == 0 {
		t.Error("the backend was not rolled out")
	}
	edit(t, program, "storageGiB: 20", "storageGiB: 5")
	if out := refused(t, ".local/bin/local exec -- sh -c 'cd %[1]s && PATH=%[1]s:$THREETIER_ROOT/.local/bin:$PATH pulumi preview --stack %[2]s --non-interactive'", s.dir, s.name); !strings.Contains(out, "threetier:database.storageGiB is 5, want 20 to 65536") {
		t.Errorf("the refusal is\n%s", out)
	}
	edit(t, program, "storageGiB: 5", "storageGiB: 20")

	edit(t, s.config, "LOG_LEVEL: debug", "LOG_LEVEL: info")
	if out := s.preview(t); regexp.MustCompile(`\d+ to (create|update|replace)`).MatchString(out) || !strings.Contains(out, "1 to delete") {
		t.Errorf("the move back wants more than the component gone:\n%s", out)
	}
	s.up(t)
	l.lostNothing(t, 500)
	s.onlyMoves(t)
	s.pulumi(t, "up --yes --skip-preview")
	s.pulumi(t, "destroy --yes")
	if rest := must(t, "%s", fmt.Sprintf(".local/bin/local exec -- kubectl get namespace %s --ignore-not-found -o name", namespace(s.name))); strings.TrimSpace(rest) != "" {
		t.Errorf("%s is left", rest)
	}
}

// The example of the parts, in the node's network: the app reads and writes by logins that were made with the database's
// outputs, a second up changes nothing, and all of it goes.
func TestSlowPartsAloneAreAnAppWithItsDatabase(t *testing.T) {
	t.Parallel()
	s := inYAML{&testStack{name: "parts"}, t.TempDir()}
	endsWithTheTest(t, s.name)
	program := s.program(t, "parts")
	for old, node := range map[string]string{
		"vpc-0123abcd": "vpc-0local0000000001", "subnet-0123abcd": "subnet-0local000000000a2", "subnet-4567cdef": "subnet-0local000000000b3", "sg-0123abcd": "sg-0local0000cluster",
	} {
		edit(t, program, old, node)
	}
	edit(t, program, "      frontend: {", "      nginx: { drainSeconds: 5 }\n      frontend: {")
	s.configure(t, "")
	s.pulumi(t, "stack init")
	s.pulumi(t, "up --yes --skip-preview")
	if steps := s.steps(t); steps["same"] < 50 || steps["create"]+steps["update"]+steps["replace"]+steps["delete"] != 0 {
		t.Errorf("a second up is %v, want all the same", steps)
	}
	const ask = `.local/bin/local exec -- curl --fail --silent --show-error --insecure --header "Host: shop.example.org" %s %s/api/items`
	site := "https://" + strings.TrimSpace(s.pulumi(t, "stack output loadBalancer"))
	must(t, ask, `--json '{"title": "by the parts"}'`, site)
	if items := must(t, ask, "", site); !strings.Contains(items, "by the parts") {
		t.Errorf("the items are %s", items)
	}
	s.pulumi(t, "destroy --yes")
}
