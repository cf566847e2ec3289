// Bench compares the rendered nginx config with haproxy, which does the same work, and with a
// bare proxy_pass, each with one worker, in front of the same stub: requests per second and
// p99, measured in turns, by wrk.
//
//	make bench-nginx
package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"threetier/components/app/nginx"
	"threetier/gate/node"
	"threetier/gate/wrk"
	realnginx "threetier/tests/nginx"
)

const (
	rounds      = 9
	connections = 64
	seconds     = 2
	// The rendered config must serve at least so many times the requests of each.
	wantTimesBare    = 2.5
	wantTimesHaproxy = 1.2
)

// stub answers at once, over connections that the proxy may keep.
const stub = `
daemon off; pid /tmp/nginx.pid; error_log stderr error; worker_processes 1; worker_rlimit_nofile 16384;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000;
  client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  server { listen 8080; location / { default_type application/json; return 200 '{"items":[]}'; } } }`

// bare is what one writes first: a connection to the upstream for each request, and a log.
const bare = `
daemon off; pid /tmp/nginx.pid; error_log stderr error; worker_processes 1; worker_rlimit_nofile 16384;
events { worker_connections 4096; }
http { access_log /dev/stdout;
  client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  server { listen 8080; location / { proxy_pass http://%s; } } }`

// haproxy logs each request and keeps its connections, and sets the same headers.
const haproxy = `
global
  nbthread 1
  maxconn 8192
  log stdout format raw local0
defaults
  mode http
  log global
  option dontlognull
  option http-keep-alive
  http-reuse always
  timeout connect 500ms
  timeout client 65s
  timeout server 60s
  log-format '{"time":"%%t","request_id":"%%ID","client":"%%ci","method":"%%HM","path":"%%HP","status":%%ST,"bytes_in":%%U,"bytes_out":%%B,"seconds":%%Tt,"upstream":"%%b","upstream_addr":"%%si:%%sp","upstream_connect_seconds":%%Tc,"upstream_seconds":%%Tr}'
  unique-id-format %%[uuid()]
  unique-id-header X-Request-ID
frontend site
  bind 127.0.0.1:%d
  http-request set-header X-Real-IP %%[src]
  http-request set-header X-Forwarded-For %%[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %%[req.hdr(Host)]
  http-request del-header X-Forwarded-Port
  http-request del-header Forwarded
  http-request del-header Proxy
  http-response set-header X-Content-Type-Options nosniff
  http-response set-header X-Frame-Options SAMEORIGIN
  http-response set-header Referrer-Policy strict-origin-when-cross-origin
  http-response set-header X-Request-ID %%[unique-id]
  default_backend backend
backend backend
  server backend %s
`

// result is of one run: requests per second, milliseconds, and microseconds of the proxy's CPU for each request. On a
// machine that does other things too, the last says more than the first: it is what a worker on a full core is bound by.
type result struct{ rate, p99, cpu float64 }

// target is a proxy under test.
type target struct {
	url string
	pid int
}

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	upstream, stop, err := serve(stub)
	if err != nil {
		return err
	}
	defer stop()
	address := upstream.url[len("http://"):]
	bareURL, stop, err := serve(fmt.Sprintf(bare, address))
	if err != nil {
		return err
	}
	defer stop()
	// The load is one client.
	config, err := nginx.RenderConfig(nginx.Args{Limits: nginx.LimitArgs{RequestsPerClient: connections}}, address, address)
	if err != nil {
		return err
	}
	renderedURL, stop, err := serve(config)
	if err != nil {
		return err
	}
	defer stop()

	haproxyURL, stop, err := serveHaproxy(address)
	if err != nil {
		return err
	}
	defer stop()

	results, err := measure(out, map[string]target{"bare": bareURL, "haproxy": haproxyURL, "rendered": renderedURL})
	if err != nil {
		return err
	}
	return judge(out, median(results["bare"]), median(results["haproxy"]), median(results["rendered"]))
}

