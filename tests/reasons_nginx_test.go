package tests

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
)

// values are those of a directive in a rendered config, in order.
func values(config, directive string) (all []string) {
	for _, match := range regexp.MustCompile(`(?m)^\s*`+directive+`\s+([^;]+);`).FindAllStringSubmatch(config, -1) {
		all = append(all, match[1])
	}
	return all
}

// span is a time as nginx writes one, in seconds.
func span(t *testing.T, text string) float64 {
	t.Helper()
	number, err := strconv.ParseFloat(strings.TrimRight(text, "ms"), 64)
	require.NoError(t, err, text)
	if strings.HasSuffix(text, "ms") {
		return number / 1000
	}
	require.True(t, strings.HasSuffix(text, "s"), text)
	return number
}

func TestNginxWaitsAsLongAsItHelpsAndNoLonger(t *testing.T) {
	const longest = 25.0
	args := nginx.Args{TimeoutSeconds: int(longest), Routes: []nginx.RouteArgs{
		{Path: "/api", To: nginx.ToBackend}, {Path: "/up", To: nginx.ToBackend, TimeoutSeconds: 20}, {Path: "/", To: nginx.ToFrontend},
	}}
	config := renderNginx(t, args)
	for directive, want := range map[string]struct {
		low, high float64
		why       string
	}{
		"client_header_timeout":       {5, 30, "a client that sends a byte at a time holds a connection"},
		"client_body_timeout":         {10, 30, "a phone in a tunnel comes back, an attacker's upload ends"},
		"send_timeout":                {15, 60, "a phone in a tunnel comes back, a reader that stopped lets go of its memory"},
		"proxy_connect_timeout":       {0.2, 1, "another pod could have answered; a packet that was lost is sent again after 200 ms"},
		"proxy_next_upstream_timeout": {2, 10, "one request kills no more pods than it meets in this time"},
		"proxy_read_timeout":          {20, longest, "as the route says"},
		"proxy_send_timeout":          {20, longest, "as the route says"},
		"worker_shutdown_timeout":     {longest, longest, "running requests end before the process does"},
	} {
		found := values(config, directive)
		require.NotEmpty(t, found, "%s: %s", directive, want.why)
		for _, value := range found {
			assertBetween(t, want.low, want.high, span(t, value), "%s: %s", directive, want.why)
		}
	}
	for _, directive := range []string{"proxy_read_timeout", "proxy_send_timeout"} {
		assert.Equal(t, []string{"20s", "25s"}, slices.Compact(slices.Sorted(slices.Values(values(config, directive)))), "%s: each route's own", directive)
	}
	assert.Equal(t, []string{"on"}, values(config, "reset_timedout_connection"), "a client that was given up keeps none of the kernel's memory")
	assert.Equal(t, []string{"on"}, values(config, "proxy_socket_keepalive"), "a node that is gone is found out")
	for _, tried := range values(config, "proxy_next_upstream") {
		assert.NotContains(t, tried, "non_idempotent", "nothing is done twice")
		assert.NotContains(t, tried, "http_5", "an answer is an answer")
	}
}

// Without an answer of the DNS, a sticky request goes to any pod.
func TestADNSThatIsDownHoldsNoClientUp(t *testing.T) {
	config := renderNginx(t, nginx.Args{Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, Sticky: nginx.ByCookie}}})
	found := values(config, "resolver_timeout")
	require.Len(t, found, 1)
	assertBetween(t, 1, 5, span(t, found[0]), "a query that is lost is sent again, and no longer")
}

// A connection that outlives its end is one on which a request is lost.
func TestConnectionsAreGivenUpByWhoOpenedThem(t *testing.T) {
	config := renderNginx(t, nginx.Args{})
	times := map[string][]float64{}
	for _, directive := range []string{"keepalive_time", "keepalive_timeout"} {
		for _, value := range values(config, directive) {
			if value != "0" {
				times[directive] = append(times[directive], span(t, value))
			}
		}
	}
	require.GreaterOrEqual(t, len(times["keepalive_time"]), 3, "of clients, and of each upstream")
	assertBetween(t, 60, 300, times["keepalive_time"][0], "a client's connection is renewed before its pod has stopped (drainSeconds)")
	assertBetween(t, 20, 120, times["keepalive_timeout"][0], "a client's connection is there for its next click")
	for _, upstream := range times["keepalive_time"][1:] {
		assertBetween(t, 2, 15, upstream, "a connection to a pod is renewed before the pod has stopped")
	}
	for _, upstream := range times["keepalive_timeout"][1:] {
		assertBetween(t, 0.5, 4, upstream, "uvicorn gives up a silent connection after 5 s, gunicorn after 2: nginx does before")
	}
	for _, requests := range values(config, "keepalive_requests") {
		number, err := strconv.Atoi(requests)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, number, 1000, "a new connection for each hundred requests costs more than it is worth")
	}
}

// A new connection for each request costs a round trip, and a port until a minute after its end.
func TestConnectionsToPodsAreKept(t *testing.T) {
	var lock sync.Mutex
	opened := map[string]bool{}
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		opened[r.RemoteAddr] = true
	}))
	for range 20 {
		require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/api", "", nil).status)
	}
	config := renderNginx(t, nginx.Args{})
	assert.LessOrEqual(t, len(opened), directive(t, config, "worker_processes")[0], "each worker keeps its own")
	kept := 0
	for _, connections := range values(config, "keepalive") {
		connections, err := strconv.Atoi(connections)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, connections, 16, "requests at the same time, each of which needs one")
		kept += connections
	}
	assert.LessOrEqual(t, kept, directive(t, config, "worker_connections")[0]/4, "the most of a worker's connections are for clients")
}

func TestARefusedClientKeepsNothing(t *testing.T) {
	config := renderNginx(t, nginx.Args{})
	for _, location := range []string{"@busy", "@busy_page"} {
		_, rest, found := strings.Cut(config, "location "+location+" {")
		require.True(t, found, location)
		block, _, _ := strings.Cut(rest, "}")
		assert.Equal(t, []string{"0"}, values(block, "keepalive_timeout"), "%s: the connection goes with the answer", location)
		assert.Equal(t, []string{"off"}, values(block, "lingering_close"), "%s: nobody waits for the rest of its upload", location)
	}
	assert.Len(t, regexp.MustCompile(`error_page 503 @busy(_page)?;`).FindAllString(config, -1), strings.Count(config, "proxy_pass "), "on every route")
}

// Whoever has an IPv6 network of the usual size has more addresses than the internet of IPv4.
func TestAnIPv6NetworkIsOneClient(t *testing.T) {
	config := renderNginx(t, nginx.Args{Limits: nginx.LimitArgs{RatePerClient: 5}})
	assert.Contains(t, config, `"~(?s)^(?<net64>.{8}).{8}$" $net64;`, "16 bytes are an IPv6 address: 8 of them are its /64")
	perClient := 0
	for _, zone := range append(values(config, "limit_conn_zone"), values(config, "limit_req_zone")...) {
		if strings.Contains(zone, "zone=client_") {
			perClient++
			assert.True(t, strings.HasPrefix(zone, "$client_net ") || strings.HasPrefix(zone, "$upload_client "), zone)
		}
	}
	assert.Equal(t, 3, perClient, "requests, uploads, rate")
	assert.Contains(t, config, `default "$upload_size $client_net";`, "an upload's client too")
}
