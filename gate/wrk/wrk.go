// Package wrk reads what the load generator wrk measures.
package wrk

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Result is one run. P99 is in milliseconds.
type Result struct{ Requests, PerSecond, P99 float64 }

// Command is wrk's command line.
func Command(url string, connections, seconds int) []string {
	return []string{"wrk", "--threads", "1", "--connections", strconv.Itoa(connections), "--duration", fmt.Sprintf("%ds", seconds), "--latency", url}
}

var (
	figures   = regexp.MustCompile(`(?s)99%\s+([0-9.]+(?:us|ms|s)).*?([0-9]+) requests in .*Requests/sec:\s+([0-9.]+)`)
	errorLine = regexp.MustCompile(`Non-2xx.*|Socket errors.*`)
)

// Read takes the figures from what wrk says. A request that failed makes all of it worthless.
func Read(said string) (r Result, err error) {
	if failed := errorLine.FindString(said); failed != "" {
		return r, errors.New(failed)
	}
	found := figures.FindStringSubmatch(said)
	if found == nil {
		return r, fmt.Errorf("read what wrk says:\n%s", said)
	}
	latency, err := time.ParseDuration(found[1])
	r.P99 = float64(latency) / float64(time.Millisecond)
	for i, into := range []*float64{&r.Requests, &r.PerSecond} {
		if err == nil {
			*into, err = strconv.ParseFloat(found[2+i], 64)
		}
	}
	return r, err
}

// Median is that of a figure of some runs.
func Median[T any](runs []T, figure func(T) float64) float64 {
	var values []float64
	for _, run := range runs {
		values = append(values, figure(run))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
