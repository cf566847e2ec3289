package tests

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
	realnginx "threetier/tests/nginx"
)

// site is a rendered config in a real nginx, before two stubs that say what reached them.
type site struct {
	*realnginx.Server
	log               *lockedBuffer
	backend, frontend *httptest.Server
}

// seen is what a stub was sent, as it tells it.
type seen struct {
	Upstream, Method, URI, Body string
	Header                      http.Header
}

func startSite(t *testing.T, args nginx.Args, backend http.Handler) *site {
	t.Helper()
	t.Parallel()
	requireNginx(t)
	if backend == nil {
		backend = echo("backend")
	}
	s := &site{log: &lockedBuffer{}, backend: httptest.NewServer(backend), frontend: httptest.NewServer(echo("frontend"))}
	t.Cleanup(s.backend.Close)
	t.Cleanup(s.frontend.Close)
	require.NoError(t, args.Complete().Err())
	config, err := nginx.RenderConfig(args, upstreamAt(s.backend), upstreamAt(s.frontend))
	require.NoError(t, err)
	s.Server, err = realnginx.Start(config, t.TempDir(), s.log)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("nginx didn't stop by itself: %v\n%s", err, s.log)
		}
	})
	return s
}

// startNginxArgs runs one more before the stubs of a site.
func startNginxArgs(t *testing.T, s *site, args nginx.Args) string {
	t.Helper()
	config, err := nginx.RenderConfig(args, upstreamAt(s.backend), upstreamAt(s.frontend))
	require.NoError(t, err)
	return startNginx(t, config)
}

// startNginx runs one config more, and returns its URL.
func startNginx(t *testing.T, config string) string {
	t.Helper()
	server, err := realnginx.Start(config, t.TempDir(), &lockedBuffer{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return server.URL
}

func upstreamAt(server *httptest.Server) string {
	return server.Listener.Addr().String()
}

func echo(upstream string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Header.Set("Host", r.Host)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{Upstream: upstream, Method: r.Method, URI: r.RequestURI, Body: string(body), Header: r.Header})
	})
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	require.NoError(t, json.Unmarshal([]byte(a.body), &s), "%d %s", a.status, a.body)
	return s
}

// ask sends one request with raw path and headers, and follows no redirect.
func ask(t *testing.T, base, method, uri, body string, header map[string]string) answer {
	t.Helper()
	target, err := url.Parse(base)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), method, base, strings.NewReader(body))
	require.NoError(t, err)
	request.URL = &url.URL{Scheme: "http", Host: target.Host, Opaque: uri}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	if host := header["Host"]; host != "" {
		request.Host = host
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{status: response.StatusCode, header: response.Header, body: string(content)}
}

func TestAHostWithRoutesOfItsOwnHasNoOthers(t *testing.T) {
	args := nginx.Args{Hosts: []string{"shop.example.org", "*.shop.example.org"}, Routes: []nginx.RouteArgs{
		{Path: "/", To: nginx.ToFrontend},
		{Path: "/api", To: nginx.ToBackend},
		{Path: "/", To: nginx.ToBackend, Host: "api.shop.example.org"},
		{Path: "/files", To: nginx.ToFrontend, Host: "*.files.shop.example.org"},
	}}
	require.Contains(t, renderNginx(t, args), "limit_conn_zone all zone=requests:64k;", "all hosts share the limit of requests")
	s := startSite(t, args, nil)
	for address, want := range map[string]string{
		"shop.example.org/x": nginx.ToFrontend, "shop.example.org/api": nginx.ToBackend, "shop.example.org/files": nginx.ToFrontend, "www.shop.example.org/api": nginx.ToBackend,
		"api.shop.example.org/": nginx.ToBackend, "API.shop.example.org:80/files": nginx.ToBackend, "a.files.shop.example.org/files/x": nginx.ToFrontend,
		"a.files.shop.example.org/api": "404", "api.example.org/": "421",
	} {
		host, path, _ := strings.Cut(address, "/")
		got := ask(t, s.URL, http.MethodGet, "/"+path, "", map[string]string{"Host": host})
		if got.status == http.StatusOK {
			require.Equal(t, want, got.seen(t).Upstream, address)
			continue
		}
		require.Equal(t, want, strconv.Itoa(got.status), address)
	}
}

