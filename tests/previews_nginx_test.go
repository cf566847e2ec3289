package tests

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"threetier/components/app/nginx"
	realnginx "threetier/tests/nginx"
)

// frontDoor is nginx of a stack that lets previews in, before the nginx of one preview, whose app is a handler.
type frontDoor struct {
	url, port string
	t         *testing.T
}

const previewAddress = "127.0.0.41"

func openFrontDoor(t *testing.T, args nginx.Args, app http.HandlerFunc) *frontDoor {
	t.Helper()
	t.Parallel()
	requireNginx(t)
	backend := httptest.NewServer(app)
	t.Cleanup(backend.Close)
	inner, err := nginx.RenderConfig(nginx.Args{Behind: true, Routes: []nginx.RouteArgs{{Path: "/stream", To: nginx.ToBackend, Stream: true, MaxBodySize: "50m"}, {Path: "/", To: nginx.ToBackend}}},
		strings.TrimPrefix(backend.URL, "http://"), "")
	require.NoError(t, err)
	of := startNginx(t, inner)
	listener, err := net.Listen("tcp", previewAddress+":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go forward(listener, strings.TrimPrefix(of, "http://"))
	_, port, _ := net.SplitHostPort(listener.Addr().String())

	dns := serveDNS(t, func(query dnsmessage.Message) *dnsmessage.Message {
		reply := unknownName(query)
		switch query.Questions[0].Name.String() {
		case "nginx.shop-pr-1.svc.cluster.local.":
			addAddress(reply, previewAddress)
		case "nginx.shop-pr-2.svc.cluster.local.":
			addAddress(reply, "127.0.0.42") // where nothing listens
		}
		return reply
	})
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "resolver.conf"),
		[]byte("resolver "+dns+" valid=1s;\nmap \"\" $pods_domain { default shop-dev.svc.cluster.local; }\n"), 0o600))
	args.Domain.Previews = "shop-"
	own := httptest.NewServer(echo("backend"))
	t.Cleanup(own.Close)
	config, err := nginx.RenderConfig(args, upstreamAt(own), upstreamAt(own))
	require.NoError(t, err)
	server, err := realnginx.Start(strings.ReplaceAll(config, "$services_domain:8080", "$services_domain:"+port), dir, &lockedBuffer{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return &frontDoor{server.URL, port, t}
}

// forward leads the connections of a listener to an address.
func forward(listener net.Listener, to string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			other, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer other.Close()
			go func() { _, _ = io.Copy(other, from); _ = other.(*net.TCPConn).CloseWrite() }()
			_, _ = io.Copy(from, other)
		}()
	}
}

func (d *frontDoor) ask(method, host, path, body string, header map[string]string) answer {
	d.t.Helper()
	all := map[string]string{"Host": host}
	for name, value := range header {
		all[name] = value
	}
	return ask(d.t, d.url, method, path, body, all)
}

func TestNginxLeadsToAPreviewByItsName(t *testing.T) {
	d := openFrontDoor(t, nginx.Args{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own-error" {
			w.WriteHeader(http.StatusBadGateway)
		}
		w.Header().Set("X-Frame-Options", "ALLOW-FROM preview")
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s for %s by %s, %d bytes", r.Method, r.Host, r.RequestURI, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), len(body))
	})
	got := d.ask(http.MethodPost, "PR-1.dev.example.org:8080", "/a%20b?c=d", "four", map[string]string{"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "https"})
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "POST PR-1.dev.example.org:8080 /a%20b?c=d for 127.0.0.1 by http, 4 bytes", got.body)
	require.Equal(t, []string{"ALLOW-FROM preview"}, got.header.Values("X-Frame-Options"), "its own")
	require.Len(t, got.header.Values("X-Request-Id"), 1)

	require.Equal(t, http.StatusBadGateway, d.ask(http.MethodGet, "pr-1.example.org", "/own-error", "", nil).status, "an app's own answer is no missing preview")
	for _, host := range []string{"pr-999.example.org", "pr-2.example.org"} {
		got := d.ask(http.MethodGet, host, "/", "", nil)
		name, _, _ := strings.Cut(host, ".")
		require.Equal(t, http.StatusNotFound, got.status, host)
		require.Equal(t, name+" isn't here: there is no preview of this name, or it isn't up yet\n", got.body)
		require.Equal(t, "text/plain", got.header.Get("Content-Type"))
	}
	for _, host := range []string{"dev.example.org", "pr-1", "pr-01.example.org", "pr-x.example.org", "xpr-1.example.org", "www.pr-1.example.org"} {
		require.Contains(t, d.ask(http.MethodGet, host, "/api/x", "", nil).body, `"Upstream":"backend"`, host)
	}
}

