//go:build e2e && slow

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"threetier/gate/load"
)

// What a rollout goes through while the stack serves. The tests build on one stack, and each leaves it as it was.
func TestSlowRolloutsOfAServingStack(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "rollouts", "dev")
	s.up(t)
	for name, test := range map[string]func(*testing.T, *testStack){
		"WhatNeverGetsReadyLeavesTheOldServing":           neverGetsReady,
		"FailedMigrationStopsItAndShowsItsLastWords":      stopsAtTheMigration,
		"MigrationRunsOncePerChangeAndNotWithoutAChange":  migratesOncePerChange,
		"ImageWhoseWorkersAreKilledForMemoryFails":        needsTooMuchMemory,
		"RollbackLeavesOutAMigrationThatWouldFail":        rollsBackWithoutItsMigration,
		"PortMovesWithoutALossAlsoAfterARolloutThatFails": movesItsPort,
		"ItsNamesAreServedByHTTPSAndChangeWithoutALoss":   servesItsNames,
		"NoPageMissesItsScriptWhileTheFrontendRolls":      keepsItsScripts,
	} {
		t.Run(name, func(t *testing.T) {
			config := s.read(t)
			defer func() {
				s.write(t, config)
				s.up(t)
			}()
			test(t, s)
		})
	}
}

// The frontend's image can't be pulled, and then the backend's probe fails, which leaves the frontend as it is.
func neverGetsReady(t *testing.T, s *testStack) {
	s.set(t, "frontend", "rolloutSeconds: 40")
	s.set(t, "frontend", "image: ghcr.io/acme/frontend:absent")
	failsToRollOut(t, s, map[string]string{"frontend": "ghcr.io/acme/frontend:absent"})
	s.set(t, "backend", "rolloutSeconds: 40")
	s.set(t, "backend", "healthPath: /nowhere")
	before := pods(t, s.name, "frontend")
	failsToRollOut(t, s, map[string]string{"backend": "404"})
	if news := started(before, pods(t, s.name, "frontend")); len(news) > 0 {
		t.Errorf("the frontend's pods %s started although the backend's failed", news)
	}
}

// anotherPage has the page of the image, with a script of another name for each release.
const anotherPage = `cp -r /usr/share/frontend /tmp/page && cd /tmp/page &&
for script in assets/*.js; do mv $script ${script%.js}-$RELEASE.js; done &&
sed -i -E "s#(assets/[^\"]*)\\.js#\\1-$RELEASE.js#g" index.html &&
sed "s#/usr/share/frontend#/tmp/page#" /etc/nginx/nginx.conf >/tmp/nginx.conf &&
exec nginx -e stderr -c /tmp/nginx.conf -g "daemon off;"`

// keepsItsScripts loads pages with the script that each names, as a browser does. Both versions have pods for a while, and
// each has its own script alone.
func keepsItsScripts(t *testing.T, s *testStack) {
	const rate, pages = 15, 2000
	s.set(t, "nginx", "limits: { requestsPerClient: 72 }") // all browsers of the load are one client
	s.set(t, "frontend", "replicas: { min: 2, max: 2 }")
	s.set(t, "frontend", "command: [sh, -c, "+strconv.Quote(anotherPage)+"]")
	s.set(t, "frontend", `env: { RELEASE: "0" }`)
	s.up(t)
	page := load.Request{Method: http.MethodGet, Path: "/", Status: http.StatusOK, Page: true}
	l := load.Start(load.Options{
		Site: s.site, Rate: rate, Next: func(int) load.Request { return page },
		// A connection for each: a browser that comes again.
		Client: func() *http.Client {
			return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: load.Seconds * time.Second}
		},
	})
	defer func() { _ = l.End(0) }()
	release := 0
	for release < 3 || len(l.Hits()) < pages {
		release++
		s.set(t, "frontend", fmt.Sprintf(`env: { RELEASE: "%d" }`, release))
		s.up(t)
		eventually(t, time.Minute, "the script of the new release", func() bool {
			return strings.HasSuffix(load.Script("/", call(t, http.StatusOK, http.MethodGet, s.site+"/", nil, nil).body), fmt.Sprintf("-%d.js", release))
		})
	}
	if err := l.End(pages); err != nil {
		t.Fatal(err)
	}
	hits := l.Hits()
	broken := slices.DeleteFunc(slices.Clone(hits), func(h load.Hit) bool { return h.Lost == "" })
	t.Logf("%d of %d pages are broken by %d rollouts: %s", len(broken), len(hits), release, broken)
	// A page of the last old pod, in its last moment, asks for its script when no such pod is left.
	if len(broken) > release {
		t.Errorf("%d of %d pages are broken, want at most one for each of %d rollouts", len(broken), len(hits), release)
	}
}

