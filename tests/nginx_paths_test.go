package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
	"threetier/gate/project"
)

// pathRoutes lead a part of the backend's paths to it. /api/admin belongs to the frontend, and /svc is the backend without a prefix.
var pathRoutes = []nginx.RouteArgs{
	{Path: "/", To: nginx.ToFrontend},
	{Path: "/api", To: nginx.ToBackend},
	{Path: "/api/admin", To: nginx.ToFrontend},
	{Path: "/svc", To: nginx.ToBackend, StripPrefix: true},
	{Path: "/v1.2/~x", To: nginx.ToBackend},
}

// startPaths is a rendered config in a real nginx before two upstreams; it returns nginx's address.
func startPaths(t *testing.T, backend, frontend string) string {
	t.Helper()
	config, err := nginx.RenderConfig(nginx.Args{Routes: pathRoutes}, backend, frontend)
	require.NoError(t, err)
	return strings.TrimPrefix(startNginx(t, config), "http://")
}

// rawEcho tells the target of each request as it came, which net/http wouldn't.
func rawEcho(t *testing.T, upstream string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				reader := bufio.NewReader(connection)
				for {
					line, err := reader.ReadString('\n')
					if err != nil {
						return
					}
					target := strings.TrimSuffix(line[strings.Index(line, " ")+1:], " HTTP/1.1\r\n")
					for line != "\r\n" {
						if line, err = reader.ReadString('\n'); err != nil {
							return
						}
					}
					raw, _, _ := strings.Cut(target, "?")
					decoded, _ := url.PathUnescape(raw)
					told, _ := json.Marshal(arrived{Upstream: upstream, Raw: raw, Path: decoded})
					fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(told), told)
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// starlette runs tests/nginx/paths.py on Debian's packages.
func starlette(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, _ := net.SplitHostPort(address)
	command := exec.Command(filepath.Join(project.Root(), "bin/trixie"), "/usr/bin/python3", filepath.Join(project.Root(), "tests/nginx/paths.py"), port)
	said := &lockedBuffer{}
	command.Stdout, command.Stderr = said, said
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	require.Eventually(t, func() bool {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, 30*time.Second, 50*time.Millisecond, "%s", said)
	return address
}

// arrived is what an upstream tells of a request: its path as it was sent, and decoded.
type arrived struct {
	Upstream, Raw, Path string
}

// askRaw sends a request line that net/http would tidy up, and returns the status and the body.
func askRaw(t *testing.T, address, line string) (int, string) {
	t.Helper()
	connection, err := net.DialTimeout("tcp", address, 5*time.Second)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(connection, "%s\r\nHost: shop.example\r\nConnection: close\r\n\r\n", line)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err, line)
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// A path is worth nothing to an attacker where nginx and what is behind it read it in the same way.
func TestNginxLeadsNoPathToAnAppThatNoRouteLeadsTo(t *testing.T) {
	t.Parallel()
	requireNginx(t)
	address := startPaths(t, starlette(t), rawEcho(t, "frontend"))
	long := strings.Repeat("/a", 1000)
	for _, target := range []string{
		// The way out of a route that nginx sees, and Starlette doesn't.
		"/metrics/../api/", "/metrics/../api", "/metrics/x/../../api/x", "/internal/../api/items", "/metrics/./../api/",
		"/healthz/../api/", "/apix/../api/", "/metrics/../svc/x", "/metrics/../v1.2/~x",
		// And the way back in.
		"/api/../metrics", "/api/../metrics/", "/api/x/../../metrics", "/api/./../metrics", "/api/..", "/api/.", "/svc/../metrics",
		"/svc/../internal/x", "/..", "/.", "/../api/",
		// Encoded, once and twice, in parts and with slashes.
		"/metrics/%2e%2e/api/", "/metrics/%2E%2E/api/", "/metrics/.%2e/api/", "/metrics/%2e./api/", "/metrics/..%2fapi/", "/metrics/..%2Fapi/x",
		"/metrics%2f../api/", "/metrics%2f..%2fapi%2f", "/metrics%2F%2e%2e%2Fapi/", "/api%2f..%2fmetrics", "/api/%2e%2e/metrics", "/api/%2e",
		"/metrics/%252e%252e/api/", "/metrics/%25252e%25252e/api/", "/metrics/..%252fapi/", "/metrics/%c0%ae%c0%ae/api/",
		// What ends a segment elsewhere.
		"/metrics/..;/api/", "/metrics;/../api/", "/metrics/..;x=1/api/", "/metrics/..%3b/api/", `/metrics\..\api/`, `/metrics/..\api/`,
		"/metrics%5c..%5capi/", "/metrics/..%5capi/", "/metrics/..%00/api/", "/metrics/..%23/api/", "/metrics/..#/api/", "/api/..#",
		// More slashes than one.
		"//metrics", "//api/", "//api//x", "/metrics//../api/", "///api/x", "/api//../metrics", "/api//admin/x", "/api//x", "//svc/x",
		// Other ways to write a route's path.
		"/%61pi/", "/%61pi/x", "/ap%69", "/a%70i?x=1", "/%2fapi/x", "%2fapi/x", "/api%2f", "/api%2fx", "/api%2Fadmin", "/api/%61dmin/x", "/api/admin%2fx",
		"/api%3fx", "/api%23x", "/api#x", "/api#/x", "/api/#/../metrics", "/api%20/", "/api%00/x", "/api%", "/api/%zz", "/%",
		"/metrics%2f", "/metrics%3f/../api/", "/metrics#/../api/", "/metrics?/../api/", "/api?/../metrics", "/api/?x=/../../metrics", "/api;x/y", "/api/;/admin",
		"/API/", "/Metrics", "/apix", "/apix/", "/api.", "/api./", "/api.json", "/svcx", "/v1.2/~x/y", "/v1x2/~x/y", "/v1.2/%7ex/y", "/v1.2/~xy",
		// Not only paths.
		"http://shop.example/metrics/../api/", "http://shop.example/metrics", "http://evil.example/api/x", "http://shop.example", "http://shop.example?x=/../metrics",
		"http://shop.example//metrics/../api/", "https://shop.example/%61pi/", "http://shop.example@evil.example/api/", "*", "shop.example:80", "metrics", "api/x", "",
		"?/../metrics", "../metrics", `\api\x`, "/api\\..\\metrics", "/api/\xff\xfe", "/metrics/..\xc0\xaf/api/", "/\xe2\x80\xa5/api/", "/api/%ff%fe", "/api/\tx", "/api/ x", "/metrics/.. /../api/",
		"/api" + long, "/metrics" + long + strings.Repeat("/..", 1001) + "/api/", "/api/" + strings.Repeat("x", 30000),
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			status, body := askRaw(t, address, method+" "+target+" HTTP/1.1")
			if status != http.StatusOK {
				assert.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestURITooLong}, status, "%s %q: %s", method, target, body)
				continue
			}
			var got arrived
			require.NoError(t, json.Unmarshal([]byte(body), &got), "%s %q: %s", method, target, body)
			assert.NotEqual(t, "private", got.Upstream, "%s %q", method, target)
		}
	}
}

