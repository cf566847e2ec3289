// Package load sends requests to a site and records what each of them got.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Seconds is how long a client waits for an answer.
const Seconds = 30

// mostTries bounds how often the client sends a request: it repeats a GET whose kept connection was closed.
const mostTries = 3

// Request is one request of a load.
type Request struct {
	Method, Path, Body string
	// Status is the expected one.
	Status int
	// Page tells that the answer is a page: the script that it names is loaded as well, as a browser does.
	Page bool
	// Mark is the sender's own.
	Mark string
}

// Hit is what a request got.
type Hit struct {
	Request Request
	At      time.Time
	Took    time.Duration
	Bytes   int
	// Repeated tells that the client sent it again by itself.
	Repeated bool
	// Lost is the kind of the loss, What the loss in words; both are empty for a good answer.
	Lost, What string
}

// String is a lost request in a line.
func (h Hit) String() string { return h.At.Format("15:04:05.000") + " " + h.What }

// Options say what is sent.
type Options struct {
	Site string
	// Next is the request of a number, from 1 on.
	Next func(n int) Request
	// Rate is in requests per second; 0: as many as the clients get answered.
	Rate int
	// Clients bound the requests under way; 0: no bound, so that the rate is kept whatever becomes of them.
	Clients int
	// Client makes one of the clients, or the only one.
	Client func() *http.Client
}

// Load is one under way.
type Load struct {
	Options
	Began time.Time
	stop  context.CancelFunc
	done  chan struct{}

	mu   sync.Mutex
	hits []Hit
}

// Start begins.
func Start(o Options) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{Options: o, Began: time.Now(), stop: stop, done: make(chan struct{})}
	go l.run(ctx)
	return l
}

func (l *Load) run(ctx context.Context) {
	defer close(l.done)
	shared, free := l.Client(), make(chan *http.Client, l.Clients)
	for range l.Clients {
		free <- l.Client()
	}
	var underWay sync.WaitGroup
	for n := 1; ctx.Err() == nil; n++ {
		if l.Rate > 0 {
			time.Sleep(time.Until(l.Began.Add(time.Duration(n-1) * time.Second / time.Duration(l.Rate))))
		}
		if l.Clients == 0 {
			underWay.Go(func() { l.send(shared, n) })
			continue
		}
		client := <-free
		underWay.Go(func() {
			l.send(client, n)
			free <- client
		})
	}
	underWay.Wait()
	shared.CloseIdleConnections()
	for range l.Clients {
		(<-free).CloseIdleConnections()
	}
}

// End waits for the last answer. Fewer requests than least are too few to say anything.
func (l *Load) End(least int) error {
	l.stop()
	<-l.done
	if sent := len(l.Hits()); sent < least {
		return fmt.Errorf("%d requests were sent, want %d or more", sent, least)
	}
	return nil
}

// Hits are those so far.
func (l *Load) Hits() []Hit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.hits)
}

func (l *Load) send(client *http.Client, n int) {
	hit := Hit{Request: l.Next(n), At: time.Now()}
	page, err := l.ask(client, hit.Request, &hit)
	if err != nil {
		hit.Lost, hit.What = kind(err), fmt.Sprintf("%s %s: %v", hit.Request.Method, hit.Request.Path, err)
	} else if hit.Request.Page {
		if script := Script(hit.Request.Path, page); script == "" {
			hit.Lost, hit.What = "no script", fmt.Sprintf("GET %s: the page names no script of this site", hit.Request.Path)
		} else if text, err := l.ask(client, Request{Method: http.MethodGet, Path: script, Status: http.StatusOK}, &hit); err != nil {
			hit.Lost, hit.What = "script "+kind(err), fmt.Sprintf("GET %s, the script of %s: %v", script, hit.Request.Path, err)
		} else if strings.HasPrefix(http.DetectContentType([]byte(text)), "text/html") {
			hit.Lost, hit.What = "script html", fmt.Sprintf("GET %s, the script of %s: it is a page", script, hit.Request.Path)
		}
	}
	hit.Took = time.Since(hit.At)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hits = append(l.hits, hit)
}

var scripts = regexp.MustCompile(`(?i)<script\b[^>]*\ssrc\s*=\s*["']?([^"'\s>]+)`)

// Script is the path of the first script that a page names of its own site; empty where it names none.
func Script(path, page string) string {
	base, err := url.Parse(path)
	if err != nil {
		return ""
	}
	for _, found := range scripts.FindAllStringSubmatch(page, -1) {
		if script, err := base.Parse(found[1]); err == nil && script.Host == "" && script.Scheme == "" {
			return script.RequestURI()
		}
	}
	return ""
}

// unexpected is an answer with another status than the expected one.
type unexpected struct {
	status, want int
	body         string
}

func (u unexpected) Error() string {
	return fmt.Sprintf("status %d, want %d: %s", u.status, u.want, u.body)
}

var errTries = fmt.Errorf("the client wanted to send it more than %d times", mostTries)

func (l *Load) ask(client *http.Client, of Request, hit *Hit) (string, error) {
	// Not the load's own context: a request that has begun is counted to its end.
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	connections := 0
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections++; connections > mostTries {
			cancel(errTries)
		}
	}})
	request, err := http.NewRequestWithContext(ctx, of.Method, l.Site+of.Path, strings.NewReader(of.Body))
	if err != nil {
		return "", err
	}
	if of.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	hit.Repeated = hit.Repeated || connections > 1
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL, which the hit has
		}
		if errors.Is(context.Cause(ctx), errTries) {
			err = errTries
		}
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	hit.Bytes += len(body)
	if err == nil && response.StatusCode != of.Status {
		err = unexpected{response.StatusCode, of.Status, strings.Join(strings.Fields(string(body[:min(len(body), 200)])), " ")}
	}
	return string(body), err
}

func kind(err error) string {
	var answered unexpected
	var timed interface{ Timeout() bool }
	switch {
	case errors.As(err, &answered):
		return strconv.Itoa(answered.status)
	case errors.As(err, &timed) && timed.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return "cut off"
}
