package tests

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/tests/skip"
)

// directive is a directive's values, each in bytes where it has a unit.
func directive(t *testing.T, config, name string) []int {
	t.Helper()
	found := regexp.MustCompile(`(?m)^\s*` + name + ` ([^;]+);`).FindStringSubmatch(config)
	require.NotNil(t, found, name)
	var values []int
	for _, text := range strings.Fields(found[1]) {
		values = append(values, size(t, text))
	}
	return values
}

func size(t *testing.T, text string) int {
	t.Helper()
	m := regexp.MustCompile(`^(\d+)([kmg]?)$`).FindStringSubmatch(strings.ToLower(text))
	require.NotNil(t, m, text)
	n, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	return n * map[string]int{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[m[2]]
}

// every is a number that a directive of a name has in each location: the largest.
func every(t *testing.T, config, pattern string) int {
	t.Helper()
	largest := 0
	for _, found := range regexp.MustCompile(pattern+` (\d+);`).FindAllStringSubmatch(config, -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		largest = max(largest, n)
	}
	require.Positive(t, largest, pattern)
	return largest
}

// worstMemory is what the clients of a rendered config can make one pod hold, whatever they do.
func worstMemory(t *testing.T, config string) int {
	t.Helper()
	const (
		process = 8 << 20 // a worker without clients; twice that is the master with its libraries and zones
		note    = 4 << 10 // what nginx and the kernel note of a connection, an event, a request
		socket  = nginx.SocketBytes + 32<<10
	)
	first, large := directive(t, config, "client_header_buffer_size")[0], directive(t, config, "large_client_header_buffers")
	headers := first + large[0]*large[1]
	buffers, compressed := directive(t, config, "proxy_buffers"), directive(t, config, "gzip_buffers")
	// zlib's own formula: four times the window and twice the hash, and 8 KiB.
	compression := 4*directive(t, config, "gzip_window")[0] + 2*directive(t, config, "gzip_hash")[0] + 8<<10 + compressed[0]*compressed[1]
	request := headers + headers + large[1] + first + // as it came, and as it goes on, with the host a second time
		directive(t, config, "client_body_buffer_size")[0] +
		directive(t, config, "proxy_buffer_size")[0] + buffers[0]*buffers[1] +
		compression + 6*note + 4*socket
	waiting := headers + 3*note + socket
	workers := directive(t, config, "worker_processes")[0]
	connections := workers * directive(t, config, "worker_connections")[0]
	requests := every(t, config, "limit_conn requests")
	require.LessOrEqual(t, 2*requests, connections, "each request has a connection on both sides")
	return 2*process + workers*process + requests*request + (connections-2*requests)*waiting
}

// worstDisk is what bodies and answers on their way can take.
func worstDisk(t *testing.T, config string) int {
	t.Helper()
	const small = 100_000 // bodies that don't count as uploads
	requests := every(t, config, "limit_conn requests")
	total := requests * (small + directive(t, config, "proxy_max_temp_file_size")[0])
	uploads := map[int]int{}
	for _, location := range regexp.MustCompile(`(?s)set \$body_size (\w+);.*?limit_conn uploads (\d+);`).FindAllStringSubmatch(config, -1) {
		n, err := strconv.Atoi(location[2])
		require.NoError(t, err)
		bytes := size(t, location[1])
		require.True(t, uploads[bytes] == 0 || uploads[bytes] == n, "one number for each size")
		uploads[bytes] = n
	}
	require.NotEmpty(t, uploads)
	for bytes, n := range uploads {
		total += bytes * n
	}
	return total
}

func TestAllThatClientsCanTakeFitsIntoNginxsPod(t *testing.T) {
	routes := []nginx.RouteArgs{
		{Path: "/", To: nginx.ToFrontend}, {Path: "/api", To: nginx.ToBackend},
		{Path: "/api/photos", To: nginx.ToBackend, MaxBodySize: "50m"}, {Path: "/api/notes", To: nginx.ToBackend, MaxBodySize: "64k"},
	}
	for _, memory := range []string{"48Mi", "64Mi", "128Mi", "200Mi", "256Mi", "512Mi", "1Gi", "8Gi", "64Gi"} {
		for _, cpu := range []string{"50m", "2", "4", "8"} {
			for name, limits := range map[string]nginx.LimitArgs{"defaults": {}, "few": {Requests: 12}, "many": {Requests: 60}} {
				args := nginx.Args{Resources: pods.ResourceArgs{CPU: cpu, Memory: memory}, Limits: limits, Routes: routes}
				if len(args.Complete()) > 0 {
					continue // too little memory for the workers: refused
				}
				config := renderNginx(t, args)
				limit := size(t, strings.ToLower(strings.TrimSuffix(memory, "i")))
				require.LessOrEqual(t, worstMemory(t, config), limit, "%s, %s cores, %s", memory, cpu, name)
				require.LessOrEqual(t, worstDisk(t, config), 2<<30, "%s, %s cores, %s", memory, cpu, name)
			}
		}
	}
}

func TestThePodsOfEachStackHoldAllThatClientsCanTake(t *testing.T) {
	for memory, atLeast := range map[string]int{"128Mi": 64, "256Mi": 128} {
		config := renderNginx(t, nginx.Args{Resources: pods.ResourceArgs{Memory: memory}})
		require.GreaterOrEqual(t, every(t, config, "limit_conn requests"), atLeast, "%s: so many requests at once are ordinary", memory)
		require.GreaterOrEqual(t, every(t, config, "limit_conn client_requests"), atLeast/4, "%s: an office behind one address", memory)
		require.GreaterOrEqual(t, every(t, config, "limit_conn client_uploads"), 16, "%s", memory)
	}
	deployment := runApp(t, nil).Named(t, deploymentType, "shop-nginx")
	for i, name := range []string{"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"} {
		at := fmt.Sprintf("spec.template.spec.securityContext.sysctls[%d].", i)
		require.Equal(t, name, deployment.Input(t, at+"name"))
		require.Regexp(t, fmt.Sprintf("^[0-9]+ [0-9]+ %d$", nginx.SocketBytes), deployment.Input(t, at+"value"), "the most is the last")
	}
}

// stalled opens connections that send a request and then nothing, and counts the statuses that come.
func stalled(t *testing.T, s *site, count int, request string) (statuses map[string]int) {
	t.Helper()
	statuses = map[string]int{}
	for range count {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { connection.Close() })
		_, err = io.WriteString(connection, request)
		require.NoError(t, err)
		require.NoError(t, connection.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		line, err := bufio.NewReader(connection).ReadString('\n')
		if err != nil {
			statuses["waits"]++
			continue
		}
		statuses[strings.Fields(line)[1]]++
	}
	return statuses
}

func TestNginxGivesOneClientItsShareOfTheUploads(t *testing.T) {
	s := startSite(t, nginx.Args{TrustedProxies: []string{"127.0.0.0/8"}, Limits: nginx.LimitArgs{Uploads: 20}}, nil)
	post := func(client, headers string) string {
		return "POST /api/items HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: " + client + "\r\n" + headers + "\r\n\r\nx"
	}
	require.Equal(t, map[string]int{"waits": 5, "503": 3}, stalled(t, s, 8, post("192.0.2.1", "Content-Length: 200000")))
	require.Equal(t, map[string]int{"503": 1}, stalled(t, s, 1, strings.TrimSuffix(post("192.0.2.1", "Transfer-Encoding: chunked"), "x")), "one that doesn't say its size")
	require.Equal(t, map[string]int{"waits": 2}, stalled(t, s, 2, post("192.0.2.1", "Content-Length: 2000")), "a small one is no upload")
	require.Equal(t, map[string]int{"waits": 3}, stalled(t, s, 3, post("2001:db8:0:1::1", "Content-Length: 200000")))
	require.Equal(t, map[string]int{"waits": 2, "503": 1}, stalled(t, s, 3, post("2001:db8:0:1:2::9", "Content-Length: 200000")), "a /64 is one client")

	body := strings.Repeat("x", 90_000)
	got := ask(t, s.URL, http.MethodPost, "/api/items", body, map[string]string{"X-Forwarded-For": "198.51.100.7"})
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Len(t, got.seen(t).Body, len(body))
}

func TestNginxGivesOneClientItsShareOfTheRequests(t *testing.T) {
	release := make(chan struct{})
	var waiting atomic.Int32
	s := startSite(t, nginx.Args{TrustedProxies: []string{"127.0.0.0/8"}, Limits: nginx.LimitArgs{Requests: 20, RequestsPerClient: 12}},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			waiting.Add(1)
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}))
	get := func(client string) string {
		return "GET /api/slow HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: " + client + "\r\n\r\n"
	}
	require.Equal(t, map[string]int{"waits": 12, "503": 2}, stalled(t, s, 14, get("192.0.2.1")))
	require.Equal(t, map[string]int{"waits": 8, "503": 2}, stalled(t, s, 10, get("192.0.2.2")), "the pod's own limit")
	require.EqualValues(t, 20, waiting.Load(), "what is refused never reaches the app")
	requireProblem(t, ask(t, s.URL, http.MethodGet, "/api", "", nil), http.StatusServiceUnavailable, "The service is busy")
	page := ask(t, s.URL, http.MethodGet, "/", "", nil)
	require.Equal(t, http.StatusServiceUnavailable, page.status)
	require.Equal(t, "text/html", page.header.Get("Content-Type"))
	require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, nginx.HealthPath, "", nil).status, "busy isn't unhealthy")
	close(release)
	require.Eventually(t, func() bool {
		return ask(t, s.URL, http.MethodGet, "/", "", nil).status == http.StatusOK
	}, 5*time.Second, 50*time.Millisecond)
}