// serveHaproxy is serve for haproxy (Debian package haproxy).
func serveHaproxy(upstream string) (target, func(), error) {
	port, err := node.FreePort()
	if err != nil {
		return target{}, nil, err
	}
	dir, err := os.MkdirTemp("", "haproxy-bench-")
	if err != nil {
		return target{}, nil, err
	}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, haproxy, port, upstream), 0o600); err != nil {
		return target{}, nil, err
	}
	process := exec.Command("haproxy", "-db", "-f", file)
	process.Stdout, process.Stderr = discard{}, os.Stderr
	if err := process.Start(); err != nil {
		return target{}, nil, fmt.Errorf("run haproxy (Debian package haproxy): %w", err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	stop := func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		_ = os.RemoveAll(dir)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			return target{"http://" + address, process.Process.Pid}, stop, connection.Close()
		}
		if time.Now().After(deadline) {
			stop()
			return target{}, nil, fmt.Errorf("haproxy doesn't listen after 5 s: %w", err)
		}
	}
}

// serve runs nginx with a config in a folder of its own; its log goes nowhere, as fast as a pipe takes it.
func serve(config string) (target, func(), error) {
	dir, err := os.MkdirTemp("", "nginx-bench-")
	if err != nil {
		return target{}, nil, err
	}
	server, err := realnginx.Start(config, dir, discard{})
	if err != nil {
		return target{}, nil, err
	}
	return target{server.URL, server.PID()}, func() {
		_ = server.Stop()
		_ = os.RemoveAll(dir)
	}, nil
}

// discard isn't io.Discard, for which exec opens /dev/null: in a pod the log is a pipe.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// measure takes turns, so that what else runs on the machine meets all.
func measure(out io.Writer, urls map[string]target) (map[string][]result, error) {
	results := map[string][]result{}
	for round := range rounds {
		line := fmt.Sprintf("round %d of %d:", round+1, rounds)
		for _, name := range slices.Sorted(maps.Keys(urls)) {
			r, err := urls[name].run()
			if err != nil {
				return nil, err
			}
			results[name] = append(results[name], r)
			line += fmt.Sprintf(" %s %.0f requests/s, p99 %.2f ms, %.1f µs of CPU;", name, r.rate, r.p99, r.cpu)
		}
		fmt.Fprintln(out, line)
	}
	return results, nil
}

// run loads the proxy, and looks at its CPU time before and after.
func (t target) run() (result, error) {
	before, err := t.cpu()
	if err != nil {
		return result{}, err
	}
	command := wrk.Command(t.url+"/api/items", connections, seconds)
	said, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("run wrk (Debian package wrk): %w\n%s", err, said)
	}
	run, err := wrk.Read(string(said))
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", t.url, err)
	}
	after, err := t.cpu()
	return result{rate: run.PerSecond, p99: run.P99, cpu: (after - before) / run.Requests}, err
}

// cpu is the time of the process and of its workers, in microseconds.
func (t target) cpu() (total float64, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// After the name, which is in brackets: state, parent.
		pid, rest, _ := strings.Cut(string(data), " (")
		fields := strings.Fields(rest[strings.LastIndex(rest, ")")+1:])
		if id := strconv.Itoa(t.pid); pid != id && fields[1] != id {
			continue
		}
		used, err := wrk.CPU(string(data))
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", file, err)
		}
		total += used
	}
	return total, nil
}

func median(results []result) result {
	return result{
		rate: wrk.Median(results, func(r result) float64 { return r.rate }),
		p99:  wrk.Median(results, func(r result) float64 { return r.p99 }),
		cpu:  wrk.Median(results, func(r result) float64 { return r.cpu }),
	}
}

func judge(out io.Writer, bare, haproxy, rendered result) error {
	timesBare, timesHaproxy := rendered.rate/bare.rate, rendered.rate/haproxy.rate
	fmt.Fprintf(out, "median: bare %.0f requests/s, p99 %.2f ms; haproxy %.0f, %.2f ms; rendered %.0f, %.2f ms: %.2f times haproxy's requests, %.2f times the bare config's\n",
		bare.rate, bare.p99, haproxy.rate, haproxy.p99, rendered.rate, rendered.p99, timesHaproxy, timesBare)
	fmt.Fprintf(out, "median CPU of a request: bare %.1f µs, haproxy %.1f, rendered %.1f: haproxy's is %.2f times it, the bare config's %.2f times\n",
		bare.cpu, haproxy.cpu, rendered.cpu, haproxy.cpu/rendered.cpu, bare.cpu/rendered.cpu)
	if timesBare < wantTimesBare || timesHaproxy < wantTimesHaproxy {
		return fmt.Errorf("want %.1f times haproxy's requests and %.1f times the bare config's", wantTimesHaproxy, wantTimesBare)
	}
	return nil
}
