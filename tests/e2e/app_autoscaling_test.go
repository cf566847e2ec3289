//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wantedBackends is the number of pods that the backend's Deployment asks for.
func (s *testStack) wantedBackends(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(kubectl(t, s.name, "get deployment "+deployment(t, s.name, "backend")+" -o jsonpath='{.spec.replicas}'"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLoadRaisesTheBackendsPodsAndQuietLowersThem(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "scaling", "dev")
	s.set(t, "backend", "replicas: { min: 1, max: 3 }")
	s.up(t)
	l := startLoad(s.site, 0)
	defer l.end()
	start := time.Now()
	eventually(t, 2*time.Minute, "more pods under load", func() bool { return s.wantedBackends(t) > 1 })
	t.Logf("after %.0f s of load there are more pods", time.Since(start).Seconds())

	s.up(t)
	if changes := engineChanges(t, s.name, "up"); len(changes) > 0 {
		t.Errorf("an up under load changed %s", changes)
	}
	raised := s.wantedBackends(t)
	if raised < 2 {
		t.Errorf("after an up under load there are %d pods, want more than 1", raised)
	}
	l.end()
	reportLost(t, fmt.Sprintf("with up to %d pods", raised), l.failed())

	// Its new bounds come alone, as where its pods leave no room for a migration.
	s.set(t, "backend", "replicas: { min: 1, max: 2 }")
	first, _, _ := strings.Cut(s.block(t, "operate/nodes.md", "pulumi up --stack prod --target"), "\n")
	s.shell(t, first)
	if most := kubectl(t, s.name, "get hpa -l app.kubernetes.io/name=backend -o jsonpath='{.items[0].spec.maxReplicas}'"); most != "2" {
		t.Errorf("the autoscaler's maximum is %s, want 2", most)
	}

	quiet := time.Now()
	eventually(t, 5*time.Minute, "fewer pods when it is quiet", func() bool { return s.wantedBackends(t) < raised })
	t.Logf("%d pods until %.0f s after the load", raised, time.Since(quiet).Seconds())
}