func TestNginxAnswersABystanderOfThreeClientsThatTakeAllTheyCan(t *testing.T) {
	s := startSite(t, nginx.Args{TrustedProxies: []string{"127.0.0.0/8"}, Limits: nginx.LimitArgs{Requests: 24}}, nil)
	for client := range 3 {
		request := fmt.Sprintf("POST /api/items HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 192.0.2.%d\r\nContent-Length: 2000\r\n\r\nx", client)
		require.Equal(t, map[string]int{"waits": 6, "503": 2}, stalled(t, s, 8, request), "client %d", client)
	}
	got := ask(t, s.URL, http.MethodPost, "/api/items", "x", map[string]string{"X-Forwarded-For": "198.51.100.7"})
	require.Equal(t, http.StatusOK, got.status, got.body)
}

func TestNginxLimitsAClientsRateWhereItIsTold(t *testing.T) {
	s := startSite(t, nginx.Args{TrustedProxies: []string{"127.0.0.0/8"}, Limits: nginx.LimitArgs{RatePerClient: 5}}, nil)
	statuses := map[int]int{}
	for range 30 {
		statuses[ask(t, s.URL, http.MethodGet, "/api", "", nil).status]++
	}
	require.Positive(t, statuses[http.StatusTooManyRequests])
	require.GreaterOrEqual(t, statuses[http.StatusOK], 6, "the burst")
	require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodGet, "/api", "", map[string]string{"X-Forwarded-For": "192.0.2.9"}).status, "another client")
	require.NotContains(t, renderNginx(t, nginx.Args{}), "limit_req", "off by default")
}

