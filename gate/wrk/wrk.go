// Package wrk reads what the load generator wrk measures.
package wrk

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// CPU is the time that a process has used, in microseconds of a processor, by the text of its /proc/PID/stat.
func CPU(stat string) (used float64, err error) {
	const microsecondsPerTick = 10_000
	// After the name, which is in brackets, the 12th and 13th are user and system time.
	for _, field := range strings.Fields(stat[strings.LastIndex(stat, ")")+1:])[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		used += float64(ticks * microsecondsPerTick)
	}
	return used, nil
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
