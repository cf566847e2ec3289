//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestStatusShowsTheStackOnOneScreen(t *testing.T) {
	said := must(t, "make --no-print-directory status STACK=dev")
	for _, want := range []string{
		`(?m)^dev +` + dev + `$`, `(?m)^tier +pods +restarts +last rollout +image$`,
		`(?m)^backend +\d+ of \d+ +\d+ +\d+ (s|min|h) ago +\S+/backend\S+$`, `(?m)^frontend +2 of 2 `, `(?m)^nginx +2 of 2 `,
		`(?m)^database +` + namespace("dev") + `-database, available, db\.t4g\.micro, PostgreSQL 17\S*, 20 GiB$`,
		`(?m)^certificate +none: the URL is no https$`, `(?m)^alarms +none: the stack config names no topic$`,
	} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("the status doesn't show %s:\n%s", want, said)
		}
	}
	if lines := strings.Count(said, "\n"); lines > 24 {
		t.Errorf("the status has %d lines, want one screen:\n%s", lines, said)
	}
}

func TestLogsFindOneRequestInAllTiers(t *testing.T) {
	id := fmt.Sprintf("find-me-%d", time.Now().UnixNano())
	call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, map[string]string{"X-Request-ID": id})
	call(t, http.StatusOK, http.MethodGet, dev+"/", nil, map[string]string{"X-Request-ID": id})
	var said string
	eventually(t, 10*time.Second, "four lines of the request", func() bool {
		said, _ = shell("make --no-print-directory logs STACK=dev REQUEST=" + id)
		return strings.Count(said, id) >= 4
	})
	var tiers []string
	for line := range strings.Lines(said) {
		if !strings.Contains(line, id) {
			t.Errorf("a line is of another request: %s", line)
		}
		tiers = append(tiers, regexp.MustCompile(`^\[pod/app-([a-z]+)-`).FindStringSubmatch(line)[1])
	}
	for tier, want := range map[string]int{"nginx": 2, "backend": 1, "frontend": 1} {
		if got := strings.Count(strings.Join(tiers, " "), tier); got != want {
			t.Errorf("%s has %d lines, want %d:\n%s", tier, got, want, said)
		}
	}
	if alone := must(t, "make --no-print-directory logs STACK=dev TIER=backend SINCE=5m REQUEST=%s", id); strings.Count(alone, "\n") != 1 {
		t.Errorf("the backend's lines are:\n%s", alone)
	}
	if said := refused(t, "make --no-print-directory logs STACK=dev REQUEST=no-such-request"); !strings.Contains(said, "no line of any tier has no-such-request") {
		t.Errorf("a request that nobody made gets: %s", said)
	}
	if last := must(t, "make --no-print-directory logs STACK=dev TIER=nginx"); !strings.Contains(last, id) {
		t.Errorf("the last lines of nginx don't have the request:\n%s", last)
	}
}