func TestNginxSendsEachPathWhereItsLongestRouteLeads(t *testing.T) {
	s := startSite(t, nginx.Args{Routes: []nginx.RouteArgs{
		{Path: "/", To: nginx.ToFrontend},
		{Path: "/api", To: nginx.ToBackend},
		{Path: "/api/docs", To: nginx.ToFrontend},
		{Path: "/svc", To: nginx.ToBackend, StripPrefix: true},
		{Path: "/svc/v2", To: nginx.ToBackend},
	}}, nil)
	for uri, want := range map[string]seen{
		"/":                       {Upstream: "frontend", URI: "/"},
		"/index.html":             {Upstream: "frontend", URI: "/index.html"},
		"/api":                    {Upstream: "backend", URI: "/api"},
		"/api/":                   {Upstream: "backend", URI: "/api/"},
		"/api/items?limit=5&x=%2": {Upstream: "backend", URI: "/api/items?limit=5&x=%2"},
		"/api?x=1":                {Upstream: "backend", URI: "/api?x=1"},
		"/apix":                   {Upstream: "frontend", URI: "/apix"},
		"/api.json":               {Upstream: "frontend", URI: "/api.json"},
		"/API/items":              {Upstream: "frontend", URI: "/API/items"},
		"/api/docs":               {Upstream: "frontend", URI: "/api/docs"},
		"/api/docs/a":             {Upstream: "frontend", URI: "/api/docs/a"},
		"/api/docsx":              {Upstream: "backend", URI: "/api/docsx"},
		"/api/a%2Fb":              {Upstream: "backend", URI: "/api/a%2Fb"},
		"/api/a%20b":              {Upstream: "backend", URI: "/api/a%20b"},
		"/svc":                    {Upstream: "backend", URI: "/"},
		"/svc?x=1":                {Upstream: "backend", URI: "/?x=1"},
		"/svc/":                   {Upstream: "backend", URI: "/"},
		"/svc/items/1?x=a%20b":    {Upstream: "backend", URI: "/items/1?x=a%20b"},
		"/svc/a%20b":              {Upstream: "backend", URI: "/a%20b"},
		"/svc/v2/x":               {Upstream: "backend", URI: "/svc/v2/x"},
		"/svcx":                   {Upstream: "frontend", URI: "/svcx"},
	} {
		t.Run(uri, func(t *testing.T) {
			got := ask(t, s.URL, http.MethodGet, uri, "", nil).seen(t)
			require.Equal(t, want.Upstream, got.Upstream)
			require.Equal(t, want.URI, got.URI)
		})
	}
}

func TestNginxTellsTheUpstreamWhoAsks(t *testing.T) {
	s := startSite(t, nginx.Args{TrustedProxies: []string{"127.0.0.0/8", "10.0.0.0/8"}, Routes: []nginx.RouteArgs{
		{Path: "/", To: nginx.ToFrontend}, {Path: "/svc", To: nginx.ToBackend, StripPrefix: true},
	}}, nil)
	for name, c := range map[string]struct {
		uri  string
		sent map[string]string
		want map[string]string
	}{
		"a plain request": {uri: "/", sent: map[string]string{"Host": "shop.example:8443"}, want: map[string]string{
			"Host": "shop.example:8443", "X-Forwarded-Host": "shop.example:8443", "X-Forwarded-Proto": "http",
			"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Prefix": "", "Upgrade": "", "Connection": "",
		}},
		"a trusted proxy is believed": {uri: "/", sent: map[string]string{
			"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https",
		}, want: map[string]string{"X-Forwarded-For": "203.0.113.7", "X-Real-Ip": "203.0.113.7", "X-Forwarded-Proto": "https"}},
		"what lies before the first untrusted hop isn't": {uri: "/", sent: map[string]string{
			"X-Forwarded-For": "198.51.100.1, 203.0.113.7, 10.0.0.5",
		}, want: map[string]string{"X-Forwarded-For": "203.0.113.7"}},
		"only schemes that exist": {uri: "/", sent: map[string]string{"X-Forwarded-Proto": "gopher"},
			want: map[string]string{"X-Forwarded-Proto": "http"}},
		"what a client has no business saying": {uri: "/", sent: map[string]string{
			"Forwarded": "for=1.2.3.4", "Proxy": "http://evil", "X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/evil", "X-Real-IP": "1.2.3.4",
		}, want: map[string]string{"Forwarded": "", "Proxy": "", "X-Forwarded-Port": "", "X-Forwarded-Prefix": "", "X-Real-Ip": "127.0.0.1"}},
		"an upgrade to anything but a WebSocket": {uri: "/", sent: map[string]string{"Connection": "upgrade", "Upgrade": "h2c"},
			want: map[string]string{"Upgrade": "", "Connection": ""}},
		"a route's prefix that was removed": {uri: "/svc/x", want: map[string]string{"X-Forwarded-Prefix": "/svc"}},
		"the app's own headers":             {uri: "/", sent: map[string]string{"Authorization": "Bearer x", "Cookie": "a=b"}, want: map[string]string{"Authorization": "Bearer x", "Cookie": "a=b"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, s.URL, http.MethodGet, c.uri, "", c.sent).seen(t)
			for header, value := range c.want {
				require.Equal(t, value, got.Header.Get(header), header)
			}
		})
	}
}

