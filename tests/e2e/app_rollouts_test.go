//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// What a rollout goes through while the stack serves. The tests build on one stack, and each leaves it as it was.
func TestRolloutsOfAServingStack(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "rollouts", "dev")
	s.up(t)
	for name, test := range map[string]func(*testing.T, *testStack){
		"PodThatNeverGetsReadyLeavesTheOldServing":       neverGetsReady,
		"ImageThatCannotBePulledLeavesTheOldServing":     cannotBePulled,
		"FailedMigrationStopsItAndShowsItsLastWords":     stopsAtTheMigration,
		"MigrationRunsOncePerChangeAndNotWithoutAChange": migratesOncePerChange,
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

func neverGetsReady(t *testing.T, s *testStack) {
	s.set(t, "backend", "rolloutSeconds: 40")
	s.set(t, "backend", "healthPath: /nowhere")
	failsToRollOut(t, s, "backend", "404")
}

func cannotBePulled(t *testing.T, s *testStack) {
	s.set(t, "frontend", "rolloutSeconds: 40")
	s.set(t, "frontend", "image: ghcr.io/acme/frontend:absent")
	failsToRollOut(t, s, "frontend", "ghcr.io/acme/frontend:absent")
}

func failsToRollOut(t *testing.T, s *testStack, tier, reason string) {
	t.Helper()
	before := runningPods(t, s.name, tier)
	l := startLoad(s.site, 20)
	defer l.end()
	// Not bin/local up, which looks for the images before anything is changed.
	said := refused(t, ".local/bin/local exec -- %s/.local/bin/local deploy up --stack %s --config-file %s", root, s.name, s.config)
	for _, want := range []string{"app-" + tier, reason} {
		if !strings.Contains(said, want) {
			t.Errorf("up said nothing of %q:\n%s", want, said)
		}
	}
	reportLost(t, "a rollout that fails", l.failed())
	after := runningPods(t, s.name, tier)
	for _, pod := range before {
		if !slices.Contains(after, pod) {
			t.Errorf("of the old version's pods %s only %s are left", before, after)
		}
	}
}

// migrations are the ids of the jobs.
func (s *testStack) migrations(t *testing.T) string {
	t.Helper()
	return kubectl(t, s.name, "get jobs -o jsonpath='{.items[*].metadata.uid}'")
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
