package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/gate/recorder"
)

func TestWritableDirectoriesKeepWhatTheImageHasThere(t *testing.T) {
	r := runProcesses(t, func(a *appStack) {
		withRoles(a)
		a.Backend.WritablePaths, a.Backend.EmptyPaths = []string{"/tmp", "/app/.next", "/var/cache/app"}, []string{"/var/spool/app"}
	})
	type mount struct{ volume, path, sub string }
	mounts := func(container map[string]any) (all []mount) {
		for _, each := range container["volumeMounts"].([]any) {
			m := each.(map[string]any)
			sub, _ := m["subPath"].(string)
			all = append(all, mount{m["name"].(string), m["mountPath"].(string), sub})
		}
		return all
	}
	for _, res := range []recorder.Resource{
		r.Named(t, deploymentType, "shop-backend"), r.Named(t, jobType, "shop-backend-migrate"),
		r.Named(t, deploymentType, "shop-worker-mailer"), r.Named(t, cronJobType, "shop-job-nightly"),
	} {
		main := res.Input(t, template(res)+".spec.containers[0]").(map[string]any)
		require.Subset(t, mounts(main), []mount{
			{"writable-0", "/tmp", ""}, {"writable-1", "/var/spool/app", ""}, {"copied", "/app/.next", "0"}, {"copied", "/var/cache/app", "1"},
		}, res.Name)
		copying := res.Input(t, template(res)+".spec.initContainers[0]").(map[string]any)
		require.Equal(t, "copy", copying["name"])
		require.Equal(t, main["image"], copying["image"])
		require.Equal(t, main["securityContext"], copying["securityContext"])
		require.Equal(t, []mount{{"copied", "/.threetier", ""}}, mounts(copying), "its own directories aren't hidden")
		command := copying["command"].([]any)
		require.Equal(t, []any{"/.threetier", "/app/.next", "/var/cache/app"}, command[len(command)-3:])
	}
	plain := runApp(t, nil).Named(t, deploymentType, "shop-backend")
	require.Nil(t, plain.Input(t, "spec.template.spec.initContainers"), "an image without a shell runs")

	_, err := tryApp(func(a *appStack) { a.Frontend.WritablePaths, a.Frontend.EmptyPaths = []string{"/a"}, []string{"/a"} }, recorder.Options{})
	require.ErrorContains(t, err, `frontend.emptyPaths is "/a", which is in writablePaths too, want it in one of the two`)
	_, err = tryApp(func(a *appStack) { a.Frontend.EmptyPaths = []string{"/etc/database"} }, recorder.Options{})
	require.ErrorContains(t, err, "frontend.emptyPaths[0]")
}

// copied runs the script of the copying container on directories of this machine, as a user without rights.
func copied(t *testing.T, shell string, dirs ...string) string {
	t.Helper()
	command := runApp(t, func(a *appStack) {
		a.Backend = app.BackendArgs{WorkloadArgs: a.Backend.WorkloadArgs}
		a.Backend.WritablePaths = []string{"/x"}
	}).
		Named(t, deploymentType, "shop-backend").Input(t, "spec.template.spec.initContainers[0].command").([]any)
	into := t.TempDir()
	for dir := into; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o777))
	}
	argv := append(strings.Fields(shell), command[1].(string), command[2].(string), into)
	for range 2 { // after a restart of the node it runs again
		run := exec.CommandContext(t.Context(), argv[0], append(argv[1:], dirs...)...)
		if os.Getuid() == 0 {
			run.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 10001, Gid: 10001}}
		}
		said, err := run.CombinedOutput()
		require.NoError(t, err, "%s", said)
	}
	return into
}

func TestCopiesAreWritableAndAsTheImageHasThem(t *testing.T) {
	image := t.TempDir()
	for dir := image; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	built := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	write := func(name string, mode os.FileMode) {
		path := filepath.Join(image, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
		require.NoError(t, os.Chtimes(path, built, built))
		require.NoError(t, os.Chmod(path, mode))
	}
	write("html/index.html", 0o644)
	write("html/.well-known/a b", 0o444)
	write("html/bin/run", 0o755)
	write("conf.d/default.conf", 0o644)
	require.NoError(t, os.Symlink("index.html", filepath.Join(image, "html/home.html")))
	require.NoError(t, os.Symlink("html", filepath.Join(image, "www")))
	if os.Getuid() == 0 { // who isn't root can read everything that he wrote
		write("html/secret/key", 0o600)
		require.NoError(t, os.Chmod(filepath.Join(image, "html/secret"), 0o700))
	}
	require.NoError(t, os.Chmod(filepath.Join(image, "html/bin"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(image, "html/bin"), 0o755) })
	shells := []string{"sh"}
	if _, err := exec.LookPath("busybox"); err == nil {
		shells = append(shells, "busybox sh")
	}
	for _, shell := range shells {
		into := copied(t, shell, filepath.Join(image, "html"), filepath.Join(image, "absent"), filepath.Join(image, "www"), filepath.Join(image, "conf.d"))
		for name, mode := range map[string]os.FileMode{"0/index.html": 0o644, "0/.well-known/a b": 0o644, "0/bin/run": 0o755, "2/index.html": 0o644, "3/default.conf": 0o644} {
			info, err := os.Stat(filepath.Join(into, name))
			require.NoError(t, err, shell)
			require.Equal(t, mode, info.Mode().Perm(), "%s: the app may write %s", shell, name)
			require.True(t, built.Equal(info.ModTime()), "%s: %s has its time, of which servers make an ETag", shell, name)
		}
		link, err := os.Readlink(filepath.Join(into, "0/home.html"))
		require.NoError(t, err)
		require.Equal(t, "index.html", link)
		info, err := os.Stat(filepath.Join(into, "0/bin"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o755), info.Mode().Perm(), "one that nobody may write in")
		absent, err := os.ReadDir(filepath.Join(into, "1"))
		require.NoError(t, err, "a directory that the image doesn't have")
		require.Empty(t, absent)
	}
}