func TestNginxPassesHeadersWithAnUnderscoreThatForgeNothing(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	sent := map[string]string{"access_token": "x", "X_Custom": "y", "X_Request_ID": "0af7651916cd43dd8448eb211c80319c"}
	for _, header := range []string{
		"X_Forwarded_For", "X-Forwarded_For", "x_forwarded-for", "X_FORWARDED_PROTO", "X_Forwarded_Host", "X-Forwarded_Prefix", "X_Forwarded_Port",
		"X-Forwarded-Ssl", "X_Forwarded_SSL", "X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded_Scheme", "X-Forwarded-Server", "X-Url-Scheme",
		"X-Original-Url", "X_Original_URL", "X-Rewrite-Url", "X_Real_IP", "x_real-ip", "Content_Length", "Content_Type", "Transfer_Encoding", "SCRIPT_NAME", "Path_Info",
	} {
		sent[header] = "/forged"
	}
	got := ask(t, s.URL, http.MethodPost, "/api", "body", sent).seen(t)
	require.Equal(t, "body", got.Body)
	passed := map[string]string{}
	for header, values := range got.Header {
		if strings.Contains(header, "_") {
			passed[header] = strings.Join(values, ", ")
		}
		require.NotContains(t, values, "/forged", header)
	}
	require.Equal(t, map[string]string{"Access_token": "x", "X_custom": "y"}, passed)
}

func TestNginxBelievesNobodyUnlessTold(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	got := ask(t, s.URL, http.MethodGet, "/", "", map[string]string{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}).seen(t)
	require.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
	require.Equal(t, "http", got.Header.Get("X-Forwarded-Proto"))
}

func TestNginxMakesARequestIdOrPassesASaneOneOn(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	for sent, kept := range map[string]bool{
		"0af7651916cd43dd8448eb211c80319c": true,
		"2f1b0c9e-1d7a-4c55-9d0e-6a1f.b_2": true,
		"Root=1-67891233-abcdef012345678":  false,
		"a:b/c+d=12345":                    false,
		"":                                 false,
		"short":                            false,
		`x", "status":200, "forged":"`:     false,
		strings.Repeat("a", 129):           false,
	} {
		got := ask(t, s.URL, http.MethodGet, "/api", "", map[string]string{"X-Request-ID": sent})
		id := got.header.Get("X-Request-ID")
		require.Equal(t, id, got.seen(t).Header.Get("X-Request-ID"), "the client and the upstream see the same id")
		if kept {
			require.Equal(t, sent, id)
		} else {
			require.Regexp(t, `^[0-9a-f]{32}$`, id)
		}
	}
}