// What is legitimate arrives, and as it was sent.
func TestNginxPassesLegitimatePathsOn(t *testing.T) {
	t.Parallel()
	requireNginx(t)
	address := startPaths(t, starlette(t), rawEcho(t, "frontend"))
	for target, want := range map[string]arrived{
		"/api":                          {"backend", "/api", "/api"},
		"/api?next=/../x":               {"backend", "/api", "/api"},
		"/api/?a=1#b":                   {"backend", "/api/", "/api/"},
		"/api/files/a%2Fb":              {"backend", "/api/files/a%2Fb", "/api/files/a/b"},
		"/api/files/a%2fb%5Cc":          {"backend", "/api/files/a%2fb%5Cc", `/api/files/a/b\c`},
		"/api/fetch/https://x.example/": {"backend", "/api/fetch/https://x.example/", "/api/fetch/https://x.example/"},
		"/api/100%25":                   {"backend", "/api/100%25", "/api/100%"},
		"/api/a%2eb/c..d/.e/...":        {"backend", "/api/a%2eb/c..d/.e/...", "/api/a.b/c..d/.e/..."},
		"/api/%C3%A9/%E6%97%A5":         {"backend", "/api/%C3%A9/%E6%97%A5", "/api/é/日"},
		"/api/x;v=1,2/(y)@:$&'*+=!":     {"backend", "/api/x;v=1,2/(y)@:$&'*+=!", "/api/x;v=1,2/(y)@:$&'*+=!"},
		"/v1.2/~x/y":                    {"backend", "/v1.2/~x/y", "/v1.2/~x/y"},
		"/svc/a%20b":                    {"backend", "/a%20b", "/a b"},
		"/svc":                          {"backend", "/", "/"},
		"/heroes;id=1/.well-known":      {"frontend", "/heroes;id=1/.well-known", "/heroes;id=1/.well-known"},
		"//index.html":                  {"frontend", "//index.html", "//index.html"},
		"/@scope/pkg/..a/a..":           {"frontend", "/@scope/pkg/..a/a..", "/@scope/pkg/..a/a.."},
	} {
		status, body := askRaw(t, address, "GET "+target+" HTTP/1.1")
		assert.Equal(t, http.StatusOK, status, "%s: %s", target, body)
		var got arrived
		require.NoError(t, json.Unmarshal([]byte(body), &got), "%s: %s", target, body)
		assert.Equal(t, want, got, target)
	}
	_, body := askRaw(t, address, "GET /api/../metrics HTTP/1.1")
	assert.Contains(t, body, "400 Bad Request", "a browser gets a page")
	_, body = askRaw(t, address, "GET /%61pi/x HTTP/1.1")
	assert.Contains(t, body, `{"detail":"Bad request","status":400,`)
}