func TestASlowReaderHoldsNoWorkerOfTheApp(t *testing.T) {
	const bytes = 2 << 20
	done := make(chan struct{}, 1)
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(make([]byte, bytes))
		_ = http.NewResponseController(w).Flush()
		done <- struct{}{}
	}))
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(4096))
	_, err = io.WriteString(connection, "GET /api/large HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	require.NoError(t, err)
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the app still waits for a client that reads nothing")
	}
}

func TestNginxAnswersForItsHostsAlone(t *testing.T) {
	certificate := "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
	s := startSite(t, nginx.Args{Hosts: []string{"shop.example", "*.shop.example"}, CertificateArn: certificate}, nil)
	for host, want := range map[string]int{
		"shop.example": 200, "shop.example:443": 200, "SHOP.example": 200, "eu.shop.example": 200,
		"evil.example": 421, "shop.example.evil.example": 421, "127.0.0.1": 421,
	} {
		require.Equal(t, want, ask(t, s.TLSURL, http.MethodGet, "/api/x", "", map[string]string{"Host": host}).status, host)
		redirected := ask(t, s.URL, http.MethodGet, "/x", "", map[string]string{"Host": host})
		require.Equal(t, map[int]int{200: 308, 421: 421}[want], redirected.status, host)
	}
	for _, base := range []string{s.URL, s.TLSURL} {
		require.Equal(t, http.StatusOK, ask(t, base, http.MethodGet, nginx.HealthPath, "", nil).status, "the kubelet asks by address")
	}
	requireProblem(t, ask(t, s.TLSURL, http.MethodGet, "/api/x", "", map[string]string{"Host": "evil.example"}), http.StatusMisdirectedRequest, "This service doesn't answer for that host")
}

