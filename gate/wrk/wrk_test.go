package wrk_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/wrk"
)

const said = `Running 8s test @ http://10.0.0.1:8080/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.20ms    1.10ms  30.00ms   90.00%
  Latency Distribution
     50%    4.00ms
     99%  850.00us
  15210 requests in 8.00s, 9.10MB read
Requests/sec:   1901.25
Transfer/sec:      1.14MB
`

func TestFiguresAreRead(t *testing.T) {
	read, err := wrk.Read(said)
	require.NoError(t, err)
	assert.Equal(t, wrk.Result{Requests: 15210, PerSecond: 1901.25, P99: 0.85}, read)
}

func TestFailedRequestsMakeARunWorthless(t *testing.T) {
	_, err := wrk.Read(strings.Replace(said, "Requests/sec", "  Non-2xx or 3xx responses: 3\nRequests/sec", 1))
	require.EqualError(t, err, "Non-2xx or 3xx responses: 3")
	_, err = wrk.Read("unable to connect")
	assert.ErrorContains(t, err, "read what wrk says:\nunable to connect")
}

func TestMedianIsTheMiddleOne(t *testing.T) {
	assert.InDelta(t, 2, wrk.Median([]float64{9, 1, 2}, func(f float64) float64 { return f }), 0)
}

func TestCPUIsReadBehindANameWithBrackets(t *testing.T) {
	used, err := wrk.CPU("42 (nginx: (worker) 9) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0")
	require.NoError(t, err)
	assert.InDelta(t, 120_000, used, 0)
}
