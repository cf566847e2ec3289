package load_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/load"
)

func get(path string) load.Request {
	return load.Request{Method: http.MethodGet, Path: path, Status: http.StatusOK}
}

// hits are those of a load that asks a site for one kind of request.
func hits(t *testing.T, of load.Request, site http.HandlerFunc) []load.Hit {
	t.Helper()
	server := httptest.NewServer(site)
	defer server.Close()
	l := load.Start(load.Options{
		Site: server.URL, Rate: 100, Next: func(int) load.Request { return of },
		Client: func() *http.Client { return &http.Client{Timeout: time.Second} },
	})
	require.Eventually(t, func() bool { return len(l.Hits()) > 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, l.End(1))
	return l.Hits()
}

func TestPageIsGoodWithItsScript(t *testing.T) {
	page := get("/shop/")
	page.Page = true
	for name, c := range map[string]struct{ html, script, lost, what string }{
		"both":                          {`<script src="https://cdn.example.org/x.js"></script><script type="module" crossorigin src="assets/a.js">`, "let a", "", ""},
		"its script is gone":            {`<script src="/shop/assets/b.js">`, "", "script 404", "GET /shop/assets/b.js, the script of /shop/: status 404, want 200: 404 page not found"},
		"a page in place of its script": {`<script src=/shop/assets/a.js>`, "<!doctype html>", "script html", "GET /shop/assets/a.js, the script of /shop/: it is a page"},
		"no script":                     {`<p>moved</p>`, "", "no script", "GET /shop/: the page names no script of this site"},
	} {
		hit := hits(t, page, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/shop/":
				fmt.Fprint(w, c.html)
			case "/shop/assets/a.js":
				fmt.Fprint(w, c.script)
			default:
				http.NotFound(w, r)
			}
		})[0]
		assert.Equal(t, c.lost, hit.Lost, name)
		assert.Equal(t, c.what, hit.What, name)
		if c.lost == "" {
			assert.Equal(t, len(c.html)+len(c.script), hit.Bytes)
		}
	}
}

func TestAnswerThatTakesTooLongIsATimeout(t *testing.T) {
	hit := hits(t, get("/"), func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })[0]
	assert.Equal(t, "timeout", hit.Lost)
	assert.InDelta(t, time.Second, hit.Took, float64(time.Second)/2)
}

// A kept connection that ends under a GET is no loss if the client gets an answer by itself, and Repeated says that.
func TestClientRepeatsAGetThatMetAClosedConnection(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if asked.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	l := load.Start(load.Options{
		Site: server.URL, Clients: 1, Next: func(int) load.Request { return get("/") },
		Client: func() *http.Client { return &http.Client{Transport: &http.Transport{}} },
	})
	require.Eventually(t, func() bool { return len(l.Hits()) >= 2 }, 20*time.Second, time.Millisecond)
	require.NoError(t, l.End(2))
	assert.True(t, l.Hits()[1].Repeated)
	assert.Empty(t, l.Hits()[1].Lost)
	assert.False(t, l.Hits()[0].Repeated)
}

func TestClientsBoundTheRequestsUnderWayAndEndWaitsForTheLastAnswer(t *testing.T) {
	var mu sync.Mutex
	now, most, answered := 0, 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(50 * time.Millisecond)
		mu.Lock()
		now--
		answered++
		mu.Unlock()
	}))
	defer server.Close()
	l := load.Start(load.Options{
		Site: server.URL, Clients: 4, Next: func(int) load.Request { return get("/") },
		Client: func() *http.Client { return &http.Client{Transport: &http.Transport{}} },
	})
	require.Eventually(t, func() bool { return len(l.Hits()) >= 8 }, 20*time.Second, time.Millisecond)
	require.NoError(t, l.End(8))
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, 4, most)
	assert.Len(t, l.Hits(), answered)
	assert.EqualError(t, l.End(1_000_000), fmt.Sprintf("%d requests were sent, want 1000000 or more", answered))
}

// Each kept connection that was closed costs another try. A request may not go round all of them.
func TestClientRepeatsNoRequestForEver(t *testing.T) {
	const kept = 8
	var asked atomic.Int64
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		switch n := asked.Add(1); {
		case n > kept:
			panic(http.ErrAbortHandler)
		case n == kept:
			close(all)
		}
		<-all
	}))
	defer server.Close()
	l := load.Start(load.Options{
		Site: server.URL, Rate: 20, Next: func(int) load.Request { return get("/") },
		Client: func() *http.Client { return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: kept}} },
	})
	require.Eventually(t, func() bool { return len(l.Hits()) > kept }, 20*time.Second, time.Millisecond)
	require.NoError(t, l.End(kept))
	assert.Contains(t, l.Hits()[kept].What, "GET /: the client wanted to send it more than 3 times")
}