func TestTheAppIsToldTheHostThatNginxWentBy(t *testing.T) {
	s := startSite(t, nginx.Args{Hosts: []string{"shop.example"}}, nil)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET http://shop.example/api HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	said, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.Contains(t, string(said), " 200 ")
	require.NotContains(t, string(said), "evil.example")
}

func TestNginxServesPlainHTTPUntilTLSWorks(t *testing.T) {
	no := false
	s := startSite(t, nginx.Args{CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2", Redirect: &no}, nil)
	require.Equal(t, "http", ask(t, s.URL, http.MethodGet, "/", "", nil).seen(t).Header.Get("X-Forwarded-Proto"))
	require.Equal(t, "https", ask(t, s.TLSURL, http.MethodGet, "/", "", nil).seen(t).Header.Get("X-Forwarded-Proto"))
}

func TestNginxListensOnIPv6Too(t *testing.T) {
	if listener, err := net.Listen("tcp", "[::1]:0"); err != nil {
		skip.Test(t, "IPv6: %v", err)
	} else {
		listener.Close()
	}
	s := startSite(t, nginx.Args{CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"}, nil)
	for _, base := range []string{s.URL, s.TLSURL} {
		require.Equal(t, http.StatusOK, ask(t, strings.Replace(base, "127.0.0.1", "[::1]", 1), http.MethodGet, nginx.HealthPath, "", nil).status)
	}
}

// silentAddress takes connections into a queue that is full: a peer that says nothing, as a dead node's.
func silentAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	raw, err := listener.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { shrinkQueue(fd) }))
	t.Cleanup(func() { listener.Close() })
	var held []net.Conn
	t.Cleanup(func() {
		for _, c := range held {
			c.Close()
		}
	})
	for range 8 {
		connection, err := net.DialTimeout("tcp", listener.Addr().String(), 300*time.Millisecond)
		if err != nil {
			return listener.Addr().String()
		}
		held = append(held, connection)
	}
	t.Fatal("the queue takes more than it should")
	return ""
}

func TestNginxFindsALivingPodBehindSilentOnes(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	silent, live := silentAddress(t), s.backend.Listener.Addr().String()
	config, err := nginx.RenderConfig(nginx.Args{}, upstreamAt(s.backend), upstreamAt(s.frontend))
	require.NoError(t, err)
	// Of eight tries all but the last meet the dead pod: the worst that a Service's choice can be.
	tries := strings.Count(config, "server "+live+" max_fails=0;")
	require.GreaterOrEqual(t, tries, 4)
	dead := slices.Repeat([]string{"server " + silent + " max_fails=0;"}, tries-1)
	config = strings.Replace(config, strings.Repeat("        server "+live+" max_fails=0;\n", tries),
		strings.Join(dead, "\n")+"\n        server "+live+" max_fails=0;\n", 1)
	server := startNginx(t, config)
	start := time.Now()
	got := ask(t, server, http.MethodPost, "/api", "x", nil)
	require.Equal(t, http.StatusOK, got.status, "a POST too: nothing was sent yet")
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestNginxLetsGoOfAConnectionBeforeGunicornDoes(t *testing.T) {
	s := startSite(t, nginx.Args{}, nil)
	s.backend.Config.IdleTimeout = 2 * time.Second // gunicorn's keepalive, its default
	for range 4 {
		require.Equal(t, http.StatusOK, ask(t, s.URL, http.MethodPost, "/api", "x", nil).status)
		time.Sleep(2 * time.Second) // the moment at which the app closes what is silent
	}
	require.Less(t, directiveSeconds(t, renderNginx(t, nginx.Args{}), "keepalive_timeout")[1], 2)
}

func TestAClientsIdleConnectionIsGoneBeforeThePod(t *testing.T) {
	for drain, want := range map[int]int{5: 2, 10: 5, 60: 30, 300: 65} {
		require.Equal(t, want, directiveSeconds(t, renderNginx(t, nginx.Args{DrainSeconds: drain}), "keepalive_timeout")[0], "a drain of %d s", drain)
	}
}

// directiveSeconds are all values of a directive, but those that switch it off: the client's first, then the upstreams'.
func directiveSeconds(t *testing.T, config, name string) []int {
	t.Helper()
	var values []int
	for _, found := range regexp.MustCompile(`(?m)^\s*`+name+` (\d+)s;`).FindAllStringSubmatch(config, -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		values = append(values, n)
	}
	// The upstreams stand after the server's own.
	require.Len(t, values, 3)
	return values
}