func TestNginxAnswersItsHealthCheckWithoutALogLine(t *testing.T) {
	s := startSite(t, nginx.Args{CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"}, nil)
	for _, base := range []string{s.URL, s.TLSURL} {
		got := ask(t, base, http.MethodGet, nginx.HealthPath, "", nil)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "ok\n", got.body)
	}
	ask(t, s.TLSURL, http.MethodGet, "/last", "", nil)
	lines := s.logLines(t, 1)
	require.Len(t, lines, 1)
	require.Equal(t, "/last", lines[0]["path"])
}

func TestNginxLogsEachRequestAsOneJSONObject(t *testing.T) {
	s := startSite(t, nginx.Args{TrustedProxies: []string{"127.0.0.0/8"}}, nil)
	got := ask(t, s.URL, http.MethodPost, "/api/items?token=secret", "0123456789", map[string]string{
		"User-Agent": `quote " backslash \ end`, "X-Forwarded-For": "203.0.113.7",
	})
	line := s.logLines(t, 1)[0]
	require.Equal(t, got.header.Get("X-Request-ID"), line["request_id"])
	require.Equal(t, "POST", line["method"])
	require.Equal(t, "/api/items", line["path"])
	require.Equal(t, float64(200), line["status"])
	require.Equal(t, "203.0.113.7", line["client"])
	require.Equal(t, "backend", line["upstream"])
	require.Equal(t, s.backend.Listener.Addr().String(), line["upstream_addr"])
	require.Equal(t, "200", line["upstream_status"])
	require.Equal(t, `quote " backslash \ end`, line["user_agent"])
	for _, field := range []string{"upstream_seconds", "upstream_header_seconds", "upstream_connect_seconds"} {
		require.Regexp(t, `^\d+\.\d{3}$`, line[field], field)
	}
	require.IsType(t, float64(0), line["seconds"])
	require.NotContains(t, s.log.String(), "secret", "query strings carry tokens")
}

func TestNginxLogsWhichUpstreamFailed(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	s.backend.Close()
	ask(t, s.URL, http.MethodGet, "/api?token=secret", "", map[string]string{"Referer": "https://shop.example/?token=secret"})
	line := s.logLines(t, 1)[0]
	require.NotContains(t, s.log.String(), "secret", "the error log is no other place for tokens")
	require.Equal(t, float64(http.StatusBadGateway), line["status"])
	require.Equal(t, "backend", line["upstream"])
	require.Contains(t, line["upstream_status"], "502, 502", "every try")
}

func TestNginxRedirectsPlainHTTPWhereThereIsACertificate(t *testing.T) {
	s := startSite(t, nginx.Args{CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"}, nil)
	got := ask(t, s.URL, http.MethodPost, "/a%20b?c=d", "", map[string]string{"Host": "shop.example:80"})
	require.Equal(t, http.StatusPermanentRedirect, got.status, "a POST stays one")
	require.Equal(t, "https://shop.example/a%20b?c=d", got.header.Get("Location"))

	behindTLS := ask(t, s.TLSURL, http.MethodGet, "/", "", nil)
	require.Equal(t, "https", behindTLS.seen(t).Header.Get("X-Forwarded-Proto"))
	require.Equal(t, "max-age=31536000", behindTLS.header.Get("Strict-Transport-Security"))
}

func TestNginxRedirectsOtherNamesToTheAppsOwn(t *testing.T) {
	www := "www." + strings.Repeat("long-name-", 6) + ".example"
	names := nginx.DomainArgs{Name: "shop.example", RedirectFrom: []string{www}, CertificateARNs: []pulumi.StringInput{pulumi.String("arn")}}
	s := startSite(t, nginx.Args{Domain: names}, nil)
	got := ask(t, s.TLSURL, http.MethodPost, "/a%20b?c=d", "", map[string]string{"Host": www})
	require.Equal(t, http.StatusPermanentRedirect, got.status, "a POST stays one")
	require.Equal(t, "https://shop.example/a%20b?c=d", got.header.Get("Location"))
	require.Equal(t, "max-age=31536000", got.header.Get("Strict-Transport-Security"))
	require.Equal(t, "https://"+www+"/x", ask(t, s.URL, http.MethodGet, "/x", "", map[string]string{"Host": www}).header.Get("Location"),
		"first to TLS, so that the browser keeps the name to it")
	for host, status := range map[string]int{
		"shop.example": http.StatusOK, "Shop.Example.:443": http.StatusOK, "other.example": http.StatusMisdirectedRequest,
		"shop.example.evil.example": http.StatusMisdirectedRequest, "127.0.0.1": http.StatusMisdirectedRequest,
	} {
		require.Equal(t, status, ask(t, s.TLSURL, http.MethodGet, "/x", "", map[string]string{"Host": host}).status, host)
	}
	require.Equal(t, http.StatusOK, ask(t, s.TLSURL, http.MethodGet, nginx.HealthPath, "", map[string]string{"Host": www}).status)
}

func TestNginxRedirectsOtherNamesBeforeThereIsACertificate(t *testing.T) {
	s := startSite(t, nginx.Args{Domain: nginx.DomainArgs{Name: "shop.example", RedirectFrom: []string{"www.shop.example"}}}, nil)
	require.Equal(t, "http://shop.example/x", ask(t, s.URL, http.MethodGet, "/x", "", map[string]string{"Host": "www.shop.example"}).header.Get("Location"))
	require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/x", "", map[string]string{"Host": "shop.example"}).status)
	require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/x", "", map[string]string{"Host": "lb.example"}).status,
		"until then the URL is the load balancer's")
}

func TestNginxServesWhatATrustedProxyGotByTLS(t *testing.T) {
	names := nginx.DomainArgs{Name: "shop.example", RedirectFrom: []string{"www.example"}, CertificateARNs: []pulumi.StringInput{pulumi.String("arn")}}
	s := startSite(t, nginx.Args{Domain: names, TrustedProxies: []string{"127.0.0.0/8"}}, nil)
	for _, c := range []struct{ host, scheme, location string }{
		{"shop.example", "https", ""},
		{"shop.example", "http", "https://shop.example/x"},
		{"shop.example", "", "https://shop.example/x"},
		{"www.example", "https", "https://shop.example/x"},
		{"www.example", "http", "https://www.example/x"},
	} {
		got := ask(t, s.URL, http.MethodGet, "/x", "", map[string]string{"Host": c.host, "X-Forwarded-Proto": c.scheme})
		require.Equal(t, c.location, got.header.Get("Location"), "%s by %q", c.host, c.scheme)
		if c.location == "" {
			require.Equal(t, "https", got.seen(t).Header.Get("X-Forwarded-Proto"))
		}
	}
	others := startNginxArgs(t, s, nginx.Args{Domain: names})
	got := ask(t, others, http.MethodGet, "/x", "", map[string]string{"Host": "shop.example", "X-Forwarded-Proto": "https"})
	require.Equal(t, http.StatusPermanentRedirect, got.status, "nobody else is believed")
}

func TestNginxAddsSecurityHeadersThatTheAppDidNotSet(t *testing.T) {
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("X-Powered-By", "stub")
		w.WriteHeader(http.StatusTeapot)
	}))
	own := ask(t, s.URL, http.MethodGet, "/api", "", nil)
	require.Equal(t, []string{"DENY"}, own.header.Values("X-Frame-Options"), "the app's own wins, once")
	require.Equal(t, []string{"nosniff"}, own.header.Values("X-Content-Type-Options"), "on errors too")
	require.Empty(t, own.header.Values("X-Powered-By"))
	require.Equal(t, "nginx", own.header.Get("Server"), "no version")

	ours := ask(t, s.URL, http.MethodGet, "/", "", nil)
	require.Equal(t, []string{"SAMEORIGIN"}, ours.header.Values("X-Frame-Options"))
	require.Equal(t, []string{"strict-origin-when-cross-origin"}, ours.header.Values("Referrer-Policy"))
	require.Empty(t, ours.header.Values("Strict-Transport-Security"), "plain HTTP must not promise TLS")
}

