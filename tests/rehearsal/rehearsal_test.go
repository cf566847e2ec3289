//go:build rehearse

// Package rehearsal rehearses changes of the sample apps that cost something, on a node of its own, by make rehearse.
package rehearsal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"threetier/gate/costs"
	"threetier/gate/project"
	"threetier/gate/rehearse"
)

var root string // the checkout

func TestMain(m *testing.M) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		fmt.Printf("SKIPPED: every rehearsal: they want Linux and root, this is %s and user id %d\n", runtime.GOOS, os.Geteuid())
		os.Exit(0)
	}
	os.Exit(run(m))
}

// run begins with an empty node and leaves none behind, unless THREETIER_HOME names one, which stays.
func run(m *testing.M) int {
	root = project.Root()
	if err := os.Setenv("THREETIER_ROOT", root); err != nil { // for .local/bin/local without bin/local
		fmt.Println(err)
		return 1
	}
	if os.Getenv("THREETIER_HOME") != "" {
		return m.Run()
	}
	if err := os.Setenv("THREETIER_HOME", filepath.Join(root, ".local", "e2e")); err != nil {
		fmt.Println(err)
		return 1
	}
	clean := func() bool {
		out, err := command(root, "make", "clean")
		if err != nil {
			fmt.Printf("make clean: %v\n%s", err, out)
		}
		return err == nil
	}
	if !clean() {
		return 1
	}
	code := m.Run()
	if !clean() {
		return 1
	}
	return code
}

