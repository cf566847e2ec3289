//go:build e2e

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFailedRolloutLeavesTheOldVersionServingAndSaysWhy(t *testing.T) {
	defer upDev(t)
	cases := []struct {
		name  string
		pairs []string
		tier  string
		want  []string
	}{
		{"a pod that never gets ready", []string{
			"healthPath: /readyz", "rolloutSeconds: 20\n    healthPath: /nowhere"}, "backend", []string{"app-backend", "404"}},
		{"an image that can't be pulled", []string{
			frontendImage, "rolloutSeconds: 20\n    image: ghcr.io/acme/frontend:absent"}, "frontend", []string{"app-frontend", "ghcr.io/acme/frontend:absent"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := runningPods(t, "dev", c.tier)
			l := startLoad(dev, 20)
			defer l.end()
			// Not bin/local up, which looks for the images before anything is changed.
			said := refused(t, "bin/local exec -- env THREETIER_ROOT=$PWD %s deploy up --stack dev --config-file %s",
				filepath.Join(root, ".local", "bin", "local"), variant(t, c.pairs...))
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("up said nothing of %q:\n%s", want, said)
				}
			}
			reportLost(t, c.name, l.failed())
			after := runningPods(t, "dev", c.tier)
			// The autoscaler may have taken the others away.
			if old := slices.DeleteFunc(slices.Clone(after), func(pod string) bool { return !slices.Contains(before, pod) }); len(old) < 2 {
				t.Errorf("of the old version's pods %s only %s are left", before, old)
			}
		})
	}
}

const migrate = "migrate: [alembic, upgrade, head]"

// migrations are the ids of the jobs.
func migrations(t *testing.T) string {
	t.Helper()
	return kubectl(t, "dev", "get jobs -o jsonpath='{.items[*].metadata.uid}'")
}

func TestFailedMigrationStopsTheRolloutAndShowsItsLastWords(t *testing.T) {
	defer upDev(t)
	before := pods(t, "dev", "backend")
	l := startLoad(dev, 20)
	defer l.end()
	failing := variant(t,
		migrate, `migrate: [sh, -c, "echo looking around; echo column price is in use >&2; exit 3"]`,
		"LOG_LEVEL: debug", "LOG_LEVEL: info")
	said := refused(t, "%s", upVariant(failing))
	if !strings.Contains(said, "column price is in use") {
		t.Errorf("up doesn't show what the migration said last:\n%s", said)
	}
	if news := started(before, pods(t, "dev", "backend")); len(news) > 0 {
		t.Errorf("the rollout has started %s", news)
	}
	reportLost(t, "a failed migration", l.failed())

	must(t, "%s", upVariant(variant(t, "LOG_LEVEL: debug", "LOG_LEVEL: info")))
	if len(started(before, pods(t, "dev", "backend"))) == 0 {
		t.Error("once the migration is mended, the new version isn't rolled out")
	}
	reportLost(t, "the mended migration", l.failed())
}

func TestMigrationRunsOncePerChange(t *testing.T) {
	upDev(t)
	defer upDev(t)
	first := migrations(t)
	upDev(t)
	if again := migrations(t); again != first {
		t.Errorf("an up without a change ran a migration: %s, want %s", again, first)
	}
	must(t, "%s", upVariant(variant(t, "min: 2, max: 4", "min: 2, max: 3")))
	if again := migrations(t); again != first {
		t.Error("another number of pods ran a migration")
	}
	must(t, "%s", upVariant(variant(t, "LOG_LEVEL: debug", "LOG_LEVEL: info")))
	second := migrations(t)
	if second == first || strings.Contains(second, " ") {
		t.Errorf("after a change of env the migrations are %q, want another one instead of %q", second, first)
	}
}