func TestNginxAnswersItsOwnErrorsInJSONOnAPIRoutes(t *testing.T) {
	s := startSite(t, nginx.Args{MaxBodySize: "1k", Routes: []nginx.RouteArgs{
		{Path: "/api", To: nginx.ToBackend}, {Path: "/big", To: nginx.ToBackend, MaxBodySize: "2k"}, {Path: "/ui", To: nginx.ToFrontend},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "the app's own words")
	}))
	body := strings.Repeat("x", 1500)

	tooLarge := ask(t, s.URL, http.MethodPost, "/api/items", body, nil)
	requireProblem(t, tooLarge, http.StatusRequestEntityTooLarge, "The request body is too large")
	require.Equal(t, []string{"nosniff"}, tooLarge.header.Values("X-Content-Type-Options"))

	require.Equal(t, http.StatusServiceUnavailable, ask(t, s.URL, http.MethodPost, "/big", body, nil).status, "a route's own limit")
	requireProblem(t, ask(t, s.URL, http.MethodGet, "/nowhere", "", nil), http.StatusNotFound, "Not found")

	appsOwn := ask(t, s.URL, http.MethodGet, "/api/items", "", nil)
	require.Equal(t, "the app's own words", appsOwn.body)

	s.backend.Close()
	requireProblem(t, ask(t, s.URL, http.MethodGet, "/api/items", "", nil), http.StatusBadGateway, "The service is not available")

	page := ask(t, s.URL, http.MethodPost, "/ui", body, nil)
	require.Equal(t, "text/html", page.header.Get("Content-Type"), "a browser gets a page")
	require.NotRegexp(t, `nginx/\d`, page.body)
}

func TestNginxAnswersInJSONBeforeItKnowsTheRoute(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	for request, want := range map[string]string{
		"GET /api/\x01 HTTP/1.1\r\nHost: a\r\n\r\n":                                      "400 Bad request",
		"GET /api HTTP/1.1\r\n\r\n":                                                      "400 Bad request",
		"GET /api/" + strings.Repeat("x", 40_000) + " HTTP/1.1\r\nHost: a\r\n\r\n":       "414 The request URL is too long",
		"TRACE /api HTTP/1.1\r\nHost: a\r\n\r\n":                                         "405 Method not allowed",
		"GET /api HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 40_000) + "\r\n\r\n": "400 Bad request",
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { connection.Close() })
		_, err = io.WriteString(connection, request)
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err, want)
		content, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		status, detail, _ := strings.Cut(want, " ")
		number, err := strconv.Atoi(status)
		require.NoError(t, err)
		requireProblem(t, answer{response.StatusCode, response.Header, string(content)}, number, detail)
	}
}

// A new pod has the script that its page names, an old one another.
func TestNginxFindsThePodThatHasAPagesScript(t *testing.T) {
	var tries atomic.Int32
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		http.NotFound(w, nil)
	}))
	s.frontend.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := tries.Add(1); r.URL.Path != "/assets/new.js" || n < 3 {
			http.NotFound(w, r)
		}
	})
	require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/assets/new.js", "", nil).status)
	require.EqualValues(t, 3, tries.Swap(0))
	got := ask(t, s.URL, http.MethodGet, "/nowhere", "", nil)
	require.Equal(t, http.StatusNotFound, got.status)
	require.Equal(t, "404 page not found\n", got.body, "what no pod has is the frontend's own answer")
	require.EqualValues(t, 8, tries.Swap(0), "and no more than the tries of a dead pod")
	require.Equal(t, http.StatusNotFound, ask(t, s.URL, http.MethodPost, "/form", "x", nil).status)
	require.EqualValues(t, 1, tries.Swap(0), "a POST is sent once")
	require.Equal(t, http.StatusNotFound, ask(t, s.URL, http.MethodGet, "/api/items/7", "", nil).status)
	require.EqualValues(t, 1, tries.Swap(0), "a row that isn't there isn't in another pod of the backend")
}