func command(dir string, args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := command(dir, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// edit is a change of a file: old text and new, or a new file where old is empty.
type edit struct{ file, old, new string }

// commit is one on no branch: its parent, with some files changed.
func commit(t *testing.T, parent string, edits ...edit) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "commit")
	must(t, root, "git", "worktree", "add", "--quiet", "--detach", dir, parent)
	defer must(t, root, "git", "worktree", "remove", "--force", dir)
	for _, e := range edits {
		file := filepath.Join(dir, e.file)
		text := e.new
		if e.old != "" {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(data), e.old) {
				t.Fatalf("%s has no %q to edit", e.file, e.old)
			}
			text = strings.Replace(string(data), e.old, e.new, 1)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must(t, dir, "git", "add", "--all")
	must(t, dir, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--no-verify", "--message", t.Name())
	return must(t, dir, "git", "rev-parse", "HEAD")
}

// file is a rehearsal.yaml with a short load.
func file(rest string) edit {
	return edit{"rehearsal.yaml", "", `
seed:
  sql: INSERT INTO items (title) SELECT 'row ' || n FROM generate_series(1, 1000) AS n
load:
  rate: 10
  steadySeconds: 3
  requests:
    - { path: /, share: 2, page: true }
    - { path: "/api/items?limit=10", share: 7 }
    - { method: POST, path: /api/items, body: { title: "{n}" }, status: 201 }
limits: { p99Milliseconds: 30000 } # how fast the answers are is the machine's
` + rest}
}

// base is the checkout with one pod of each tier, so that a rollout is short.
func base(t *testing.T, edits ...edit) string {
	t.Helper()
	present := must(t, root, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "stash", "create")
	if present == "" {
		present = "HEAD"
	}
	// What a pod does before it stops, and how many there are, makes each step longer and finds nothing more.
	return commit(t, present, append([]edit{
		file(""),
		{"Pulumi.dev.yaml", "    env: { LOG_LEVEL: debug }", "    env: { LOG_LEVEL: debug, DRAIN_SECONDS: '1' }"},
		{"Pulumi.dev.yaml", "    replicas: { min: 2, max: 4 } # two, so that a pod can go unnoticed; four, so that scaling is visible\n", "    replicas: { min: 1, max: 1 }\n    minReadySeconds: 1\n"},
		{"Pulumi.dev.yaml", "    replicas: { min: 2, max: 2 } # static files need no scaling\n", "    replicas: { min: 1, max: 1 }\n    minReadySeconds: 1\n"},
		{"Pulumi.dev.yaml", "    replicas: { min: 2, max: 2 } # as the frontend's\n", "    replicas: { min: 1, max: 1 }\n"},
	}, edits...)...)
}

// rehearsed is make rehearse of two commits: its report, and whether it passed.
func rehearsed(t *testing.T, from, to string) (*rehearse.Report, bool) {
	t.Helper()
	out := t.TempDir()
	begun := time.Now()
	said, err := command(root, "make", "rehearse", "BASE="+from, "HEAD="+to, "OUT="+out)
	t.Logf("%.0f s", time.Since(begun).Seconds())
	data, readErr := os.ReadFile(filepath.Join(out, "rehearsal.json"))
	if readErr != nil {
		t.Fatalf("%v\n%s", readErr, said)
	}
	var report rehearse.Report
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	t.Log(report.Markdown())
	markdown, readErr := os.ReadFile(filepath.Join(out, "rehearsal.md"))
	if readErr != nil || !strings.Contains(said, string(bytes.TrimSpace(markdown))) {
		t.Errorf("the report isn't printed: %v\n%s", readErr, said)
	}
	if report.Failed != "" {
		t.Errorf("the rehearsal ended half-way: %s\n%s", report.Failed, said)
	}
	leavesNothing(t)
	return &report, err == nil
}

// leavesNothing of a rehearsal: no stack, no namespace, no worktree.
func leavesNothing(t *testing.T) {
	t.Helper()
	left := must(t, root, ".local/bin/local", "exec", "--", "sh", "-c", "pulumi stack ls --json; kubectl get namespaces --output name") +
		must(t, root, "git", "worktree", "list")
	if strings.Contains(left, "dev-rehearsal") || strings.Contains(left, filepath.Join(".local", "rehearsal")) {
		t.Errorf("the rehearsal has left something behind:\n%s", left)
	}
}

// names are those of the findings.
func names(report *rehearse.Report) []string {
	var all []string
	for _, finding := range report.Findings {
		all = append(all, finding.Name)
	}
	return all
}

// failsUntilNamed holds a report to its findings: each that is wanted is there, the gate fails with them, and passes once
// they are named.
func failsUntilNamed(t *testing.T, report *rehearse.Report, passed bool, want ...string) {
	t.Helper()
	if passed {
		t.Error("make rehearse passed, want it to fail")
	}
	allow := "allow:\n"
	for _, name := range names(report) {
		allow += "  " + name + ": it is meant\n"
	}
	for _, name := range want {
		if !slices.Contains(names(report), name) {
			t.Errorf("the findings are %q, want %q among them", names(report), name)
		}
	}
	named, err := rehearse.ParseFile([]byte(allow))
	if err != nil {
		t.Fatal(err)
	}
	if report.Judge(named); !report.Passed() {
		t.Errorf("with all findings named, the gate still fails: %q", report.Findings)
	}
}

// migration is a second one of the sample's.
func migration(upgrade string) edit {
	return edit{"apps/backend/migrations/versions/0002_second.py", "",
		"from alembic import op\nrevision, down_revision = \"0002\", \"0001\"\ndef upgrade():\n    " + upgrade + "\n"}
}

func TestHarmlessChangeLosesNothing(t *testing.T) {
	from := base(t)
	report, passed := rehearsed(t, from, commit(t, from,
		edit{"apps/backend/app/main.py", `title="backend"`, `title="the backend"`},
		migration(`op.execute("ALTER TABLE items ADD COLUMN note text")`)))
	if !passed || len(report.Findings) > 0 {
		t.Errorf("the findings are %q, want none", report.Findings)
	}
	for _, step := range report.Steps {
		if step.Sent < 40 {
			t.Errorf("%s had %d requests, want 10 per second", step.Name, step.Sent)
		}
		if step.Name == "forward" && step.Migration == 0 {
			t.Error("the migration's time isn't known")
		}
	}
	if n := report.Steps[len(report.Steps)-1].Rows["items"]; n <= 1000 {
		t.Errorf("at the end the items are %d, want the 1000 of the seed and those of the load", n)
	}
}

func TestLongLockIsFound(t *testing.T) {
	from := base(t)
	report, passed := rehearsed(t, from, commit(t, from,
		migration(`op.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5)")`)))
	failsUntilNamed(t, report, passed, "lock items")
	forward := report.Steps[1]
	if len(forward.Locks) == 0 || forward.Locks[0].Mode != "AccessExclusiveLock" || forward.Locks[0].Seconds < 4.5 || forward.Locks[0].Seconds > 8 {
		t.Errorf("the locks are %+v, want an AccessExclusiveLock of 5 s", forward.Locks)
	}
	if forward.Waits.Statements == 0 || forward.Waits.Longest < 2 {
		t.Errorf("the waits are %+v, want statements that waited for it", forward.Waits)
	}
}

func TestColumnThatTheOldImageReadsIsFound(t *testing.T) {
	from := base(t)
	report, passed := rehearsed(t, from, commit(t, from,
		migration(`op.drop_column("items", "created_at")`),
		edit{"apps/backend/app/items.py", "    Column(\"created_at\", DateTime(timezone=True), nullable=False, server_default=func.now()),\n", ""},
		edit{"apps/backend/app/main.py", "    created_at: datetime\n", ""}))
	failsUntilNamed(t, report, passed, "lost forward", "lost back")
	if forward := report.Steps[1]; len(forward.Errors) == 0 || forward.Errors[0].Version != "base" || forward.Errors[0].Tier != "backend" {
		t.Errorf("the errors in the logs are %+v, want base's about the column", forward.Errors)
	}
}

// slow is a request that outlasts the time in which a pod that is about to stop is still asked.
const slow = "\n    @app.post(\"/api/slow\")\n    async def slow() -> dict[str, str]:\n        import asyncio\n        await asyncio.sleep(22)\n        return {}\n"

func TestImageThatDiesOnSIGTERMIsFound(t *testing.T) {
	const health = "def _add_items(app: FastAPI, database: Database) -> None:\n"
	from := base(t,
		edit{"apps/backend/app/main.py", health, health + slow},
		// Ten are open at the same time: one client may have 36.
		edit{"rehearsal.yaml", "", "load: { rate: 5, steadySeconds: 3, requests: [{ path: /api/items, share: 9 }, { method: POST, path: /api/slow }] }\nlimits: { p99Milliseconds: 30000 }\n"})
	report, passed := rehearsed(t, from, commit(t, from,
		edit{"apps/backend/app/__main__.py", "        self._app.state.draining = True\n", "        import os\n        os._exit(1)\n"}))
	failsUntilNamed(t, report, passed, "lost back")
	if slices.Contains(names(report), "lost forward") {
		t.Errorf("the findings are %q, want nothing lost where the old image stops as it should", report.Findings)
	}
}

// An image that refuses a schema that it doesn't know, as most tools do.
func TestWayBackThatFailsIsFoundAndPassesWhenNamed(t *testing.T) {
	from := base(t, edit{"apps/backend/migrations/env.py", "            if not is_newer():\n                context.run_migrations()\n", "            context.run_migrations()\n"})
	second := migration(`op.execute("ALTER TABLE items ADD COLUMN note text")`)
	// Without requests, the load is what the backend's own description offers.
	report, passed := rehearsed(t, from, commit(t, from, second,
		edit{"rehearsal.yaml", "", "load: { rate: 10, steadySeconds: 3 }\nlimits: { p99Milliseconds: 30000 }\nallow: { rollback: 1.0.0 fails on the schema of 1.1.0 }\n"}))
	if asked := fmt.Sprint(report.Requests); !strings.Contains(asked, "GET / ") || !strings.Contains(asked, "GET /api/items") {
		t.Errorf("the load is %s, want the page and the backend's reads", asked)
	}
	if !passed {
		t.Errorf("make rehearse failed, want it to pass since the rollback is named: %q", report.Findings)
	}
	if !slices.Equal(names(report), []string{"rollback"}) || !strings.Contains(report.Findings[0].Text, "Can't locate revision identified by '0002'") {
		t.Errorf("the findings are %q, want the rollback with alembic's reason", report.Findings)
	}
	none, err := rehearse.ParseFile(nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Judge(none); report.Passed() {
		t.Error("the gate passes although nothing names the rollback")
	}
}

func TestInterruptedRehearsalLeavesNothing(t *testing.T) {
	from := base(t)
	head := commit(t, from, edit{"apps/backend/app/main.py", `title="backend"`, `title="the backend"`})
	cmd := exec.Command("make", "rehearse", "BASE="+from, "HEAD="+head, "OUT="+t.TempDir())
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	interrupted := false
	for lines := bufio.NewScanner(said); lines.Scan(); {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "forward: up to head") {
			time.Sleep(3 * time.Second) // pulumi is at work
			// From the keyboard it reaches make, and every process that make has started.
			interrupted = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) == nil
		}
	}
	if err := cmd.Wait(); err == nil || !interrupted {
		t.Errorf("the rehearsal ended with %v, interrupted: %t", err, interrupted)
	}
	leavesNothing(t)
}

// Figures of docs/cost-of-changes.md, as whoever measures them again finds them.
func TestCostsOfThePageStillHold(t *testing.T) {
	keys := []string{"threetier:backend.env", "threetier:database.parameters", "threetier:database.port"}
	cmd := exec.Command("make", "--silent", "costs", "KEYS="+strings.Join(keys, ","))
	cmd.Dir = root
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	t.Logf("\n%s", out)
	now, err := costs.Read(filepath.Join(root, ".local/rehearsal/costs.json"))
	if err != nil {
		t.Fatal(err)
	}
	then, err := costs.Read(filepath.Join(root, costs.File))
	if err != nil {
		t.Fatal(err)
	}
	then.Rows = slices.DeleteFunc(then.Rows, func(r costs.Row) bool { return !slices.Contains(keys, r.Key) })
	if len(now.Rows) != 4 || len(then.Rows) != len(now.Rows) {
		t.Fatalf("%d rows were measured, and the page has %d, want the 4 of %q", len(now.Rows), len(then.Rows), keys)
	}
	// How many requests are lost, and in how many seconds, is the machine's; whether any is lost is the change's.
	kind := func(r costs.Row) string {
		r.Sent, r.Lost, r.Seconds = 0, min(r.Lost, 1), min(r.Seconds, 1)
		return costs.Table([]costs.Row{r})
	}
	for i := range now.Rows {
		if kind(now.Rows[i]) != kind(then.Rows[i]) {
			t.Errorf("measured: %v\nthe page: %v", now.Rows[i], then.Rows[i])
		}
	}
}
