package tests

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"threetier/components/app/nginx"
	realnginx "threetier/tests/nginx"
)

func TestNginxSetsReplacesAndRemovesHeaders(t *testing.T) {
	s := startSite(t, nginx.Args{Headers: map[string]string{
		"Content-Security-Policy": `default-src 'self'; script-src "x" \`, "x-frame-options": "", "Referrer-Policy": "no-referrer", "X-Internal": "",
		"Access-Control-Allow-Origin": "https://app.example", "Cache-Control": "no-store",
	}, MaxBodySize: "1k"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src *", "X-Internal": "pod-7", "Cache-Control": "public", "X-Other": "kept"} {
			w.Header().Set(name, value)
		}
	}))
	want := map[string][]string{
		"Content-Security-Policy": {`default-src 'self'; script-src "x" \`}, "X-Frame-Options": nil, "Referrer-Policy": {"no-referrer"}, "X-Internal": nil,
		"Access-Control-Allow-Origin": {"https://app.example"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
	}
	for name, got := range map[string]answer{
		"the app's":    ask(t, s.URL, http.MethodGet, "/api", "", nil),
		"the page's":   ask(t, s.URL, http.MethodGet, "/", "", nil),
		"nginx's own":  ask(t, s.URL, http.MethodPost, "/api", strings.Repeat("x", 2000), nil),
		"an early one": ask(t, s.URL, http.MethodGet, "/api/../x", "", nil),
	} {
		for header, values := range want {
			require.Equal(t, values, got.header.Values(header), "%s %s", name, header)
		}
	}
	require.Equal(t, "kept", ask(t, s.URL, http.MethodGet, "/api", "", nil).header.Get("X-Other"))
}

func TestNginxClosesTheAppForAllButThoseWhoAreLetIn(t *testing.T) {
	message := `"back" \ at <six>, für alle`
	s := startSite(t, nginx.Args{
		Maintenance: message, SourceRanges: []string{"203.0.113.7/32", "2001:db8::/32"}, TrustedProxies: []string{"127.0.0.0/8"}, CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2",
	}, nil)
	for client, open := range map[string]bool{"203.0.113.7": true, "2001:db8::9": true, "203.0.113.8": false, "": false} {
		for _, uri := range []string{"/api/items", "/page"} {
			got := ask(t, s.TLSURL, http.MethodPost, uri, "x", map[string]string{"X-Forwarded-For": client})
			if open {
				require.Equal(t, http.StatusOK, got.status, client)
				require.Equal(t, uri, got.seen(t).URI)
				require.Empty(t, got.header.Values("Retry-After"))
				continue
			}
			require.Equal(t, []string{"600"}, got.header.Values("Retry-After"), "%s %s", client, uri)
			require.Equal(t, []string{"nosniff"}, got.header.Values("X-Content-Type-Options"))
			if uri == "/page" {
				require.Equal(t, http.StatusServiceUnavailable, got.status)
				require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
				require.Contains(t, got.body, "<p>&#34;back&#34; \\ at &lt;six&gt;, für alle</p>")
				continue
			}
			requireProblem(t, got, http.StatusServiceUnavailable, message)
		}
	}
	require.Equal(t, http.StatusOK, ask(t, s.TLSURL, http.MethodGet, nginx.HealthPath, "", nil).status, "the load balancer and the kubelet")
	require.Equal(t, http.StatusPermanentRedirect, ask(t, s.URL, http.MethodGet, "/page", "", nil).status)
	_, spec := loadBalancer(t, func(args *nginx.Args) { args.Maintenance, args.SourceRanges = message, []string{"203.0.113.7/32"} })
	require.Nil(t, spec("loadBalancerSourceRanges"), "who isn't let in is told")
}

func TestAStreamIsPassedOnPartByPart(t *testing.T) {
	s := startSite(t, nginx.Args{Routes: []nginx.RouteArgs{
		{Path: "/api", To: nginx.ToBackend}, {Path: "/api/tokens", To: nginx.ToBackend, Stream: true},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"token":"one"}`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	first := func(uri string) error {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		require.NoError(t, err)
		defer connection.Close()
		fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: shop.example\r\nAccept-Encoding: gzip\r\n\r\n", uri)
		require.NoError(t, connection.SetReadDeadline(time.Now().Add(2*time.Second)))
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = bufio.NewReader(response.Body).ReadString('\n')
		return err
	}
	require.NoError(t, first("/api/tokens"))
	require.Error(t, first("/api"), "compressed, it waits for more")
	config := renderNginx(t, nginx.Args{Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, Stream: true}}})
	require.Contains(t, config, "proxy_read_timeout 300s;")
	require.Contains(t, config, "worker_shutdown_timeout 300s;")
	require.Contains(t, renderNginx(t, nginx.Args{Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, Stream: true, TimeoutSeconds: 20}}}), "proxy_read_timeout 20s;")
}

