//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kill has an up killed as soon as it has come to a point, with all that it started.
func (s *testStack) kill(t *testing.T, point string, reached func() bool) {
	t.Helper()
	up := exec.Command("bash", "-c", s.command("up"))
	up.Dir, up.SysProcAttr = root, &syscall.SysProcAttr{Setpgid: true}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "an up at the point: "+point, reached)
	if err := syscall.Kill(-up.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = up.Wait() // killed: there is no other answer
}

var waitsForAWS = regexp.MustCompile(`(?m)^aws .*\n`)

// The runbook's commands are for a stack on EKS, where nothing but Pulumi takes up what was interrupted. So they are run
// here before the local node's own way, which must then find nothing left to do.
func TestInterruptedUpIsTakenUpAsTheRunbookSays(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "interrupted", "dev")
	takeUp := s.runbook(t, "pulumi cancel --stack prod")

	s.kill(t, "the instance is being made", func() bool { return len(s.instances(t)) == 1 })
	var before []rdsInstance
	eventually(t, time.Minute, "the instance made, though its up was killed", func() bool {
		before = s.instances(t)
		return len(before) == 1 && before[0].Status == "available"
	})
	takeUp()
	s.kill(t, "the backend's pods are being started", func() bool {
		names, err := shell(".local/bin/local exec -- kubectl --namespace " + namespace(s.name) + " get pods -l app.kubernetes.io/name=backend -o name")
		return err == nil && names != ""
	})
	if after := s.instances(t); !slices.Equal(after, before) {
		t.Errorf("the instances are %v, want %v", after, before)
	}
	deployments := func() []string { return strings.Fields(kubectl(t, s.name, "get deployments -o name")) }
	begun := deployments()
	if len(begun) == 0 {
		t.Error("the killed up has begun no deployment")
	}
	takeUp()

	said := s.up(t)
	for _, recovery := range []string{"a run was interrupted", "is taken over"} {
		if strings.Contains(said, recovery) {
			t.Errorf("something was left for the next up to take up:\n%s", said)
		}
	}
	all := deployments()
	if len(all) != 3 || len(started(all, begun)) > 0 {
		t.Errorf("the deployments are %v, want three with these among them: %v", all, begun)
	}
	addItem(t, s.site, "after the interrupted ups")
	s.upChangesNothing(t)
}

// pulumi is a shell in the node, where Pulumi's own command line finds the stack.
func (s *testStack) pulumi(t *testing.T, commands string) string {
	t.Helper()
	environment := fmt.Sprintf("export PATH=%[1]s/.local/bin:$PATH PULUMI_HOME=%[2]s/pulumi PULUMI_BACKEND_URL=file://%[2]s/state"+
		" PULUMI_CONFIG_PASSPHRASE_FILE=%[2]s/passphrase PULUMI_SKIP_UPDATE_CHECK=true\ncd %[2]s/stacks/%[3]s\n", root, home, s.name)
	return must(t, "cat <<'EOF' | .local/bin/local exec -- bash -euo pipefail\n%s\nEOF", environment+commands)
}

// runbook is the block of the runbook that begins with a command, to be run for this stack by Pulumi's command line. Its
// up is left out: it wants a language host, and is bin/local's here.
func (s *testStack) runbook(t *testing.T, begin string) (run func()) {
	t.Helper()
	blocks := commandBlocks(t, "runbook.md")
	i := slices.IndexFunc(blocks, func(block string) bool { return strings.HasPrefix(block, begin) })
	if i < 0 {
		t.Fatalf("the runbook has no block that begins with %s", begin)
	}
	commands := strings.NewReplacer("pulumi up --stack prod\n", "", "pulumi cancel ", "pulumi cancel --yes ",
		"pulumi refresh ", "pulumi refresh --yes ", "--stack prod", "--stack "+s.name).Replace(waitsForAWS.ReplaceAllString(blocks[i], ""))
	return func() {
		t.Helper()
		t.Log(s.pulumi(t, commands))
	}
}
