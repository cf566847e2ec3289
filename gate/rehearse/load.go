package rehearse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"threetier/gate/load"
)

// startLoad sends requests at a steady rate, whatever becomes of those that are under way.
func startLoad(site string, rate int, requests []Request) (*load.Load, error) {
	next, err := mixed(requests)
	if err != nil {
		return nil, err
	}
	return load.Start(load.Options{Site: site, Rate: rate, Next: next, Client: client}), nil
}

// client keeps its connections, as browsers do, and follows no redirect. Whatever name it asks for, it asks this machine.
func client() *http.Client {
	here := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return &http.Client{
		Timeout:       load.Seconds * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100, DialContext: here},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// mixed gives each kind of request its share, spread evenly over a round.
func mixed(requests []Request) (func(n int) load.Request, error) {
	type turn struct {
		at   float64
		kind int
	}
	bodies := make([]string, len(requests))
	var turns []turn
	for i, request := range requests {
		body, err := request.content()
		if err != nil {
			return nil, err
		}
		bodies[i] = body
		for n := range *request.Share {
			turns = append(turns, turn{(float64(n) + 0.5) / float64(*request.Share), i})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	return func(n int) load.Request {
		i := turns[(n-1)%len(turns)].kind
		number := strings.NewReplacer("{n}", strconv.Itoa(n))
		return load.Request{
			Method: requests[i].Method, Path: number.Replace(requests[i].Path), Body: number.Replace(bodies[i]),
			Status: requests[i].Status, Page: requests[i].Page,
		}
	}, nil
}

// count puts the hits into the steps in which they began, and into the timeline.
func count(hits []load.Hit, began time.Time, steps []Step) []Second {
	slices.SortFunc(hits, func(a, b load.Hit) int { return a.At.Compare(b.At) })
	for i := range steps {
		var latencies []time.Duration
		steps[i].Sent, steps[i].Lost, steps[i].Example = 0, map[string]int{}, ""
		for _, h := range hits {
			at := h.At.Sub(began).Seconds()
			// What comes after the last step began before it had ended.
			if at < steps[i].From || at >= steps[i].To && i < len(steps)-1 {
				continue
			}
			steps[i].Sent++
			if h.Lost == "" {
				latencies = append(latencies, h.Took)
				continue
			}
			steps[i].Lost[h.Lost]++
			if steps[i].Example == "" {
				steps[i].Example = h.What
			}
		}
		steps[i].P50, steps[i].P99 = quantile(latencies, 0.5), quantile(latencies, 0.99)
	}
	var timeline []Second
	latencies := map[int][]time.Duration{}
	for _, h := range hits {
		second := max(0, int(h.At.Sub(began).Seconds()))
		for len(timeline) <= second {
			timeline = append(timeline, Second{})
		}
		timeline[second].Sent++
		if h.Lost != "" {
			timeline[second].Lost++
			continue
		}
		latencies[second] = append(latencies[second], h.Took)
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
		paths = append(paths, slices.DeleteFunc(safe, func(path string) bool { return path == "/" })...)
		break
	}
	if !described {
		notes = append(notes, "The backend has no OpenAPI document at "+strings.Join(places, " or ")+": the load is the page alone.")
	}
	one := 1
	for _, path := range paths {
		status, body, err := get(site + path)
		if err != nil {
			return nil, nil, err
		}
		if status < 200 || status > 399 {
			notes = append(notes, fmt.Sprintf("GET %s is answered with %d: it isn't part of the load.", path, status))
			continue
		}
		isPage := path == "/" && load.Script(path, string(body)) != ""
		requests = append(requests, Request{Method: http.MethodGet, Path: path, Status: status, Share: &one, Page: isPage})
	}
	if len(requests) == 0 {
		return nil, nil, errors.New("no request of the default load is answered well: name load.requests in " + FileName)
	}
	return requests, notes, nil
}

func get(address string) (status int, body []byte, err error) {
	c := client()
	defer c.CloseIdleConnections()
	response, err := c.Get(address)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, 16<<20))
	return response.StatusCode, body, err
}
