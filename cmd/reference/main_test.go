package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

func TestReferenceOfTheStackConfigIsFresh(t *testing.T) {
	all, err := pages()
	require.NoError(t, err)
	for name, want := range all {
		got, err := os.ReadFile(filepath.Join(project.Root(), name))
		require.NoError(t, err, "run make reference")
		require.True(t, string(want) == string(got), "%s isn't what the table of keys says: run make reference", name)
	}
}