// tooLarge answers every request well; two seconds after its start its worker needs more memory than the pod has.
const tooLarge = `import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201 if self.command == "POST" else 200)
        self.end_headers()
    do_GET = do_POST = answer
if os.fork() == 0:
    time.sleep(2)
    held = b"x" * (400 << 20)
    time.sleep(600)
ThreadingHTTPServer(("", 8000), Handler).serve_forever()`

func needsTooMuchMemory(t *testing.T, s *testStack) {
	s.unset(t, "backend", "minReadySeconds")
	s.set(t, "backend", "rolloutSeconds: 40")
	s.set(t, "backend", "command: [python3, -c, "+strconv.Quote(tooLarge)+"]")
	failsToRollOut(t, s, map[string]string{"backend": "OOMKilled"})
}

// failsToRollOut wants the reason of each tier in what up says, and their old pods to serve on.
func failsToRollOut(t *testing.T, s *testStack, reasons map[string]string) {
	t.Helper()
	before := map[string][]string{}
	for tier := range reasons {
		before[tier] = runningPods(t, s.name, tier)
	}
	l := startLoad(s.site, 20)
	defer l.end()
	// Not bin/local up, which looks for the images before anything is changed.
	said := refused(t, ".local/bin/local exec -- %s/.local/bin/local deploy up --stack %s --config-file %s", root, s.name, s.config)
	reportLost(t, "a rollout that fails", l.failed())
	for tier, reason := range reasons {
		for _, want := range []string{"app-" + tier, reason} {
			if !strings.Contains(said, want) {
				t.Errorf("up said nothing of %q:\n%s", want, said)
			}
		}
		after := runningPods(t, s.name, tier)
		for _, pod := range before[tier] {
			if !slices.Contains(after, pod) {
				t.Errorf("of the old version's pods %s only %s are left", before[tier], after)
			}
		}
	}
}

// The first rollout fails, as the process still listens on the old port.
func movesItsPort(t *testing.T, s *testStack) {
	s.set(t, "backend", "rolloutSeconds: 40")
	s.set(t, "backend", "port: 9000")
	if said := refused(t, "%s", s.command("up")); !strings.Contains(said, "threetier:backend.formerPort: 8000 beside it") {
		t.Errorf("another port alone is refused with:\n%s", said)
	}
	s.set(t, "backend", "formerPort: 8000")
	s.set(t, "backend", `env: { PORT: "8000" }`)
	failsToRollOut(t, s, map[string]string{"backend": "refused"})

	l := startLoad(s.site, 20)
	defer l.end()
	s.set(t, "backend", `env: { PORT: "9000" }`)
	s.up(t)
	reportLost(t, "another port", l.failed())
	s.unset(t, "backend", "formerPort")
	s.up(t)
	reportLost(t, "the end of the former port", l.failed())
	s.set(t, "backend", "port: 8000") // as it was, for the tests that follow
	s.set(t, "backend", "formerPort: 9000")
	s.set(t, "backend", `env: { PORT: "8000" }`)
	s.up(t)
	reportLost(t, "the old port again", l.failed())
}

// migrations are the ids of the jobs.
func (s *testStack) migrations(t *testing.T) string {
	t.Helper()
	return kubectl(t, s.name, "get jobs -l app.kubernetes.io/name=backend-migration -o jsonpath='{.items[*].metadata.uid}'")
}

