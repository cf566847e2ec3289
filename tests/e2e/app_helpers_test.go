//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"threetier/gate/load"
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

// traffic is a load of which every answer counts. Of twenty requests one adds an item, two want the page, and the rest
// list items.
type traffic struct {
	*load.Load
	told int // hits whose failures were logged
	// short says that a load that has ended was none.
	short error
}

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
func startLoad(site string, rate int) *traffic { return startLoadOf(site, rate, askForItems) }

func startLoadOf(site string, rate int, of ask) *traffic {
	return startLoadBy(site, rate, of, func() *http.Transport { return &http.Transport{} })
}

// startLoadBy begins a load whose workers each have a transport of their own.
func startLoadBy(site string, rate int, of ask, by func() *http.Transport) *traffic {
	return &traffic{Load: load.Start(load.Options{
		Site: site, Rate: rate, Clients: workers,
		Client: func() *http.Client {
			transport := by()
			transport.MaxIdleConnsPerHost = 1
			return &http.Client{Transport: transport, Timeout: load.Seconds * time.Second}
		},
		Next: func(n int) load.Request {
			title := fmt.Sprintf("load %d %d", time.Now().UnixNano(), n)
			method, path, body, want := of(n-1, title)
			return load.Request{Method: method, Path: path, Body: body, Status: want, Mark: title}
		},
	})}
}

// leastShare of a load's rate is sent even through an outage, in which its workers wait. Fewer requests prove nothing.
const leastShare = 0.1

// end waits for the last answer.
func (l *traffic) end() {
	seconds := time.Since(l.Began).Seconds()
	l.short = l.End(int(max(1, float64(l.Rate)*leastShare) * seconds))
}

// sent is how many requests were answered or lost.
func (l *traffic) sent() int { return len(l.Hits()) }

// failed are the hits that have failed since it was last asked.
func (l *traffic) failed() []load.Hit {
	hits := l.Hits()[l.told:]
	l.told += len(hits)
	failed := slices.DeleteFunc(hits, func(h load.Hit) bool { return h.Lost == "" })
	if l.short != nil {
		failed = append(failed, load.Hit{At: time.Now(), Lost: "unmeasured", What: "nothing was measured: " + l.short.Error()})
	}
	return failed
}

// added are the titles that the site said it has stored.
func (l *traffic) added() []string {
	var titles []string
	for _, hit := range l.Hits() {
		if hit.Lost == "" && hit.Request.Method == http.MethodPost {
			titles = append(titles, hit.Request.Mark)
		}
	}
	return titles
}

// lost are the failures of requests that may be sent again without harm.
func lost(failures []load.Hit) []load.Hit {
	return slices.DeleteFunc(slices.Clone(failures), func(h load.Hit) bool { return h.Request.Method != http.MethodGet })
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
	return l.sent() / seconds
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
