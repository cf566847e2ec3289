// Bench compares the rendered nginx config with a bare proxy_pass, both with one worker, in
// front of the same stub: requests per second and p99, measured in turns, by wrk.
//
//	go run ./tests/nginx/bench
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"threetier/components/app"
	"threetier/tests/nginx"
)

const (
	rounds      = 9
	connections = 64
	seconds     = 2
	// The rendered config must serve at least wantTimes as many requests, at no more than half the p99.
	wantTimes = 3.0
	wantP99   = 0.5
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

type result struct{ rate, p99 float64 }

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
	address := upstream[len("http://"):]
	bareURL, stop, err := serve(fmt.Sprintf(bare, address))
	if err != nil {
		return err
	}
	defer stop()
	config, err := app.RenderNginxConfig(app.NginxArgs{}, app.NginxUpstream{HostPort: address}, app.NginxUpstream{HostPort: address})
	if err != nil {
		return err
	}
	renderedURL, stop, err := serve(config)
	if err != nil {
		return err
	}
	defer stop()

	bareResults, renderedResults, err := measure(out, bareURL+"/api/items", renderedURL+"/api/items")
	if err != nil {
		return err
	}
	return judge(out, median(bareResults), median(renderedResults))
}

// serve runs nginx with a config in a folder of its own; its log goes nowhere, as fast as a pipe takes it.
func serve(config string) (string, func(), error) {
	dir, err := os.MkdirTemp("", "nginx-bench-")
	if err != nil {
		return "", nil, err
	}
	server, err := nginx.Start(config, dir, discard{})
	if err != nil {
		return "", nil, err
	}
	return server.URL, func() {
		_ = server.Stop()
		_ = os.RemoveAll(dir)
	}, nil
}

// discard isn't io.Discard, for which exec opens /dev/null: in a pod the log is a pipe.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// measure takes turns, so that what else runs on the machine meets both.
func measure(out io.Writer, bareURL, renderedURL string) (bareResults, renderedResults []result, err error) {
	for round := range rounds {
		b, err := wrk(bareURL)
		if err != nil {
			return nil, nil, err
		}
		r, err := wrk(renderedURL)
		if err != nil {
			return nil, nil, err
		}
		bareResults, renderedResults = append(bareResults, b), append(renderedResults, r)
		fmt.Fprintf(out, "round %d of %d: bare %.0f requests/s, p99 %.2f ms; rendered %.0f requests/s, p99 %.2f ms\n",
			round+1, rounds, b.rate, b.p99, r.rate, r.p99)
	}
	return bareResults, renderedResults, nil
}

var (
	rateLine  = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	p99Line   = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	errorLine = regexp.MustCompile(`Non-2xx.*|Socket errors.*`)
)

func wrk(url string) (result, error) {
	said, err := exec.Command("wrk", "--threads", "1", "--connections", strconv.Itoa(connections),
		"--duration", fmt.Sprintf("%ds", seconds), "--latency", url).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("run wrk (Debian package wrk): %w\n%s", err, said)
	}
	if failed := errorLine.Find(said); failed != nil {
		return result{}, fmt.Errorf("%s: %s", url, failed)
	}
	rate, p99 := rateLine.FindSubmatch(said), p99Line.FindSubmatch(said)
	if rate == nil || p99 == nil {
		return result{}, fmt.Errorf("read what wrk says:\n%s", said)
	}
	perSecond, err := strconv.ParseFloat(string(rate[1]), 64)
	if err != nil {
		return result{}, err
	}
	latency, err := time.ParseDuration(string(p99[1]) + string(p99[2]))
	return result{rate: perSecond, p99: float64(latency) / float64(time.Millisecond)}, err
}

func median(results []result) result {
	middle := func(of func(result) float64) float64 {
		values := make([]float64, len(results))
		for i, r := range results {
			values[i] = of(r)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return result{rate: middle(func(r result) float64 { return r.rate }), p99: middle(func(r result) float64 { return r.p99 })}
}

func judge(out io.Writer, bare, rendered result) error {
	times, p99 := rendered.rate/bare.rate, rendered.p99/bare.p99
	fmt.Fprintf(out, "median: bare %.0f requests/s, p99 %.2f ms; rendered %.0f requests/s, p99 %.2f ms: %.2f times the requests at %.2f of the p99\n",
		bare.rate, bare.p99, rendered.rate, rendered.p99, times, p99)
	if times < wantTimes || p99 > wantP99 {
		return fmt.Errorf("want %.1f times the requests at %.1f of the p99", wantTimes, wantP99)
	}
	return nil
}
