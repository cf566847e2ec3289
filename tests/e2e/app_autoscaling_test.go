//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// wantedPods is the number that a Deployment is told to have.
func wantedPods(t *testing.T, tier string) int {
	t.Helper()
	n, err := strconv.Atoi(kubectl(t, "dev", "get deployment "+deployment(t, "dev", tier)+" -o jsonpath='{.spec.replicas}'"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLoadRaisesTheBackendsPodsAndQuietLowersThem(t *testing.T) {
	eventually(t, 6*time.Minute, "the two pods of a quiet backend", func() bool { return wantedPods(t, "backend") == 2 })
	l := startLoad(dev, 0)
	defer l.end()
	start := time.Now()
	eventually(t, 2*time.Minute, "more pods under load", func() bool { return wantedPods(t, "backend") > 2 })
	t.Logf("after %.0f s of load there are more pods", time.Since(start).Seconds())

	must(t, "make up PORT=%d", devPort)
	if changes := engineChanges(t, "dev", "up"); len(changes) > 0 {
		t.Errorf("an up under load changed %s", changes)
	}
	raised := wantedPods(t, "backend")
	if raised < 3 {
		t.Errorf("after an up under load there are %d pods, want more than 2", raised)
	}
	l.end()
	reportLost(t, fmt.Sprintf("with up to %d pods", raised), l.failed())

	quiet := time.Now()
	eventually(t, 5*time.Minute, "fewer pods when it is quiet", func() bool { return wantedPods(t, "backend") < raised })
	t.Logf("%d pods until %.0f s after the load", raised, time.Since(quiet).Seconds())
}
