//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// testStack is a stack of a test's own: one of the samples with one pod of each tier and what the test changes of it.
type testStack struct {
	name, config, site string
	port               int
}

var (
	anyReplicas = regexp.MustCompile(`replicas: \{ min: \d+, max: \d+ \}`)
	anyDrain    = regexp.MustCompile(`(?m)^ +drainSeconds: .*\n`)
)

// newTestStack takes a sample's name and sections to put lines into; it deploys nothing.
func newTestStack(t *testing.T, name, sample string) *testStack {
	t.Helper()
	s := newStack(t, name, "Pulumi."+sample+".yaml")
	text := anyReplicas.ReplaceAllString(s.read(t), "replicas: { min: 1, max: 1 }")
	s.write(t, anyDrain.ReplaceAllString(text, ""))
	s.set(t, "nginx", "drainSeconds: 5")
	// The tests' own checks see a pod that fails; a rollout needn't wait for one.
	s.set(t, "backend", "minReadySeconds: 1")
	s.set(t, "frontend", "minReadySeconds: 1")
	return s
}

// newStack has a config file of its own, copied from one of the checkout.
func newStack(t *testing.T, name, config string) *testStack {
	t.Helper()
	port := freePort()
	s := &testStack{
		name: name, config: filepath.Join(t.TempDir(), name+".yaml"), port: port, site: fmt.Sprintf("http://127.0.0.1:%d", port),
	}
	must(t, "cp %s %s", config, s.config)
	endsWithTheTest(t, name)
	return s
}

// endsWithTheTest takes a stack's pods away: they have asked for processors that other tests want.
func endsWithTheTest(t *testing.T, stack string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(warnings(namespace(stack)))
		}
		must(t, ".local/bin/local exec -- kubectl delete namespace %s --ignore-not-found --wait=false", namespace(stack))
	})
}

func (s *testStack) read(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *testStack) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// set puts a line into a section of the config, in place of the key's old one.
func (s *testStack) set(t *testing.T, section, line string) {
	t.Helper()
	key, _, _ := strings.Cut(line, ":")
	s.unset(t, section, key)
	heading := "  threetier:" + section + ":\n"
	config := s.read(t)
	if !strings.Contains(config, heading) {
		t.Fatalf("%s has no section %s", s.config, section)
	}
	s.write(t, strings.Replace(config, heading, heading+"    "+line+"\n", 1))
}

// unset removes a key, with everything that stands below it, from a section of the config.
func (s *testStack) unset(t *testing.T, section, key string) {
	t.Helper()
	var kept []string
	inSection, inKey := false, false
	for _, line := range strings.Split(s.read(t), "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case strings.TrimSpace(line) == "":
		case indent <= 2:
			inSection, inKey = strings.HasPrefix(line, "  threetier:"+section+":"), false
		case indent == 4:
			inKey = inSection && strings.HasPrefix(strings.TrimSpace(line), key+":")
		}
		if !inKey {
			kept = append(kept, line)
		}
	}
	s.write(t, strings.Join(kept, "\n"))
}

// allow adds an exception to a section of the config; disallow takes it out again.
func (s *testStack) allow(t *testing.T, section, name string) {
	t.Helper()
	before, after, found := strings.Cut(s.read(t), "  threetier:"+section+":\n")
	if !found {
		t.Fatalf("%s has no section %s", s.config, section)
	}
	own, others, _ := strings.Cut(after, "\n  threetier:")
	if !allowBlock.MatchString(own) {
		own = "    allow:\n" + own
	}
	own = allowBlock.ReplaceAllString(own, "${0}"+exception(name))
	s.write(t, before+"  threetier:"+section+":\n"+own+"\n  threetier:"+others)
}

func (s *testStack) disallow(t *testing.T, name string) {
	t.Helper()
	s.write(t, strings.Replace(s.read(t), exception(name), "", 1))
}

var allowBlock = regexp.MustCompile(`(?m)^    allow:.*\n`)

func exception(name string) string { return "      " + name + ": a test does it\n" }

func (s *testStack) command(verb string) string {
	command := fmt.Sprintf("bin/local %s --stack %s --config-file %s", verb, s.name, s.config)
	if verb == "up" {
		command += fmt.Sprintf(" --port %d", s.port)
	}
	return command
}

func (s *testStack) up(t *testing.T) string { t.Helper(); return must(t, "%s", s.command("up")) }

// upChangesNothing is an up after one with the same config.
func (s *testStack) upChangesNothing(t *testing.T) {
	t.Helper()
	if again := s.up(t); !strings.Contains(again, "unchanged") || strings.Contains(again, "created") {
		t.Errorf("a second up changed something:\n%s", again)
	}
}

// upAsPlanned does what a preview has saved and nothing else, as the workflow deploy.
func (s *testStack) upAsPlanned(t *testing.T) string {
	t.Helper()
	plan := filepath.Join(t.TempDir(), "plan.json")
	must(t, "%s --save-plan %s", s.command("preview"), plan)
	return must(t, "%s --plan %s", s.command("up"), plan)
}

