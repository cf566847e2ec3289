package node

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryKillsAreThoseOfContainers(t *testing.T) {
	dir := t.TempDir()
	for group, text := range map[string]string{
		"podA/one":           "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
		"podA/two":           "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n",
		"burstable/podB/one": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
		"burstable/podB":     "oom_kill_disable 0\nunder_oom 0\noom_kill 9\n", // a pod's own: no container's
	} {
		if err := os.MkdirAll(filepath.Join(dir, group), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, group, "memory.oom_control"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{filepath.Join(dir, "podA/two"): 3, filepath.Join(dir, "burstable/podB/one"): 1}
	if got := memoryKills(dir); !maps.Equal(got, want) {
		t.Errorf("the kills are %v, want %v", got, want)
	}
}
