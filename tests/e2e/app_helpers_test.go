//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// variant is Pulumi.dev.yaml with some of its text replaced: old, new, old, new …
func variant(t *testing.T, pairs ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "Pulumi.dev.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("Pulumi.dev.yaml has no %q to edit", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	file := filepath.Join(t.TempDir(), "variant.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// upVariant is the command that brings the dev stack to another config.
func upVariant(file string) string {
	return fmt.Sprintf("bin/local up --stack dev --port %d --config-file %s", devPort, file)
}

// upDev brings the dev stack back to its own config.
func upDev(t *testing.T) {
	t.Helper()
	must(t, "make up PORT=%d", devPort)
}

// retag gives an image that the node has a second name.
func retag(t *testing.T, image, name string) {
	t.Helper()
	must(t, ".local/bin/local exec -- ctr --address %s/run/containerd/containerd.sock --namespace k8s.io images tag --force %s %s", home, image, name)
}

// runningPods are the names of a tier's pods that aren't about to stop.
func runningPods(t *testing.T, stack, tier string) []string {
	t.Helper()
	lines := kubectl(t, stack, "get pods -l app.kubernetes.io/name="+tier+
		` --field-selector=status.phase=Running -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{"\n"}{end}'`)
	var names []string
	for line := range strings.Lines(lines) {
		if fields := strings.Fields(line); len(fields) == 1 {
			names = append(names, fields[0])
		}
	}
	return names
}

// load is a client that sends requests at a steady rate and counts every answer. Of twenty
// requests one adds an item, two want the page, and the rest list items.
type load struct {
	site     string
	ask      ask
	stop     context.CancelFunc
	done     sync.WaitGroup
	sent     atomic.Int64
	repeated atomic.Int64 // sent again by the client itself, since a kept connection was closed

	mu       sync.Mutex
	failures []failure
	added    []string // titles that the site said it has stored
}

// failure is a request without a good answer.
type failure struct {
	at         time.Time
	idempotent bool
	what       string
}

func (f failure) String() string { return f.at.Format("15:04:05.000") + " " + f.what }

// workers bound the requests that are under way at once, as a browser's connections do.
const workers = 16

// ask is the load's request of a number. The title is unique.
type ask func(i int, title string) (method, path, body string, want int)

func askForItems(i int, title string) (method, path, body string, want int) {
	switch i % 20 {
	case 0:
		return http.MethodPost, "/api/items", fmt.Sprintf(`{"title":%q}`, title), http.StatusCreated
	case 5, 15:
		return http.MethodGet, "/", "", http.StatusOK
	}
	return http.MethodGet, "/api/items?limit=10", "", http.StatusOK
}

// startLoad begins with a rate in requests per second; 0 is as many as the workers get answered.
func startLoad(site string, rate int) *load { return startLoadOf(site, rate, askForItems) }

func startLoadOf(site string, rate int, of ask) *load {
	return startLoadBy(site, rate, of, func() *http.Transport { return &http.Transport{} })
}

// startLoadBy begins a load whose workers each have a transport of their own.
func startLoadBy(site string, rate int, of ask, by func() *http.Transport) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{site: site, ask: of, stop: stop}
	turns := make(chan int, workers)
	l.done.Add(1)
	go func() {
		defer l.done.Done()
		defer close(turns)
		start := time.Now()
		for i := 0; ctx.Err() == nil; i++ {
			if rate > 0 {
				time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			}
			turns <- i
		}
	}()
	for range workers {
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			transport := by()
			transport.MaxIdleConnsPerHost = 1
			client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			for i := range turns {
				l.request(client, i)
			}
		}()
	}
	return l
}

func (l *load) request(client *http.Client, i int) {
	title := fmt.Sprintf("load %d %d", time.Now().UnixNano(), i)
	method, path, body, want := l.ask(i, title)
	connections := 0
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connections++ }}
	// Not the load's own context: a request that has begun is counted to its end.
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), method, l.site+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if body == "" {
		req.Body, req.GetBody = nil, nil
	}
	req.Header.Set("Content-Type", "application/json")
	what := ""
	resp, err := client.Do(req)
	if err == nil {
		var said []byte
		said, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			what = fmt.Sprintf("%s %s: status %d, want %d: %.300s", method, path, resp.StatusCode, want, said)
		}
	}
	if err != nil {
		what = fmt.Sprintf("%s %s: %v", method, path, err)
	}
	l.sent.Add(1)
	if connections > 1 {
		l.repeated.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case what != "":
		l.failures = append(l.failures, failure{time.Now(), method == http.MethodGet, what})
	case method == http.MethodPost:
		l.added = append(l.added, title)
	}
}

// end waits for the last answer.
func (l *load) end() {
	l.stop()
	l.done.Wait()
}

// failed takes out what has failed since it was last asked.
func (l *load) failed() []failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.failures
	l.failures = nil
	return taken
}

// lost are the failures of requests that may be sent again without harm.
func lost(failures []failure) []failure {
	return slices.DeleteFunc(slices.Clone(failures), func(f failure) bool { return !f.idempotent })
}

// capacity is how many requests per second the site answers when asked for all it can.
func capacity(t *testing.T, site string) int {
	t.Helper()
	const seconds = 6
	l := startLoad(site, 0)
	time.Sleep(seconds * time.Second)
	l.end()
	if failed := l.failed(); len(failed) > 0 {
		t.Fatalf("%d requests failed while the site's capacity was measured, the first: %s", len(failed), failed[0])
	}
	return int(l.sent.Load()) / seconds
}

// engineChanges are the operations of a run that weren't "same", as "operation type".
func engineChanges(t *testing.T, stack, run string) []string {
	t.Helper()
	var changes []string
	for _, e := range events(t, stack, run) {
		if e.Pre != nil && e.Pre.Metadata.Op != "same" && e.Pre.Metadata.Op != "read" {
			changes = append(changes, e.Pre.Metadata.Op+" "+e.Pre.Metadata.Type)
		}
	}
	return changes
}

// allTitles are those of a stack's items that begin with a word, from the database itself.
func allTitles(t *testing.T, stack, word string) map[string]bool {
	t.Helper()
	rows, err := psql(t, stack, "verify-full", fmt.Sprintf("select coalesce(json_agg(title), '[]') from items where title like '%s%%'", word))
	if err != nil {
		t.Fatalf("read the items: %v: %s", err, rows)
	}
	var titles []string
	if err := json.Unmarshal([]byte(rows), &titles); err != nil {
		t.Fatalf("read the items: %v: %.200s", err, rows)
	}
	found := map[string]bool{}
	for _, title := range titles {
		found[title] = true
	}
	return found
}
