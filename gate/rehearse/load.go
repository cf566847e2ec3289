package rehearse

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// requestSeconds is how long a client waits for an answer.
const requestSeconds = 30

// hit is a request that was sent.
type hit struct {
	at      time.Time
	latency time.Duration
	lost    string // the kind of the loss; empty for a good answer
	what    string // the loss in words
}

// load sends requests at a steady rate, whatever becomes of those that are under way.
type load struct {
	attacker *vegeta.Attacker
	began    time.Time
	done     chan struct{}

	mu   sync.Mutex
	hits []hit
}

// startLoad begins.
func startLoad(site string, rate int, requests []Request) (*load, error) {
	next, err := targets(site, requests)
	if err != nil {
		return nil, err
	}
	l := &load{began: time.Now(), done: make(chan struct{}), attacker: vegeta.NewAttacker(vegeta.Client(client()))}
	results := l.attacker.Attack(next, vegeta.Rate{Freq: rate, Per: time.Second}, 0, "")
	go func() {
		defer close(l.done)
		for result := range results {
			l.add(result)
		}
	}()
	return l, nil
}

// client keeps its connections, as browsers do, and follows no redirect.
func client() *http.Client {
	return &http.Client{
		Timeout:       requestSeconds * time.Second,
		Transport:     expecting{&http.Transport{MaxIdleConnsPerHost: 100}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// wantHeader tells the transport which status a request expects. It isn't sent.
const wantHeader = "Rehearsal-Want"

// expecting turns an answer with another status than the expected one into an error.
type expecting struct{ http.RoundTripper }

// unexpected is an answer with another status.
type unexpected struct {
	status, want int
	body         string
}

func (u unexpected) Error() string {
	return fmt.Sprintf("status %d, want %d: %s", u.status, u.want, u.body)
}

func (e expecting) RoundTrip(request *http.Request) (*http.Response, error) {
	want, err := strconv.Atoi(request.Header.Get(wantHeader))
	if err != nil {
		return nil, fmt.Errorf("read the expected status: %w", err)
	}
	sent := request.Clone(request.Context())
	sent.Header.Del(wantHeader)
	response, err := e.RoundTripper.RoundTrip(sent)
	if err != nil || response.StatusCode == want {
		return response, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 200))
	if err != nil {
		said = []byte("its body can't be read: " + err.Error())
	}
	return nil, unexpected{response.StatusCode, want, strings.Join(strings.Fields(string(said)), " ")}
}

// targets gives each kind of request its share, in a steady order.
func targets(site string, requests []Request) (vegeta.Targeter, error) {
	bodies := make([]string, len(requests))
	var turns []int
	for i, request := range requests {
		body, err := request.content()
		if err != nil {
			return nil, err
		}
		bodies[i] = body
		turns = append(turns, slices.Repeat([]int{i}, *request.Share)...)
	}
	var mu sync.Mutex
	n := 0
	return func(target *vegeta.Target) error {
		mu.Lock()
		defer mu.Unlock()
		// A stride without a common divisor goes round all turns, and mixes the kinds.
		i := turns[n*stride(len(turns))%len(turns)]
		n++
		number := strings.NewReplacer("{n}", strconv.Itoa(n))
		target.Method = requests[i].Method
		target.URL = site + number.Replace(requests[i].Path)
		target.Body = []byte(number.Replace(bodies[i]))
		target.Header = http.Header{wantHeader: {strconv.Itoa(requests[i].Status)}}
		if len(target.Body) > 0 {
			target.Header.Set("Content-Type", "application/json")
		}
		return nil
	}, nil
}

// stride is the number closest above the golden section of n that has no common divisor with it.
func stride(n int) int {
	for s := max(1, int(float64(n)*0.618)); ; s++ {
		a, b := s, n
		for b > 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return s
		}
	}
}

func (l *load) add(result *vegeta.Result) {
	h := hit{at: result.Timestamp, latency: result.Latency}
	// A good answer has a code, since expecting lets no other one pass.
	if result.Code == 0 {
		h.lost, h.what = kind(result.Error), result.Error
		if !strings.Contains(result.Error, result.URL) {
			h.what = fmt.Sprintf("%s %s: %s", result.Method, result.URL, result.Error)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hits = append(l.hits, h)
}

// kind is how a request was lost, of the text that vegeta keeps of its error.
func kind(text string) string {
	if _, status, found := strings.Cut(text, ": status "); found {
		code, _, _ := strings.Cut(status, ",")
		return code
	}
	switch {
	case strings.Contains(text, "Timeout exceeded"), strings.Contains(text, "deadline exceeded"):
		return "timeout"
	case strings.Contains(text, syscall.ECONNREFUSED.Error()):
		return "refused"
	}
	return "cut off"
}

// end waits for the last answers.
func (l *load) end() {
	l.attacker.Stop()
	<-l.done
}

// taken are the hits so far.
func (l *load) taken() []hit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.hits)
}

// since is a moment in seconds of the load.
func (l *load) since(at time.Time) float64 { return at.Sub(l.began).Seconds() }

// count puts the hits into the steps in which they began, and into the timeline.
func count(hits []hit, began time.Time, steps []Step) []Second {
	slices.SortFunc(hits, func(a, b hit) int { return a.at.Compare(b.at) })
	for i := range steps {
		var latencies []time.Duration
		steps[i].Sent, steps[i].Lost, steps[i].Example = 0, map[string]int{}, ""
		for _, h := range hits {
			at := h.at.Sub(began).Seconds()
			// What comes after the last step began before it had ended.
			if at < steps[i].From || at >= steps[i].To && i < len(steps)-1 {
				continue
			}
			steps[i].Sent++
			if h.lost == "" {
				latencies = append(latencies, h.latency)
				continue
			}
			steps[i].Lost[h.lost]++
			if steps[i].Example == "" {
				steps[i].Example = h.what
			}
		}
		steps[i].P50, steps[i].P99 = quantile(latencies, 0.5), quantile(latencies, 0.99)
	}
	var timeline []Second
	latencies := map[int][]time.Duration{}
	for _, h := range hits {
		second := max(0, int(h.at.Sub(began).Seconds()))
		for len(timeline) <= second {
			timeline = append(timeline, Second{})
		}
		timeline[second].Sent++
		if h.lost != "" {
			timeline[second].Lost++
			continue
		}
		latencies[second] = append(latencies[second], h.latency)
	}
	for second := range timeline {
		timeline[second].P99 = quantile(latencies[second], 0.99)
	}
	return timeline
}

// quantile is in milliseconds; 0 where there is nothing.
func quantile(latencies []time.Duration, q float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	return math.Round(10*float64(latencies[int(q*float64(len(latencies)-1)+0.5)])/float64(time.Millisecond)) / 10
}

// choose is the load of a file without requests: the page and the safe reads of the description that the backend gives.
// Each is asked for once: it is part of the load if it is answered well now. What isn't is noted.
func choose(site string, of Load) (requests []Request, notes []string, err error) {
	if len(of.Requests) > 0 {
		return of.Requests, nil, nil
	}
	paths := []string{"/"}
	places := openAPIPaths
	if of.OpenAPI != "" {
		places = []string{of.OpenAPI}
	}
	described := false
	for _, place := range places {
		status, body, err := get(site + place)
		if err != nil {
			return nil, nil, err
		}
		safe, err := SafeReads(body)
		if status != http.StatusOK || err != nil {
			continue
		}
		described = true
		for _, path := range safe {
			if path != "/" {
				paths = append(paths, path)
			}
		}
		break
	}
	if !described {
		notes = append(notes, "The backend has no OpenAPI document at "+strings.Join(places, " or ")+": the load is the page alone.")
	}
	one := 1
	for _, path := range paths {
		status, _, err := get(site + path)
		if err != nil {
			return nil, nil, err
		}
		if status < 200 || status > 399 {
			notes = append(notes, fmt.Sprintf("GET %s is answered with %d: it isn't part of the load.", path, status))
			continue
		}
		requests = append(requests, Request{Method: http.MethodGet, Path: path, Status: status, Share: &one})
	}
	if len(requests) == 0 {
		return nil, nil, errors.New("no request of the default load is answered well: name load.requests in " + FileName)
	}
	return requests, notes, nil
}

func get(address string) (status int, body []byte, err error) {
	c := client()
	c.Transport = http.DefaultTransport
	response, err := c.Get(address)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, 16<<20))
	return response.StatusCode, body, err
}
