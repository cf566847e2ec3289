//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var asksAWS = regexp.MustCompile(`(?m)^aws .*\n`)

// block is a block of a page's commands, the one that begins with these words, for this stack instead of prod or dev.
// What asks AWS itself is left out.
func (s *testStack) block(t *testing.T, page, begin string) string {
	t.Helper()
	for _, block := range commandBlocks(t, page) {
		if block = asksAWS.ReplaceAllString(block, ""); strings.HasPrefix(block, begin) {
			return regexp.MustCompile(`--stack (prod|dev)\b`).ReplaceAllString(block, "--stack "+s.name)
		}
	}
	t.Fatalf("%s has no block that begins with %s", page, begin)
	return ""
}

// inShell is the command that runs others in the node's shell, where Pulumi doesn't ask before it does something.
func (s *testStack) inShell(t *testing.T, commands string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "commands")
	text := "set -euo pipefail\nexport PULUMI_SKIP_CONFIRMATIONS=true\n" + commands
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("echo '. %s </dev/null' | .local/bin/local shell --stack %s --config-file %s", script, s.name, s.config)
}

func (s *testStack) shell(t *testing.T, commands string) string {
	t.Helper()
	return must(t, "%s", s.inShell(t, commands))
}

func TestShellRunsTheCommandsOfThePages(t *testing.T) {
	s := &testStack{name: "dev", config: filepath.Join(root, "Pulumi.dev.yaml"), port: devPort, site: dev}
	checkout := func() string { return must(t, "git status --porcelain && cat Pulumi.dev.yaml go.sum") }
	before := checkout()

	id := fmt.Sprintf("e2e-shell-%d", time.Now().UnixNano())
	call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, map[string]string{"X-Request-ID": id})
	// nginx writes its log once a second.
	eventually(t, time.Minute, "the request in nginx's log", func() bool {
		return strings.Contains(kubectl(t, "dev", "logs --selector app.kubernetes.io/name=nginx --tail=-1"), id)
	})
	names := strings.ReplaceAll(s.block(t, "operate/README.md", "export NS="), "-prod", "-dev")
	look := strings.ReplaceAll(s.block(t, "operate/README.md", "pulumi stack output --stack prod"), "REQUEST-ID", id)
	said := s.shell(t, names+look)
	for _, want := range []string{output(t, "dev", "databaseEndpoint"), "horizontalpodautoscaler.autoscaling/app-backend", id} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in what a look shows:\n%s", want, said)
		}
	}

	item := addItem(t, dev, "seen in the shell")
	said = s.shell(t, s.block(t, "tutorials/first-deploy-to-aws.md", "pulumi preview --stack dev --diff"))
	// An up makes a preview of its own.
	if strings.Count(said, "57 unchanged") != 3 || !strings.Contains(said, item.Title) {
		t.Errorf("a preview, an up and a request say:\n%s", said)
	}

	endpoint := strings.Split(output(t, "dev", "databaseEndpoint"), ":")
	said = s.shell(t, fmt.Sprintf(`aws eks get-token --cluster-name acme-dev | jq --exit-status .status.token >/dev/null
PGPASSWORD='%s' psql --tuples-only --command 'select 6*7' 'host=%s port=%s dbname=app user=app_admin sslmode=require'`,
		administratorsPassword(t, "dev"), endpoint[0], endpoint[1]))
	if !strings.HasSuffix(strings.TrimSpace(said), "\n       42") {
		t.Errorf("psql says %q", said)
	}
	if after := checkout(); after != before {
		t.Errorf("the shell has changed the checkout:\n%s", after)
	}
}

func TestShellKeepsWhatIsSetUntilTheNextUp(t *testing.T) {
	s := &testStack{name: "dev", config: filepath.Join(root, "Pulumi.dev.yaml"), port: devPort, site: dev}
	before := s.read(t)
	s.shell(t, "pulumi config set --stack dev --path threetier:backend.env.COLOUR blue\n"+
		"echo 'a secret value' | pulumi config set --stack dev --path --secret threetier:backend.secretEnv.KEY")
	config := must(t, "bin/local exec -- pulumi config get --stack dev --path threetier:backend.env.COLOUR")
	if !strings.Contains(config, "blue") {
		t.Errorf("the next command sees %q, want blue", config)
	}
	if out := must(t, "bin/local exec -- pulumi preview --stack dev --diff"); !strings.Contains(out, "COLOUR") || strings.Contains(out, "a secret value") {
		t.Errorf("the preview doesn't show the new variable, or shows the secret:\n%s", out)
	}
	if s.read(t) != before {
		t.Errorf("Pulumi.dev.yaml is changed:\n%s", s.read(t))
	}
	if out := must(t, "make up"); !strings.Contains(out, "57 unchanged") {
		t.Errorf("make up doesn't take the checkout's own config:\n%s", out)
	}
}

func TestSecretIsEncryptedBeforeThereIsAConfig(t *testing.T) {
	s := &testStack{name: "early", config: filepath.Join(t.TempDir(), "Pulumi.early.yaml"), port: freePort()}
	secure := s.encrypt(t, "known before the rest")
	must(t, "sed 's/^  threetier:backend:/&\\n    secretEnv: { KEY: %s }/' Pulumi.dev.yaml > %s", strings.ReplaceAll(secure, "/", `\/`), s.config)
	if out := s.preview(t); !strings.Contains(out, "to create") {
		t.Errorf("the config with the secret isn't taken:\n%s", out)
	}
	if got := s.shell(t, "pulumi config get --stack early --path threetier:backend.secretEnv.KEY"); !strings.HasSuffix(got, "\nknown before the rest\n") {
		t.Errorf("the secret is %q", got)
	}
}

func TestUnloadedImageIsGone(t *testing.T) {
	loaded := func() []string {
		return strings.Fields(must(t, ".local/bin/local exec -- ctr --address %s/run/containerd/containerd.sock --namespace k8s.io images ls -q", home))
	}
	before := loaded()
	retag(t, "ghcr.io/acme/backend:1.0.0", "docker.io/acme/second:1")
	must(t, "bin/local unload acme/second:1")
	if after := loaded(); !slices.Equal(after, before) {
		t.Errorf("after unload the images are %q, want %q", after, before)
	}
}

// A Job's pod waits here: of one, Pulumi itself says nothing before its deadline.
func TestPodThatFindsNoRoomIsSaidWithWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "noroom", "dev")
	s.set(t, "backend", "resources: { cpu: 64, memory: 128Mi }")
	said := filepath.Join(t.TempDir(), "said")
	var waiting time.Time
	kill(t, s.command("up")+" >"+said+" 2>&1", "the pod is said to wait", func() bool {
		if waiting.IsZero() {
			if names, err := shell(".local/bin/local exec -- kubectl --namespace " + namespace(s.name) + " get pods -o name"); err == nil && strings.Contains(names, "migrate") {
				waiting = time.Now()
			}
		}
		out, err := os.ReadFile(said)
		return err == nil && strings.Contains(string(out), "can't be scheduled")
	})
	took := time.Since(waiting)
	out := must(t, "grep \"can't be scheduled\" %s", said)
	if waiting.IsZero() || took > 20*time.Second {
		t.Errorf("it took %s, want at most 20 s", took)
	}
	if !regexp.MustCompile(`Pod app-backend-migrate-\S+ can't be scheduled: .*Insufficient cpu.* The node has \d+m of \d+m CPU and \d+ of \d+ MiB left`).MatchString(out) {
		t.Errorf("it says %s", out)
	}
	t.Logf("after %s: %s", took, out)
}
