package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/costs"
	"threetier/gate/rehearse"
)

func TestUnknownKeyIsRefusedBeforeAnythingStarts(t *testing.T) {
	err := measure(t.Context(), io.Discard, rehearse.Options{Root: "no-such-folder"}, "threetier:backend.env,backend.port")
	assert.ErrorContains(t, err, `KEYS has "backend.port", want some of threetier:backend.image,threetier:backend.env,`)
}

func TestPageSaysWhenAndOfWhatItWasMeasured(t *testing.T) {
	rows := []costs.Row{{Key: "threetier:backend.env", Change: "one more variable", Sent: 700}}
	var out bytes.Buffer
	require.NoError(t, writePage(&out, "dev", time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), rehearse.Measured{Rows: rows, Rate: 20, Load: "GET / → 200 (1)"}))
	assert.Contains(t, out.String(), "measured this page on 25 November 2026")
	assert.Contains(t, out.String(), "deployed `Pulumi.dev.yaml` with its minimum of replicas and sent 20 requests per second: GET / → 200 (1), with their shares.")
	assert.Contains(t, out.String(), "\n\n"+costs.Table(rows)+"\n")
}
