//go:build e2e && slow

package e2e

import (
	"strings"
	"testing"
	"time"
)

// The orphan of a killed up and the migration of the next one are two Jobs: the second one waits.
func TestSlowMigrationOfAKilledUpIsNeverJoinedByAnother(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "migrations", "dev")
	s.up(t)
	running := func() []string {
		names, err := shell(".local/bin/local exec -- kubectl --namespace " + namespace(s.name) + " get pods -l app.kubernetes.io/name=backend-migration" +
			` -o jsonpath='{range .items[?(@.status.containerStatuses[0].state.running)]}{.metadata.name} {end}'`)
		if err != nil {
			return nil
		}
		return strings.Fields(names)
	}
	s.set(t, "backend", `migrate: [sh, -c, "sleep 60"]`)
	kill(t, s.command("up"), "the migration runs", func() bool { return len(running()) == 1 })
	first := running()

	s.set(t, "backend", "env: { LOG_LEVEL: info }")
	ended, watched := make(chan struct{}), make(chan map[string]bool)
	go func() {
		seen := map[string]bool{}
		for {
			now := running()
			for _, pod := range now {
				seen[pod] = true
			}
			if len(now) > 1 {
				t.Errorf("the migrations %s run at once", now)
			}
			select {
			case <-ended:
				watched <- seen
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	s.up(t)
	close(ended)
	if seen := <-watched; len(seen) != 2 || len(first) != 1 || !seen[first[0]] {
		t.Errorf("the migrations %v ran, want two, of which the first is %s", seen, first)
	}
}
