package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/rehearse"
)

func TestWrongCommitIsRefusedBeforeAnythingStarts(t *testing.T) {
	for base, want := range map[string]string{
		"":                "BASE is empty, want the commit that runs now: make rehearse BASE=origin/main",
		"no-such-commit":  `BASE is "no-such-commit", want a commit that this clone has`,
		"--upload-pack=x": `BASE is "--upload-pack=x", want a commit that this clone has`,
	} {
		o := rehearse.Options{Root: "../..", Base: base, Stack: "dev", Progress: io.Discard}
		assert.EqualError(t, run(context.Background(), io.Discard, o, t.TempDir()), want)
	}
}

func TestReportIsWrittenForPeopleAndForPrograms(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, write(folder, &rehearse.Report{Stack: "dev"}))
	for name, want := range map[string]string{"rehearsal.md": "## Rehearsal of dev", "rehearsal.json": `"stack": "dev"`} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		assert.Contains(t, string(text), want)
	}
}
