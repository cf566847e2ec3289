//go:build e2e && slow

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSlowPreviewsComeAndGo makes 20 previews, of which five are killed half-way, and takes each away again, under load on dev.
func TestSlowPreviewsComeAndGo(t *testing.T) {
	letPreviewsIn(t)
	load := startLoad(dev, 20)
	var seconds []float64
	for number := 1; number <= 20; number++ {
		if number%4 == 0 {
			killedUp(t, number, time.Duration(number)*time.Second)
		} else {
			start := time.Now()
			must(t, "make preview-up PR=%d", number)
			call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, ofPreview(number))
			seconds = append(seconds, time.Since(start).Seconds())
		}
		must(t, "make preview-down PR=%d", number)
		if left := previewsLeft(t); left != "" {
			t.Errorf("pr-%d leaves %s", number, left)
		}
	}
	load.end()
	if failed := load.failed(); len(failed) > 0 {
		t.Errorf("%d of %d of dev's requests are lost, the first: %s", len(failed), load.sent(), failed[0])
	}
	slices.Sort(seconds)
	t.Logf("from make preview-up to an answer: median %.0f s, longest %.0f s; dev answered %d requests", seconds[len(seconds)/2], seconds[len(seconds)-1], load.sent())
}

// killedUp ends an up, and the processes that it has started, after a while.
func killedUp(t *testing.T, number int, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	command := exec.CommandContext(ctx, "make", "preview-up", fmt.Sprintf("PR=%d", number))
	command.Dir = root
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	if err := command.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Logf("pr-%d was up before it was killed: %v", number, err)
	}
}
