//go:build e2e

package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kill has a command killed as soon as it has come to a point, with everything that it started.
func kill(t *testing.T, command, point string, reached func() bool) {
	t.Helper()
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir, cmd.SysProcAttr = root, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "at the point: "+point, reached)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed: there is no other answer
}

// The runbook's commands are for a stack on EKS, where only Pulumi takes up what was interrupted. So they are run
// here before the local node's own way, which must then find nothing left to do. Their own up is interrupted, too.
func TestInterruptedUpIsTakenUpAsTheRunbookSays(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "interrupted", "dev")
	takeUp := strings.Replace(s.block(t, "operate/interrupted-up.md", "pulumi cancel --stack prod"), "bin/recover prod", root+"/bin/recover "+s.name, 1)

	kill(t, s.command("up"), "the instance is being made", func() bool { return len(s.instances(t)) == 1 })
	var before []rdsInstance
	eventually(t, time.Minute, "the instance made, though its up was killed", func() bool {
		before = s.instances(t)
		return len(before) == 1 && before[0].Status == "available"
	})
	kill(t, s.inShell(t, takeUp), "the backend's pods are being started", func() bool {
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
	s.shell(t, takeUp)

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