func TestNginxGivesAnETagBackAsItCame(t *testing.T) {
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Seen", r.Header.Get("If-Match"))
		fmt.Fprint(w, strings.Repeat(" ", 2000), "{}")
	}))
	got := ask(t, s.URL, http.MethodGet, "/api/items/1", "", map[string]string{"Accept-Encoding": "gzip"})
	require.Equal(t, `W/"v1"`, got.header.Get("ETag"), "compressed, it is another representation")
	for sent, want := range map[string]string{`W/"v1"`: `"v1"`, `"v1"`: `"v1"`, "*": "*", `W/"a", W/"b"`: `W/"a", W/"b"`, "": ""} {
		require.Equal(t, want, ask(t, s.URL, http.MethodPut, "/api/items/1", "x", map[string]string{"If-Match": sent}).header.Get("X-Seen"), sent)
	}
}

func requireProblem(t *testing.T, got answer, status int, detail string) {
	t.Helper()
	require.Equal(t, status, got.status)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	var problem struct {
		Detail    string
		Status    int
		RequestID string `json:"request_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &problem), got.body)
	require.Equal(t, status, problem.Status)
	require.Equal(t, detail, problem.Detail)
	require.Equal(t, got.header.Get("X-Request-ID"), problem.RequestID)
}

func TestNginxGivesUpAfterARoutesOwnTimeout(t *testing.T) {
	one := 1
	release := make(chan struct{})
	s := startSite(t, nginx.Args{Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, TimeoutSeconds: one}}},
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}))
	t.Cleanup(func() { close(release) })
	requireProblem(t, ask(t, s.URL, http.MethodPost, "/", "", nil), http.StatusGatewayTimeout, "The service took too long to answer")
}

func TestNginxKeepsItsConnectionsToTheUpstream(t *testing.T) {
	clients := map[string]int{}
	var mutex sync.Mutex
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		clients[r.RemoteAddr]++
	}))
	for range 100 {
		require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/api", "", nil).status)
	}
	require.Len(t, clients, 1, "one connection for all of them")
}

func TestNginxTriesAgainWhenTheUpstreamDiesUnderAnIdempotentRequest(t *testing.T) {
	var requests atomic.Int32
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%3 == 1 {
			connection, _, _ := http.NewResponseController(w).Hijack()
			_ = connection.Close()
			return
		}
		echo("backend").ServeHTTP(w, r)
	}))
	for range 10 {
		require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/api", "", nil).status)
		require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodPut, "/api", "body", nil).status)
	}
	requests.Store(0)
	requireProblem(t, ask(t, s.URL, http.MethodPost, "/api", "body", nil), http.StatusBadGateway, "The service is not available")
	require.EqualValues(t, 1, requests.Load(), "a POST might have done its work")
}

// README names the number among the sharp edges.
func TestNginxSendsARequestThatKillsNineTimesAtMost(t *testing.T) {
	var requests atomic.Int32
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/kills" {
			return
		}
		requests.Add(1)
		connection, _, _ := http.NewResponseController(w).Hijack()
		_ = connection.Close()
	}))
	require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/api", "", nil).status, "a connection is kept, which may be tried besides")
	requireProblem(t, ask(t, s.URL, http.MethodGet, "/api/kills", "", nil), http.StatusBadGateway, "The service is not available")
	require.LessOrEqual(t, requests.Load(), int32(9))
	require.Greater(t, requests.Load(), int32(1))
}

func TestNginxPassesAnAnswerOnAsItComesWhereTheAppAsksForThat(t *testing.T) {
	release := make(chan struct{})
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Set("X-Accel-Buffering", "no")
		fmt.Fprint(w, "data: one\n\n")
		_ = http.NewResponseController(w).Flush()
		<-release
		fmt.Fprint(w, "data: two\n\n")
	}))
	for _, contentType := range []string{"text/event-stream", "application/json", "text/plain"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/events?type="+contentType, nil)
		require.NoError(t, err)
		response, err := http.DefaultTransport.RoundTrip(request)
		require.NoError(t, err)
		lines := bufio.NewScanner(response.Body)
		require.True(t, lines.Scan(), contentType)
		require.Equal(t, "data: one", lines.Text(), "the first event is here before the second is sent")
		release <- struct{}{}
		rest, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Contains(t, string(rest), "two")
		require.NoError(t, response.Body.Close())
	}
}

// Browsers ask for gzip, which would hold back what comes in small pieces.
func TestNginxPassesAStreamOnAsItComes(t *testing.T) {
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		fmt.Fprintln(w, "one")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	for _, contentType := range []string{"text/event-stream", "text/plain", "text/plain;+charset=utf-8", "application/x-ndjson"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/events?type="+contentType, nil)
		require.NoError(t, err)
		response, err := http.DefaultTransport.RoundTrip(request)
		require.NoError(t, err, "%s is held back", contentType)
		lines := bufio.NewScanner(response.Body)
		require.True(t, lines.Scan(), "%s is held back", contentType)
		require.Equal(t, "one", lines.Text())
		cancel()
		require.NoError(t, response.Body.Close())
	}
}

func TestNginxUpgradesWebSockets(t *testing.T) {
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "upgrade" {
			w.WriteHeader(http.StatusUpgradeRequired)
			return
		}
		connection, pipe, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		fmt.Fprint(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		line, _ := pipe.ReadString('\n')
		fmt.Fprint(connection, "heard "+line)
	}))
	connection, err := net.DialTimeout("tcp", strings.TrimPrefix(s.URL, "http://"), time.Second)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Second)))
	fmt.Fprint(connection, "GET /api/ws HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	fmt.Fprint(connection, "hello\n")
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "heard hello\n", line)
}

func TestNginxCompressesTextAndLeavesTheRest(t *testing.T) {
	text := strings.Repeat("all work and no play ", 200)
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		fmt.Fprint(w, text)
	}))
	for contentType, compressed := range map[string]bool{"application/json": true, "text/css": true, "image/png": false, "text/plain": false} {
		got := ask(t, s.URL, http.MethodGet, "/api?type="+contentType, "", map[string]string{"Accept-Encoding": "gzip"})
		if !compressed {
			require.Empty(t, got.header.Get("Content-Encoding"), contentType)
			require.Equal(t, text, got.body)
			continue
		}
		require.Equal(t, "gzip", got.header.Get("Content-Encoding"), contentType)
		require.Equal(t, "Accept-Encoding", got.header.Get("Vary"))
		reader, err := gzip.NewReader(strings.NewReader(got.body))
		require.NoError(t, err)
		plain, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, text, string(plain))
	}
}

func TestNginxShowsTheAppsRedirectsAsSeenFromOutside(t *testing.T) {
	s := startSite(t, nginx.Args{Routes: []nginx.RouteArgs{
		{Path: "/svc", To: nginx.ToBackend, StripPrefix: true}, {Path: "/api", To: nginx.ToBackend},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	for _, c := range []struct{ route, to, want string }{
		{"/svc", "/items/", "/svc/items/"},
		{"/svc", "http://shop.example:8443/items/", "/svc/items/"},
		{"/svc", "https://shop.example:8443/items/", "/svc/items/"},
		{"/svc", "/svc/items/", "/svc/items/"},
		{"/svc", "http://shop.example:8443/svc/items/", "/svc/items/"},
		{"/svc", "/", "/svc/"},
		{"/svc", "/svc", "/svc"},
		{"/svc", "/svc?a=b", "/svc?a=b"},
		{"/svc", "/svcother", "/svc/svcother"},
		{"/svc", "http://shop.example:8443/svc", "http://shop.example:8443/svc"},
		{"/svc", "http://shop.example:8443/svc?a=b", "http://shop.example:8443/svc?a=b"},
		{"/svc", "http://shop.example:8443/svcother", "/svc/svcother"},
		{"/svc", "//other.example/x", "//other.example/x"},
		{"/svc", "//other.example/svc/x", "//other.example/svc/x"},
		{"/svc", "https://login.example/svc/x", "https://login.example/svc/x"},
		{"/svc", "http://shop.example:PORT/docs/", "/svc/docs/"},
		{"/api", "http://shop.example:PORT/docs/", "/docs/"},
		{"/api", "http://other.example:PORT/docs/", "http://other.example:PORT/docs/"},
		{"/api", "//other.example/x", "//other.example/x"},
		{"/svc", "https://login.example/", "https://login.example/"},
		{"/svc", "items/", "items/"},
		{"/api", "/items/", "/items/"},
		{"/api", "http://shop.example:8443/api/items/", "/api/items/"},
		{"/api", "https://shop.example:8443/api/items/", "https://shop.example:8443/api/items/"},
		{"/api", "https://shop.example:PORT/docs/", "/docs/"},
		{"/api", "http://shop.example/docs/", "/docs/"},
		{"/api", "http://shop.example:9000/docs/", "http://shop.example:9000/docs/"},
		{"/svc", "https://shop.example:PORT/docs/", "/svc/docs/"},
		{"/svc", "http://shop.example/docs/", "/svc/docs/"},
		{"/svc", "http://shop.example:PORT/svc/docs/", "/svc/docs/"},
	} {
		// As servers of files do, which name the port that they listen on.
		port := strings.NewReplacer("PORT", upstreamAt(s.backend)[strings.LastIndex(upstreamAt(s.backend), ":")+1:])
		got := ask(t, s.URL, http.MethodGet, c.route+"/items?to="+url.QueryEscape(port.Replace(c.to)), "", map[string]string{"Host": "shop.example:8443"})
		require.Equal(t, port.Replace(c.want), got.header.Get("Location"), "%s → %s", c.route, c.to)
	}
}

// Otherwise a tier that somebody got into would have nginx ask another one, at a path without a route.
func TestNginxTakesNoOrdersFromTheApp(t *testing.T) {
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range []string{"X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Expires", "X-Accel-Charset"} {
			w.Header().Set(header, map[string]string{"X-Accel-Redirect": "/elsewhere", "X-Accel-Limit-Rate": "100"}[header])
		}
		fmt.Fprint(w, "the app's own words")
	}))
	got := ask(t, s.URL, http.MethodGet, "/api", "", nil)
	require.Equal(t, "the app's own words", got.body)
	for header := range got.header {
		require.NotContains(t, header, "X-Accel")
	}
}

func TestNginxLogsALineOfBoundedSizeAndCleanText(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	s.backend.Close() // each try is in the line
	quotes := strings.Repeat(`"\`, 7000)
	for i, head := range []string{
		"GET /api/" + strings.Repeat("x", 15000) + " HTTP/1.1\r\nHost: shop.example\r\n",
		"GET /api/" + quotes + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: " + quotes + "\r\n",
		"GET /api/" + quotes[:5000] + " HTTP/1.1\r\nHost: " + strings.Repeat(`"`, 5000) + "\r\nUser-Agent: " + quotes[:5000] + "\r\nX-Request-ID: " + strings.Repeat("x", 128) + "\r\n",
		"GET /api HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: " + strings.Repeat("\x01", 15000) + "\r\n",
		"GET /api/\xff\xfe HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: a\xc3\r\n",
		"GET /api HTTP/1.1\r\nHost: " + strings.Repeat("\xc3\"", 7000) + "\r\n",
		"GET /api HTTP/1.1\r\nHost: " + strings.Repeat("x.", 7000) + "\r\n",
		strings.Repeat("M", 15000) + " /api HTTP/1.1\r\nHost: shop.example\r\n",
		"GET /api HTTP/1.1\r\nHost: shop.example\r\nX-Request-ID: " + strings.Repeat("\xc3", 100) + "\r\n",
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		require.NoError(t, err)
		fmt.Fprint(connection, head+"Connection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, connection)
		require.NoError(t, connection.Close())
		s.logLines(t, i+1)
	}
	for line := range strings.Lines(s.log.String()) {
		require.LessOrEqual(t, len(line), 4096, "more than a pipe takes in one piece: %.100s", line)
		require.True(t, utf8.ValidString(line), "%.300q", line)
		require.True(t, json.Valid([]byte(line)), "%.300s", line)
	}
}

func TestNginxFinishesRequestsBeforeItStops(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, "done")
	}))
	t.Cleanup(backend.Close)
	t.Parallel()
	requireNginx(t)
	config, err := nginx.RenderConfig(nginx.Args{}, upstreamAt(backend), "127.0.0.1:1")
	require.NoError(t, err)
	server, err := realnginx.Start(config, t.TempDir(), io.Discard)
	require.NoError(t, err)
	body := make(chan string)
	go func() {
		response, err := http.Get(server.URL + "/api")
		if err != nil {
			body <- err.Error()
			return
		}
		defer response.Body.Close()
		content, _ := io.ReadAll(response.Body)
		body <- string(content)
	}()
	<-arrived
	stopped := make(chan error)
	go func() { stopped <- server.Stop() }()
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	}, 5*time.Second, 10*time.Millisecond, "nothing new is accepted")
	close(release)
	require.Equal(t, "done", <-body)
	require.NoError(t, <-stopped)
}

