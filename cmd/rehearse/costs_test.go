package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/costs"
	"threetier/gate/rehearse"
)

func TestUnknownKeyIsRefusedBeforeAnythingStarts(t *testing.T) {
	err := measure(t.Context(), io.Discard, rehearse.Options{Root: "no-such-folder"}, "threetier:backend.env,backend.port")
	assert.ErrorContains(t, err, `KEYS has "backend.port", want some of threetier:backend.image,threetier:backend.env,`)
}

func TestPageShowsTheFiguresThatArePutIn(t *testing.T) {
	root := filepath.Join("..", "..")
	measured, err := costs.Read(filepath.Join(root, costs.File))
	require.NoError(t, err)
	var known []string
	for _, row := range measured.Rows {
		known = append(known, row.Key)
		assert.Greater(t, row.Sent, 100, "%s: fewer requests prove nothing", row.Key)
	}
	assert.Subset(t, known, rehearse.Keys(), "each key that is measured has its row")
	text, err := render(measured)
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, costs.Page))
	require.NoError(t, err)
	assert.Equal(t, text, string(page), "edit cmd/rehearse/costs.md.tmpl, not the page")
}
