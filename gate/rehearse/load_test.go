package rehearse

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/load"
)

// site answers as a handler does, and notes the requests.
func site(t *testing.T, handler func(w http.ResponseWriter, r *http.Request)) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		all = append(all, fmt.Sprintf("%s %s %s", r.Method, r.URL, body))
		mu.Unlock()
		if err == nil {
			handler(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestLoadCountsAnswersByTheExpectedStatus(t *testing.T) {
	url, asked := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "no column\nprice")
		case "/cut":
			panic(http.ErrAbortHandler)
		}
	})
	file := parsed(t, `
load:
  requests:
    - { path: /, share: 2 }
    - { path: /missing, status: 404 }
    - { path: /broken }
    - { method: POST, path: "/cut?n={n}", body: { n: "{n}" } }
`)
	l, err := startLoad(url, 100, file.Load.Requests)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(l.Hits()) >= 100 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, l.End(1))

	kinds := map[string]int{}
	for _, h := range l.Hits() {
		kinds[h.Lost]++
		if h.Lost == "500" {
			assert.Regexp(t, `^GET /broken: status 500, want 200: no column price$`, h.What)
		}
	}
	all := float64(len(l.Hits()))
	assert.InDelta(t, all*3/5, kinds[""], 2, "the page twice, and the missing one that is expected")
	assert.InDelta(t, all/5, kinds["500"], 1)
	assert.InDelta(t, all/5, kinds["cut off"], 1)
	assert.Len(t, kinds, 3)
	assert.Regexp(t, `POST /cut\?n=(\d+) {"n":"\d+"}`, strings.Join(asked(), "\n"))
}

func TestLoadKeepsItsRateWhateverTheAnswers(t *testing.T) {
	url, asked := site(t, func(http.ResponseWriter, *http.Request) { time.Sleep(500 * time.Millisecond) })
	l, err := startLoad(url, 50, parsed(t, "load: { requests: [{ path: / }] }").Load.Requests)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(asked()) >= 60 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, l.End(1))
	hits := l.Hits()
	assert.Less(t, hits[len(hits)-1].At.Sub(l.Began), 6*time.Second, "20 at a time would take that long with 10 clients that wait")
}

func TestRefusedConnectionIsAKindOfItsOwn(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	l, err := startLoad(server.URL, 50, parsed(t, "load: { requests: [{ path: / }] }").Load.Requests)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(l.Hits()) > 0 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, l.End(1))
	assert.Equal(t, "refused", l.Hits()[0].Lost)
}

func TestDefaultLoadIsThePageAndTheSafeReadsThatAnswer(t *testing.T) {
	url, _ := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/openapi.json":
			fmt.Fprint(w, `{"openapi": "3.1.0", "paths": {"/api/items": {"get": {}}, "/api/me": {"get": {}}, "/api/old": {"get": {}}}}`)
		case "/api/me":
			w.WriteHeader(http.StatusUnauthorized)
		case "/api/old":
			http.Redirect(w, r, "/api/items", http.StatusFound)
		}
	})
	requests, notes, err := choose(url, parsed(t, "").Load)
	require.NoError(t, err)
	var all []string
	for _, request := range requests {
		all = append(all, fmt.Sprintf("%s %d", request, request.Status))
	}
	assert.Equal(t, []string{"GET / 200", "GET /api/items 200", "GET /api/old 302"}, all)
	assert.Equal(t, []string{"GET /api/me is answered with 401: it isn't part of the load."}, notes)
}

func TestBackendWithoutADescriptionIsLoadedByItsPage(t *testing.T) {
	url, _ := site(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") })
	requests, notes, err := choose(url, parsed(t, "").Load)
	require.NoError(t, err)
	assert.Len(t, requests, 1)
	assert.Equal(t, []string{"The backend has no OpenAPI document at /api/openapi.json or /openapi.json: the load is the page alone."}, notes)
}

func TestRequestsAreCountedInTheStepInWhichTheyBegan(t *testing.T) {
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	hits := []load.Hit{
		{At: at(0.5), Took: 10 * time.Millisecond},
		{At: at(9.9), Took: 30 * time.Second, Lost: "timeout", What: "GET /: timeout"},
		{At: at(10), Took: 20 * time.Millisecond},
		{At: at(21), Took: 40 * time.Millisecond},
	}
	steps := []Step{{From: 0, To: 10}, {From: 10, To: 20}}
	timeline := count(hits, began, steps)
	assert.Equal(t, Step{From: 0, To: 10, Sent: 2, Lost: map[string]int{"timeout": 1}, Example: "GET /: timeout", P50: 10, P99: 10}, steps[0])
	assert.Equal(t, 2, steps[1].Sent, "the last step has what was sent until the load ended")
	assert.Len(t, timeline, 22)
	assert.Equal(t, Second{Sent: 1, Lost: 1}, timeline[9])
	assert.Equal(t, Second{Sent: 1, P99: 40}, timeline[21])
}

func TestKindsOfRequestsAreMixed(t *testing.T) {
	next, err := mixed(parsed(t, "load: { requests: [{ path: /a, share: 7 }, { path: /b, share: 3 }] }").Load.Requests)
	require.NoError(t, err)
	var order strings.Builder
	for n := range 10 {
		order.WriteString(next(n + 1).Path[1:])
	}
	assert.Equal(t, 7, strings.Count(order.String(), "a"))
	assert.NotContains(t, order.String(), "bb")
}

// The expected status alone is good: a page that is gone, moved or forbidden is lost, and a site that answers nothing well has
// no load to measure.
func TestAnyOtherStatusThanTheExpectedOneIsLost(t *testing.T) {
	for _, status := range []int{204, 302, 401, 404, 429, 500} {
		url, _ := site(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		l, err := startLoad(url, 50, parsed(t, "load: { requests: [{ path: / }] }").Load.Requests)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(l.Hits()) > 0 }, 20*time.Second, 10*time.Millisecond)
		require.NoError(t, l.End(1))
		assert.Equal(t, fmt.Sprint(status), l.Hits()[0].Lost)
		if status >= 400 {
			_, _, err := choose(url, parsed(t, "").Load)
			assert.EqualError(t, err, "no request of the default load is answered well: name load.requests in rehearsal.yaml", status)
		}
	}
}