func TestNginxTellsItsConnectionsWhereNoClientComes(t *testing.T) {
	t.Parallel()
	requireNginx(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	config := strings.NewReplacer(fmt.Sprintf("listen %d;", nginx.MetricsPort), "listen "+address+";", fmt.Sprintf("listen [::]:%d;", nginx.MetricsPort), "").
		Replace(renderNginx(t, nginx.Args{Metrics: true}))
	app := startNginx(t, config)
	got := ask(t, "http://"+address, http.MethodGet, "/metrics", "", nil)
	require.Regexp(t, `(?m)^# TYPE nginx_connections_active gauge\nnginx_connections_active [1-9]\d*$`, got.body)
	require.Regexp(t, `(?m)^nginx_connections_waiting \d+\n$`, got.body)
	require.Contains(t, ask(t, "http://"+address, http.MethodGet, "/stub_status", "", nil).body, "server accepts handled requests")
	for _, uri := range []string{"/metrics", "/stub_status"} {
		require.NotContains(t, ask(t, app, http.MethodGet, uri, "", nil).body, "connections")
	}
	require.NotContains(t, renderNginx(t, nginx.Args{}), "stub_status")
}

// pods are the app's, on addresses of their own, and a DNS that has their names. Each tells its address.
type podsWithNames struct {
	t       *testing.T
	port    string
	dns     string
	mutex   sync.Mutex
	running map[string]*httptest.Server
	// forgotten tells that DNS has none of their names.
	forgotten bool
}

func (p *podsWithNames) start(address string, handler func(http.ResponseWriter, *http.Request)) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, cmp.Or(p.port, "0")))
	require.NoError(p.t, err)
	_, p.port, _ = net.SplitHostPort(listener.Addr().String())
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pod", address)
		handler(w, r)
	})}}
	server.Start()
	p.t.Cleanup(server.Close)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.running[address] = server
}

// gone removes a pod from DNS, and stops it.
func (p *podsWithNames) gone(address string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.running[address].Close()
	delete(p.running, address)
}

// serveDNS answers as CoreDNS does, and returns where.
func serveDNS(t *testing.T, answer func(dnsmessage.Message) *dnsmessage.Message) string {
	t.Helper()
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close()) })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := connection.ReadFrom(packet)
			if err != nil {
				return
			}
			var query dnsmessage.Message
			if query.Unpack(packet[:n]) != nil {
				continue
			}
			reply, err := answer(query).Pack()
			if err == nil {
				_, _ = connection.WriteTo(reply, from)
			}
		}
	}()
	return connection.LocalAddr().String()
}

func (p *podsWithNames) answer(query dnsmessage.Message) *dnsmessage.Message {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	question := query.Questions[0]
	reply := unknownName(query)
	for address := range p.running {
		name := strings.TrimSuffix(question.Name.String(), "backend-pods.shop.svc.cluster.local.")
		if p.forgotten || name != "" && name != strings.ReplaceAll(address, ".", "-")+"." {
			continue
		}
		addAddress(reply, address)
	}
	return reply
}

func unknownName(query dnsmessage.Message) *dnsmessage.Message {
	return &dnsmessage.Message{Header: dnsmessage.Header{ID: query.ID, Response: true, RCode: dnsmessage.RCodeNameError}, Questions: query.Questions}
}

func addAddress(reply *dnsmessage.Message, address string) {
	reply.RCode = dnsmessage.RCodeSuccess
	if question := reply.Questions[0]; question.Type == dnsmessage.TypeA {
		reply.Answers = append(reply.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(address).To4())},
		})
	}
}