func (s *testStack) preview(t *testing.T) string {
	t.Helper()
	return must(t, "%s", s.command("preview"))
}
func (s *testStack) destroy(t *testing.T) string {
	t.Helper()
	return must(t, "%s", s.command("destroy"))
}

var plannedChange = regexp.MustCompile(`\d+ to (create|update|replace|delete)`)

// wantsNothing is a preview that plans no change.
func (s *testStack) wantsNothing(t *testing.T, after string) {
	t.Helper()
	if out := s.preview(t); plannedChange.MatchString(out) || !strings.Contains(out, "unchanged") {
		t.Errorf("a preview after %s wants changes:\n%s", after, out)
	}
}

// rdsInstance is an instance, as the account describes it.
type rdsInstance struct {
	Identifier    string `json:"identifier"`
	ResourceID    string `json:"resourceId"`
	Status        string `json:"status"`
	Address       string `json:"address"`
	PendingReboot bool   `json:"pendingReboot"`
	ReplicaOf     string `json:"replicaOf"`

	DeletionProtection bool `json:"deletionProtection"`
}

// instances are the stack's, the primary first.
func (s *testStack) instances(t *testing.T) []rdsInstance {
	t.Helper()
	var all, own []rdsInstance
	account(t, http.MethodGet, "/instances", "", &all)
	for _, i := range all {
		switch {
		case !strings.HasPrefix(i.Identifier, namespace(s.name)+"-database"):
		case i.ReplicaOf == "":
			own = append([]rdsInstance{i}, own...)
		default:
			own = append(own, i)
		}
	}
	return own
}

// account asks the node's AWS account, at the door that looks after it.
func account(t *testing.T, method, path, body string, into any) {
	t.Helper()
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(home, "run", "account.sock"))
	}}}
	request, err := http.NewRequest(method, "http://account"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatalf("ask the account for %s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(answer.Body) // what it says beside its status, if anything
		t.Fatalf("%s %s at the account: %s: %s", method, path, answer.Status, said)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatalf("read the account's answer to %s %s: %v", method, path, err)
	}
}

// recorded is what the account keeps of a resource.
func recorded(t *testing.T, kind, id string) map[string]any {
	t.Helper()
	var answer struct {
		Outputs map[string]any `json:"outputs"`
	}
	account(t, http.MethodGet, "/resources/"+kind+"?id="+id, "", &answer)
	return answer.Outputs
}

// stateResource is a resource in a stack's state.
type stateResource struct {
	URN     string          `json:"urn"`
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Inputs  map[string]any  `json:"inputs"`
	Outputs json.RawMessage `json:"outputs"`
}

// state is what the engine keeps of a stack.
func state(t *testing.T, stack string) []stateResource {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, "state", ".pulumi", "stacks", projectName, stack+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Checkpoint struct {
			Latest struct {
				Resources []stateResource `json:"resources"`
			} `json:"latest"`
		} `json:"checkpoint"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Checkpoint.Latest.Resources
}

func ofType(t *testing.T, stack, kind string) []stateResource {
	t.Helper()
	return slices.DeleteFunc(state(t, stack), func(r stateResource) bool { return r.Type != kind })
}

// login is the user that a stack's backend was given, and its password.
func login(t *testing.T, stack string) (user, password string) {
	t.Helper()
	const container = "{.items[0].spec.template.spec.containers[0]"
	user = kubectl(t, stack, "get deployment -l app.kubernetes.io/name=backend -o jsonpath='"+container+`.env[?(@.name=="DB_USER")].value}'`)
	secret := kubectl(t, stack, "get deployment -l app.kubernetes.io/name=backend -o jsonpath='"+container+`.env[?(@.name=="DB_PASSWORD")].valueFrom.secretKeyRef.name}'`)
	return user, kubectl(t, stack, "get secret "+secret+" -o jsonpath='{.data.DB_PASSWORD}' | base64 -d")
}

// administratorsPassword is the one that makes a stack's roles.
func administratorsPassword(t *testing.T, stack string) string {
	t.Helper()
	return kubectl(t, stack, "get secrets -l app.kubernetes.io/name=database-roles -o jsonpath='{.items[0].data.PGPASSWORD}' | base64 -d")
}

// psqlAt is psql with an address, a user and a password that the test chooses.
func psqlAt(address, user, password, sql string) (string, error) {
	return psqlTo(address+":5433", "app", "verify-full", user, password, sql)
}

// psqlTo runs inside the node.
func psqlTo(endpoint, database, sslmode, user, password, sql string) (string, error) {
	host, port, _ := strings.Cut(endpoint, ":")
	cmd := exec.Command(".local/bin/local", "exec", "--", "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet",
		fmt.Sprintf("host=%s port=%s dbname=%s user=%s sslmode=%s sslrootcert=%s connect_timeout=5",
			host, port, database, user, sslmode, filepath.Join(home, "account", "ca.pem")), "--command", sql)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