func TestNginxLeadsToPreviewsBelowTheDomainAlone(t *testing.T) {
	d := openFrontDoor(t, nginx.Args{Hosts: []string{"internal.example.org"}, Domain: nginx.DomainArgs{Name: "dev.example.org"}}, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "preview")
	})
	require.Equal(t, "preview", d.ask(http.MethodGet, "pr-1.dev.example.org", "/", "", nil).body)
	for _, host := range []string{"pr-1.example.org", "pr-1.devXexample.org", "pr-1.dev.example.org.evil.org", "pr-1.internal.example.org"} {
		require.Equal(t, http.StatusMisdirectedRequest, d.ask(http.MethodGet, host, "/", "", nil).status, host)
	}
}

func TestPreviewStreamsAndTakesLargeBodiesThroughTheOtherNginx(t *testing.T) {
	first, goOn := make(chan struct{}), make(chan struct{})
	d := openFrontDoor(t, nginx.Args{MaxBodySize: "1k"}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
			return
		}
		fmt.Fprintln(w, "one")
		w.(http.Flusher).Flush()
		close(first)
		<-goOn
		fmt.Fprintln(w, "two")
	})
	got := d.ask(http.MethodPost, "pr-1.x", "/stream", strings.Repeat("x", 20<<20), nil)
	require.Equal(t, fmt.Sprint(20<<20), got.body)
	require.Equal(t, http.StatusRequestEntityTooLarge, d.ask(http.MethodPost, "pr-1.x", "/", strings.Repeat("x", 11<<20), nil).status, "the preview's own limit")

	request, err := http.NewRequest(http.MethodGet, d.url+"/stream", nil)
	require.NoError(t, err)
	request.Host = "pr-1.x"
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	<-first
	part := make([]byte, 4)
	_, err = io.ReadFull(response.Body, part)
	require.NoError(t, err)
	require.Equal(t, "one\n", string(part), "before the second part is sent")
	close(goOn)
	rest, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "two\n", string(rest))
}

func TestLimitsOfTheStackCountThePreviewsAndLeaveItTheRest(t *testing.T) {
	end := make(chan struct{})
	var under sync.WaitGroup
	d := openFrontDoor(t, nginx.Args{Limits: nginx.LimitArgs{Requests: 12, RequestsPerClient: 12}}, func(http.ResponseWriter, *http.Request) { <-end })
	defer func() { close(end); under.Wait() }()
	busy := func() int { return d.ask(http.MethodGet, "pr-1.x", "/", "", nil).status }
	answers := make(chan int, 100)
	for range 20 {
		under.Go(func() { answers <- busy() })
	}
	refused := 0
	deadline := time.After(10 * time.Second)
	for refused < 17 {
		select {
		case status := <-answers:
			require.Equal(t, http.StatusServiceUnavailable, status)
			refused++
		case <-deadline:
			t.Fatalf("%d of 20 are refused", refused)
		}
	}
	require.Equal(t, http.StatusOK, d.ask(http.MethodGet, "dev.x", "/api/x", "", nil).status)
}