// startSticky is nginx before three pods.
func startSticky(t *testing.T, sticky string, handler func(http.ResponseWriter, *http.Request)) (*podsWithNames, string) {
	t.Helper()
	t.Parallel()
	requireNginx(t)
	p := &podsWithNames{t: t, running: map[string]*httptest.Server{}}
	for _, address := range []string{"127.0.0.31", "127.0.0.32", "127.0.0.33"} {
		p.start(address, handler)
	}
	p.dns = serveDNS(t, p.answer)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "resolver.conf"),
		[]byte("resolver "+p.dns+" valid=1s;\nmap \"\" $pods_domain { default shop.svc.cluster.local; }\n"), 0o600))
	config, err := nginx.RenderConfig(nginx.Args{Routes: []nginx.RouteArgs{
		{Path: "/", To: nginx.ToFrontend}, {Path: "/api", To: nginx.ToBackend, Sticky: sticky, TimeoutSeconds: 1},
	}}, "127.0.0.31:"+p.port, "127.0.0.1:1")
	require.NoError(t, err)
	server, err := realnginx.Start(config, dir, &lockedBuffer{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return p, server.URL
}

func TestAClientMeetsThePodOfItsCookieAgain(t *testing.T) {
	var sent sync.Map
	p, url := startSticky(t, nginx.ByCookie, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/api/slow" {
			sent.Store(w.Header().Get("X-Pod")+r.Header.Get("X-Try"), true)
			<-r.Context().Done()
		}
		w.Header().Set("X-Got", r.RequestURI+" "+string(body))
	})
	cookieOf := func(got answer) string {
		cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
		return cookie
	}
	seen := map[string]string{}
	for range 30 {
		got := ask(t, url, http.MethodGet, "/api/x", "", nil)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Regexp(t, `^threetier_backend=127-0-0-3[123]; Path=/; HttpOnly; SameSite=Lax$`, got.header.Get("Set-Cookie"))
		seen[got.header.Get("X-Pod")] = cookieOf(got)
	}
	require.Len(t, seen, 3, "without a cookie, any pod")
	for pod, cookie := range seen {
		for range 10 {
			got := ask(t, url, http.MethodPost, "/api/a%20b?c=%2f", "body", map[string]string{"Cookie": "a=b; " + cookie})
			require.Equal(t, pod, got.header.Get("X-Pod"))
			require.Equal(t, "/api/a%20b?c=%2f body", got.header.Get("X-Got"))
			require.Empty(t, got.header.Values("Set-Cookie"), "it has it already")
		}
	}
	for _, forged := range []string{"127-0-0-1", "evil.example", "127.0.0.33", "..", "localhost", "a", "127-0-0-33.x", strings.Repeat("1", 60)} {
		got := ask(t, url, http.MethodGet, "/api/x", "", map[string]string{"Cookie": "threetier_backend=" + forged})
		require.Equal(t, http.StatusOK, got.status, forged)
		require.Contains(t, seen, got.header.Get("X-Pod"), "no address but a pod's")
	}
	slow := ask(t, url, http.MethodPost, "/api/slow", "x", map[string]string{"Cookie": seen["127.0.0.32"], "X-Try": "1"})
	requireProblem(t, slow, http.StatusGatewayTimeout, "The service took too long to answer")
	count := 0
	sent.Range(func(_, _ any) bool { count++; return true })
	require.Equal(t, 1, count, "what a pod may have done is done once")

	p.gone("127.0.0.32")
	for range 3 {
		got := ask(t, url, http.MethodPost, "/api/x", "body", map[string]string{"Cookie": seen["127.0.0.32"]})
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Equal(t, "/api/x body", got.header.Get("X-Got"), "another pod gets the whole request")
		require.Contains(t, []string{seen["127.0.0.31"], seen["127.0.0.33"]}, cookieOf(got), "and the client with it")
	}
	require.Equal(t, http.StatusBadRequest, ask(t, url, http.MethodGet, "/%61pi/x", "", nil).status, "the guards of a route stay")

	p.mutex.Lock()
	p.forgotten = true
	p.mutex.Unlock()
	got := ask(t, url, http.MethodPost, "/api/x", "body", map[string]string{"Cookie": seen["127.0.0.32"]})
	require.Equal(t, "/api/x body", got.header.Get("X-Got"), "the Service still knows where its pods are")
	requireProblem(t, ask(t, url, http.MethodPost, "/api/slow", "x", map[string]string{"Cookie": seen["127.0.0.32"]}), http.StatusGatewayTimeout, "The service took too long to answer")
	p.gone("127.0.0.31")
	p.gone("127.0.0.33")
	requireProblem(t, ask(t, url, http.MethodGet, "/api/x", "", nil), http.StatusBadGateway, "The service is not available")
}