// readings are the ways in which software reads a path: some decode it, some resolve or merge what they find in it.
var readings = map[string]func(raw string) string{
	"as sent":              func(raw string) string { return raw },
	"merged":               func(raw string) string { return manySlashes.ReplaceAllString(raw, "/") },
	"decoded":              decoded,
	"resolved":             resolved,
	"decoded and merged":   func(raw string) string { return manySlashes.ReplaceAllString(decoded(raw), "/") },
	"decoded and resolved": func(raw string) string { return resolved(decoded(raw)) },
}

var manySlashes = regexp.MustCompile(`/{2,}`)

func decoded(raw string) string {
	text, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return text
}

func resolved(raw string) string {
	clean := path.Clean(raw)
	if strings.HasSuffix(raw, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// routeOf is the route that covers a path.
func routeOf(p string) string {
	longest := "/"
	for _, route := range pathRoutes {
		covers := p == route.Path || strings.HasPrefix(p, route.Path+"/")
		if covers && len(route.Path) > len(longest) {
			longest = route.Path
		}
	}
	return longest
}

// Whatever the app behind a route makes of a path, the path belongs to this route, and not to another one or to none.
func TestNginxLeadsGeneratedPathsWhereEveryReaderWould(t *testing.T) {
	t.Parallel()
	requireNginx(t)
	address := startPaths(t, rawEcho(t, nginx.ToBackend), rawEcho(t, nginx.ToFrontend))
	random := rand.New(rand.NewPCG(5, 6))
	pieces := []string{
		"/", "/", "/", "//", "%2f", "%2F", "..", ".", "%2e", "%2E%2e", "%5c", "%61", "%20", "%25", "#", "~", "%7e", "x",
		"api", "/api", "/api/", "admin", "/admin", "/api/admin", "svc", "/svc/", "/v1.2/~x", "/metrics", "metrics", "%252e",
	}
	passed := 0
	for range 3000 {
		target := "/"
		for range 1 + random.IntN(7) {
			target += pieces[random.IntN(len(pieces))]
		}
		status, body := askRaw(t, address, "GET "+target+" HTTP/1.1")
		if status == http.StatusBadRequest {
			continue
		}
		require.Equal(t, http.StatusOK, status, target)
		passed++
		var got arrived
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		sent, _, _ := strings.Cut(target, "#")
		want := routeOf(sent)
		for name, read := range readings {
			require.Equal(t, want, routeOf(read(sent)), "%q, %s: %q", target, name, read(sent))
		}
		for _, route := range pathRoutes {
			if route.Path != want {
				continue
			}
			require.Equal(t, route.To, got.Upstream, target)
			if !route.StripPrefix {
				require.Equal(t, target, got.Raw)
			}
		}
	}
	require.Greater(t, passed, 500, "a test of what is refused alone shows nothing")
}
