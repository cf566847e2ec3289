//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// One image serves page and API, migrates at its start, and runs as worker and as jobs. The tests build on one stack.
func TestShapesOfAnApp(t *testing.T) {
	t.Parallel()
	buildSample(t, "whole", "registry.example.com/whole/app:1")
	s := newStack(t, "whole", "tests/e2e/sample/Pulumi.whole.yaml")
	s.release(t, 1)
	start := time.Now()
	s.up(t)
	t.Logf("the app is up after %.0f s", time.Since(start).Seconds())

	t.Run("OneImageServesPageAndAPI", s.servesPageAndAPI)
	t.Run("MessageComesBackThroughAWebSocket", s.echoesThroughAWebSocket)
	t.Run("UploadIsAsLargeAsItsRouteAllows", s.uploads)
	t.Run("EventsArriveOneByOne", s.streamsEvents)
	t.Run("FailedJobIsTriedAgainAndItsStatusPassedOn", s.failsWithItsStatus)
	t.Run("ScheduleIsKubernetesOwn", s.isScheduled)
	t.Run("WorkersAndJobsOutliveRollouts", s.rollsOutUnderWork)
	t.Run("AlarmsSeeRequestsAndRuns", s.isWatched)
}

// release sets what a new version has: a variable and a secret.
func (s *testStack) release(t *testing.T, number int) {
	t.Helper()
	s.set(t, "backend", fmt.Sprintf(`env: { RELEASE: "%d" }`, number))
	s.set(t, "backend", "secretEnv: { KEY: "+s.encrypt(t, fmt.Sprintf("%d-key", number))+" }")
}

func (s *testStack) servesPageAndAPI(t *testing.T) {
	for _, path := range []string{"/", "/orders/17"} {
		if page := call(t, http.StatusOK, http.MethodGet, s.site+path, nil, nil); !strings.Contains(page.body, `<main id="whole">`) {
			t.Errorf("%s is %q, want the page", path, page.body)
		}
	}
	call(t, http.StatusNotFound, http.MethodGet, s.site+"/api/nowhere", nil, nil)
	for _, kind := range []string{"pods", "services", "deployments", "networkpolicies"} {
		if all := kubectl(t, s.name, "get "+kind+" -o name"); strings.Contains(all, "frontend") {
			t.Errorf("of a frontend there are %s", all)
		}
	}
	if tables, err := psql(t, s.name, "verify-full", "select count(*) from tasks"); err != nil || tables != "0" {
		t.Errorf("the image has made its table with %q rows: %v", tables, err)
	}
}

func (s *testStack) echoesThroughAWebSocket(t *testing.T) {
	connection, err := net.DialTimeout("tcp", strings.TrimPrefix(s.site, "http://"), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The key and its answer are RFC 6455's own example.
	fmt.Fprint(connection, "GET /api/socket HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if accepted := answer.Header.Get("Sec-WebSocket-Accept"); answer.StatusCode != http.StatusSwitchingProtocols || accepted != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("the handshake was answered with %s, %q", answer.Status, accepted)
	}
	// A client's frame is masked: here with zeros.
	if _, err := connection.Write(append([]byte{0x81, 0x85, 0, 0, 0, 0}, "hello"...)); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 7)
	if _, err := io.ReadFull(reader, frame); err != nil || string(frame) != "\x81\x05hello" {
		t.Errorf("the message came back as %q: %v", frame, err)
	}
}

func (s *testStack) uploads(t *testing.T) {
	const mebibyte = 1 << 20
	body := make([]byte, 50*mebibyte)
	if _, err := rand.Read(body); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	post := func(path string, body []byte) (int, string) {
		req, err := http.NewRequest(http.MethodPost, s.site+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Expect", "100-continue") // the refusal comes before the body has gone
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("POST %s of %d bytes: %v", path, len(body), err)
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(said)
	}
	if status, said := post("/api/files", body); status != http.StatusOK || said != hex.EncodeToString(sum[:]) {
		t.Errorf("50 MiB to the route that allows them: status %d, %.200s", status, said)
	}
	if status, _ := post("/api/files", append(body, 0)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte more: status %d, want 413", status)
	}
	if status, _ := post("/api/other", body[:11*mebibyte]); status != http.StatusRequestEntityTooLarge {
		t.Errorf("11 MiB to another route: status %d, want 413", status)
	}
}

func (s *testStack) streamsEvents(t *testing.T) {
	resp, err := http.Get(s.site + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var came []time.Time
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") {
			came = append(came, time.Now())
		}
	}
	if len(came) != 3 || came[2].Sub(came[0]) < time.Second {
		t.Errorf("the events came at %s, want three of them, a second apart", came)
	}
}