// An MCP server gives a session its id in the first response; the client sends it from then on.
func TestAClientMeetsThePodThatGaveItsSessionAnId(t *testing.T) {
	_, url := startSticky(t, "Mcp-Session-Id", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Got", r.Header.Get("Mcp-Session-Id"))
		if r.Header.Get("Mcp-Session-Id") == "" {
			w.Header().Set("Mcp-Session-Id", "id~of="+w.Header().Get("X-Pod"))
		}
	})
	for range 10 {
		first := ask(t, url, http.MethodPost, "/api/mcp", "{}", nil)
		pod, id := first.header.Get("X-Pod"), first.header.Get("Mcp-Session-Id")
		require.Equal(t, []string{"id~of=" + pod + "~" + strings.ReplaceAll(pod, ".", "-")}, first.header.Values("Mcp-Session-Id"))
		for range 5 {
			got := ask(t, url, http.MethodPost, "/api/mcp", "{}", map[string]string{"Mcp-Session-Id": id})
			require.Equal(t, pod, got.header.Get("X-Pod"))
			require.Equal(t, "id~of="+pod, got.header.Get("X-Got"), "the app sees its own id")
			require.Empty(t, got.header.Values("Set-Cookie"))
		}
	}
	require.Equal(t, "mine", ask(t, url, http.MethodPost, "/api/mcp", "{}", map[string]string{"Mcp-Session-Id": "mine"}).header.Get("X-Got"))
}

// The names of IPv6 pods, as CoreDNS writes them.
func TestNginxKnowsTheNameOfEveryPodsAddress(t *testing.T) {
	config := renderNginx(t, nginx.Args{Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, Sticky: nginx.ByCookie}}})
	names := regexp.MustCompile(`(?m)^ +"~(\S+ \S+)" "(\S+)";$`)
	_, table, _ := strings.Cut(config, "$answered_by {")
	patterns := names.FindAllStringSubmatch(table, 7)
	require.Len(t, patterns, 7)
	for addresses, want := range map[string]string{
		"10.0.0.5:8000": "10-0-0-5", "10.0.0.6:8000, 10.0.0.5:8000": "10-0-0-5", "10.0.0.6:8000 : 10.0.0.5:8000": "10-0-0-5",
		"[2600:1f13:1:2:3:4:5:6]:8000": "2600-1f13-1-2-3-4-5-6", "[2600:1f13:1:2:3::a]:8000": "2600-1f13-1-2-3--a", "[2600:1f13::5]:8000": "2600-1f13--5", "": "",
	} {
		got := ""
		for _, pattern := range patterns {
			expression := regexp.MustCompile(pattern[1])
			if match := expression.FindStringSubmatchIndex("cookie_backend|" + addresses); match != nil {
				got = string(expression.ExpandString(nil, regexp.MustCompile(`\$(\d)`).ReplaceAllString(pattern[2], "$${$1}"), "cookie_backend|"+addresses, match))
				break
			}
		}
		require.Equal(t, want, got, addresses)
	}
}

func TestNginxFindsItsResolversAtItsStart(t *testing.T) {
	for text, want := range map[string]string{
		"nameserver 10.100.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n": "resolver 10.100.0.10 valid=2s;\nmap \"\" $pods_domain { default shop.svc.cluster.local; }\n",
		"# x\nsearch shop.svc.acme\nnameserver fd00::a\nnameserver 10.0.0.2\n":                                     "resolver [fd00::a] 10.0.0.2 valid=2s;\nmap \"\" $pods_domain { default shop.svc.acme; }\n",
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte(text), 0o600))
		command := runApp(t, func(args *appStack) {
			args.Nginx.Routes = []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, Sticky: nginx.ByCookie}}
		}).Named(t, deploymentType, "shop-nginx").Input(t, "spec.template.spec.containers[0].command").([]any)
		require.Len(t, command, 3)
		script := strings.NewReplacer("/etc/resolv.conf", dir+"/resolv.conf", "/tmp/", dir+"/", "exec nginx", "exec echo nginx").Replace(command[2].(string))
		said, err := exec.Command("sh", "-c", script).CombinedOutput()
		require.NoError(t, err, "%s", said)
		require.Equal(t, "nginx -e stderr -c /etc/nginx/nginx.conf\n", string(said))
		got, err := os.ReadFile(filepath.Join(dir, "resolver.conf"))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func TestStickyRoutesGiveThePodsNames(t *testing.T) {
	r := runApp(t, func(args *appStack) {
		args.Nginx.Routes = []nginx.RouteArgs{{Path: "/", To: nginx.ToFrontend}, {Path: "/api", To: nginx.ToBackend, Sticky: nginx.ByCookie}}
	})
	service := r.Named(t, serviceType, "shop-backend-pods")
	require.Equal(t, "backend-pods", service.Input(t, "metadata.name"))
	require.Equal(t, "None", service.Input(t, "spec.clusterIP"), "its name has the pods' own addresses")
	require.Equal(t, map[string]any{"app.kubernetes.io/name": "backend"}, service.Input(t, "spec.selector"))
	require.Contains(t, r.One(t, nginx.Type).DependsOn, service.URN)
	for _, name := range append(runApp(t, nil).Names(), r.Names()...) {
		require.NotContains(t, name, "frontend-pods")
	}
}
