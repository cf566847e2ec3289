package rehearse

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/node"
)

// Every command that runs a rehearsed commit's code gets the named variables alone.
func TestCodeOfACommitGetsNoCredentials(t *testing.T) {
	secret := []string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PULUMI_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "PATH_TO_KEY"}
	for _, name := range secret {
		t.Setenv(name, "secret")
	}
	t.Setenv("https_proxy", "http://proxy:3128")
	t.Setenv("GOFLAGS", "-mod=mod")
	s := &side{dir: t.TempDir()}
	for name, cmd := range map[string]*exec.Cmd{
		"bin/local":                localNode{Node: node.Node{Root: "/x"}}.Command(t.Context(), "up"),
		"the build of bin/local":   localNode{}.building(t.Context()),
		"the build of the program": s.building(t.Context()),
	} {
		for _, name := range secret {
			assert.NotContains(t, cmd.Env, name+"=secret", cmd.Path)
		}
		assert.Subset(t, cmd.Env, []string{"https_proxy=http://proxy:3128", "GOFLAGS=-mod=mod"}, name)
	}
	assert.Subset(t, localNode{Node: node.Node{Root: "/x"}}.Command(t.Context(), "up").Env, []string{"THREETIER_ROOT=/x"})
}

func TestCodeThatIsNotInTheHistoryIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		_, err := git(t.Context(), dir, append([]string{"-c", "user.name=test", "-c", "user.email=test@localhost"}, args...)...)
		require.NoError(t, err)
	}
	run("init", "--quiet", "--initial-branch=main")
	run("commit", "--quiet", "--allow-empty", "--message=one")
	run("checkout", "--quiet", "-b", "stranger")
	run("commit", "--quiet", "--allow-empty", "--message=two")
	run("checkout", "--quiet", "main")
	for head, want := range map[string]string{
		"main":     "",
		"stranger": "• WARNING: HEAD is stranger, which isn't in the history of this checkout: the rehearsal runs code of that commit as root on this machine\n",
	} {
		var said bytes.Buffer
		r := &rehearsal{Options: Options{Root: dir, Head: head, Progress: &said}}
		r.warn(t.Context(), head)
		assert.Equal(t, want, said.String())
	}
}