func (s *testStack) failsWithItsStatus(t *testing.T) {
	out, err := shell("bin/local run --stack whole failing")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || strings.Count(out, "it fails") != 2 || !strings.Contains(out, "backoff limit") {
		t.Errorf("the job ended with %v, want 7, and the words of two tries:\n%s", err, out)
	}
	if said := refused(t, "make run STACK=whole JOB=nowhere"); !strings.Contains(said, `cronjobs.batch "nowhere" not found`) {
		t.Errorf("a job that isn't there is refused with:\n%s", said)
	}
}

func (s *testStack) isScheduled(t *testing.T) {
	got := kubectl(t, s.name, "get cronjobs failing nightly -o jsonpath='{range .items[*]}{.metadata.name} {.spec.suspend} {.spec.schedule} {.spec.timeZone}{\"\\n\"}{end}'")
	if got != "failing true @yearly Etc/UTC\nnightly false 0 3 * * * Europe/Berlin" {
		t.Errorf("the cron jobs are:\n%s", got)
	}
}

// rollsOutUnderWork changes image environment and Secret twice while rows are worked on and a job runs; the first of the
// two rollouts takes a worker away too.
func (s *testStack) rollsOutUnderWork(t *testing.T) {
	if _, err := psql(t, s.name, "verify-full", "insert into tasks select from generate_series(1, 40)"); err != nil {
		t.Fatal(err)
	}
	secrets := kubectl(t, s.name, "get secrets -o name")
	var log bytes.Buffer
	job := exec.Command(filepath.Join(root, ".local", "bin", "local"), "run", "--stack", s.name, "nightly")
	job.Stdout, job.Stderr = &log, &log
	if err := job.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- job.Wait() }()
	eventually(t, time.Minute, "the job has begun", func() bool {
		return strings.Contains(kubectl(t, s.name, "logs --tail=-1 --ignore-errors -l app.kubernetes.io/name=job-nightly"), "begun")
	})

	s.set(t, "workers", "packer: { command: [python3, /srv/work.py], stopSeconds: 20, resources: { cpu: 20m, memory: 64Mi } }")
	for number := 2; number <= 3; number++ {
		s.release(t, number)
		s.up(t)
	}
	if workers := runningPods(t, s.name, "worker-packer"); len(workers) != 1 {
		t.Errorf("the workers are %s, want one", workers)
	}
	for old := range strings.FieldsSeq(secrets) {
		if strings.Contains(old, "-env-") && strings.Contains(kubectl(t, s.name, "get secrets -o name"), old) {
			t.Errorf("the first release's %s is still there: the job proves nothing", old)
		}
	}
	if _, err := psql(t, s.name, "verify-full", "insert into signals values ('end')"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if want := "begun by release 1\nended by release 1 with the key 1\n"; err != nil || !strings.HasSuffix(log.String(), want) {
			t.Errorf("the job that ran through two deployments: %v, it said:\n%s", err, log.String())
		}
	case <-time.After(30 * time.Second):
		t.Error("the job didn't end when it was told to")
	}
	eventually(t, time.Minute, "all rows are done", func() bool { return s.tasks(t, "done = 0") == "0" })
	if lost := s.tasks(t, "taken <> 1 or done <> 1"); lost != "0" {
		t.Errorf("%s rows of 40 were not worked on exactly once", lost)
	}
}

func (s *testStack) tasks(t *testing.T, where string) string {
	t.Helper()
	count, err := psql(t, s.name, "verify-full", "select count(*) from tasks where "+where)
	if err != nil {
		t.Fatalf("count the tasks: %v: %s", err, count)
	}
	return count
}