func TestNginxCutsOffSlowAndOversizedRequests(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	long := ask(t, s.URL, http.MethodGet, "/api?x="+strings.Repeat("a", 20000), "", nil)
	require.Equal(t, http.StatusRequestURITooLong, long.status)
	large := ask(t, s.URL, http.MethodGet, "/api", "", map[string]string{"Cookie": strings.Repeat("a", 20000)})
	require.Equal(t, http.StatusBadRequest, large.status)

	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	fmt.Fprint(connection, "GET /api HTTP/1.1\r\nHost: shop")
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(15*time.Second)))
	_, err = connection.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "nginx still waits for a header after 15 s")
}

// logLines waits until nginx wrote that many access log lines, which it does once a second.
func (s *site) logLines(t *testing.T, count int) []map[string]any {
	t.Helper()
	var lines []map[string]any
	require.Eventually(t, func() bool {
		lines = nil
		for _, text := range strings.Split(s.log.String(), "\n") {
			if !strings.HasPrefix(text, "{") {
				continue
			}
			var line map[string]any
			if json.Unmarshal([]byte(text), &line) == nil {
				lines = append(lines, line)
			}
		}
		return len(lines) >= count
	}, 5*time.Second, 20*time.Millisecond, "%s", s.log)
	return lines
}

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}