func stopsAtTheMigration(t *testing.T, s *testStack) {
	before := pods(t, s.name, "backend")
	l := startLoad(s.site, 20)
	defer l.end()
	s.set(t, "backend", "env: { LOG_LEVEL: info }")
	mended := s.read(t)
	s.set(t, "backend", `migrate: [sh, -c, "echo looking around; echo column price is in use >&2; exit 3"]`)
	said := refused(t, "%s", s.command("up"))
	if !strings.Contains(said, "column price is in use") {
		t.Errorf("up doesn't show what the migration said last:\n%s", said)
	}
	if news := started(before, pods(t, s.name, "backend")); len(news) > 0 {
		t.Errorf("the rollout has started %s", news)
	}
	reportLost(t, "a failed migration", l.failed())

	s.write(t, mended)
	s.up(t)
	if len(started(before, pods(t, s.name, "backend"))) == 0 {
		t.Error("once the migration is mended, the new version isn't rolled out")
	}
	reportLost(t, "the mended migration", l.failed())
}

func migratesOncePerChange(t *testing.T, s *testStack) {
	first := s.migrations(t)
	s.up(t)
	if again := s.migrations(t); again != first {
		t.Errorf("an up without a change ran a migration: %s, want %s", again, first)
	}
	s.set(t, "backend", "replicas: { min: 1, max: 2 }")
	s.up(t)
	if again := s.migrations(t); again != first {
		t.Error("another number of pods ran a migration")
	}
	s.set(t, "backend", "env: { LOG_LEVEL: info }")
	s.up(t)
	second := s.migrations(t)
	if second == first || strings.Contains(second, " ") {
		t.Errorf("after a change of env the migrations are %q, want another one instead of %q", second, first)
	}
}

// The images are the sample's, by two names; their migrations are commands. The older one fails on a schema that it
// doesn't know, as most tools do.
func rollsBackWithoutItsMigration(t *testing.T, s *testStack) {
	const older, newer, reason = "ghcr.io/acme/backend:1.0.0", "ghcr.io/acme/backend:1.1.0", "1.0.0 fails on the schema of 1.1.0"
	retag(t, older, newer)
	s.set(t, "backend", `migrate: [sh, -c, "alembic current | grep -q '^0001' || { echo can not locate the revision >&2; exit 1; }"]`)
	before := s.read(t)
	l := startLoad(s.site, 20)
	defer l.end()

	migration := `from alembic import op\nrevision, down_revision = "0002", "0001"\n` +
		`def upgrade():\n    op.execute("ALTER TABLE items ADD COLUMN note text")\n`
	s.set(t, "backend", "image: "+newer)
	s.set(t, "backend", "migrate: [sh, -c, "+strconv.Quote("cp -r /app /tmp/newer && cd /tmp/newer && printf '"+migration+
		"' >migrations/versions/0002_newer.py && exec alembic upgrade head")+"]")
	s.up(t)
	addItem(t, s.site, "on the newer schema")

	s.write(t, before)
	s.set(t, "backend", fmt.Sprintf("allow: { %q: %q }", "skip migrate of "+older, reason))
	if said := s.up(t); !strings.Contains(said, "without its migration: "+reason) {
		t.Errorf("up doesn't say that the migration is skipped:\n%s", said)
	}
	if jobs := s.migrations(t); jobs != "" {
		t.Errorf("the rollback has the migrations %s", jobs)
	}
	version, err := psql(t, s.name, "verify-full", "select version_num from alembic_version")
	if err != nil || version != "0002" {
		t.Errorf("after the rollback the schema is at %q, %v, want 0002", version, err)
	}
	if all := titles(t, s.site); !slices.Contains(all, "on the newer schema") {
		t.Errorf("the item is gone: %s", all)
	}
	addItem(t, s.site, "by the older image")
	l.end()
	reportLost(t, "a rollback past a migration", l.failed())
	stored := allTitles(t, s.name, "load ")
	for _, title := range l.added() {
		if !stored[title] {
			t.Errorf("the item %q was acknowledged and is gone", title)
		}
	}

	s.set(t, "backend", "image: "+newer)
	if said := refused(t, "%s", s.command("preview")); !strings.Contains(said, "want none: the backend's image is "+newer) {
		t.Errorf("another image with the exception left in place is refused with:\n%s", said)
	}
}
