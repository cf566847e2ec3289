package step

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// showing lets the steps of a test write to a buffer.
func showing(t *testing.T) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	before := shown
	shown = &display{out: &out, processors: 2, start: time.Now(), left: map[string]bool{}}
	t.Cleanup(func() { shown = before })
	return &out
}

func TestAStepSaysWhatItsCommandsTookOfTheProcessors(t *testing.T) {
	out := showing(t)
	err := Run("work", func(s *Step) error {
		return s.Command(filepath.Join(t.TempDir(), "log"), exec.Command("sh", "-c", "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^• work …\n  work: [0-9.]+ s, [0-9.]*[1-9][0-9.]* s of CPU\n$`).Match(out.Bytes()) {
		t.Errorf("it says %q, want the seconds of CPU", out)
	}
}

func TestWhatIsLeftIsSaid(t *testing.T) {
	out := showing(t)
	Expect("build hyperkube", "build pulumi", "build etcd")
	Forget("build etcd")
	nothing := func(*Step) error { return nil }
	if err := errors.Join(Run("build hyperkube", nothing), Run("build pulumi", nothing), Run("another", nothing)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if !strings.HasPrefix(lines[0], "• build hyperkube … (2 of 2 steps left, about ") {
		t.Errorf("the first line is %q, want what is left", lines[0])
	}
	if !strings.HasPrefix(lines[2], "• build pulumi … (1 of 2 steps left, about ") {
		t.Errorf("the third line is %q, want what is left", lines[2])
	}
	if lines[4] != "• another …" {
		t.Errorf("the fifth line is %q, want nothing that is left", lines[4])
	}
}

func TestATerminalsLastLineIsWrittenOver(t *testing.T) {
	out := showing(t)
	shown.terminal = true
	Expect("build hyperkube")
	if err := Run("build hyperkube", func(*Step) error { time.Sleep(1200 * time.Millisecond); return nil }); err != nil {
		t.Fatal(err)
	}
	shown.mu.Lock()
	defer shown.mu.Unlock()
	if !strings.Contains(out.String(), "\r\033[K… build hyperkube (1 of 1 steps left, about ") || !strings.HasSuffix(out.String(), "s\n") {
		t.Errorf("it says %q, want a line in place, and a whole one at the end", out)
	}
}
