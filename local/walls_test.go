package local

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms of the account, and which of the others each may import.
var rooms = map[string][]string{
	"":         {"rds", "recorded", "state"},
	"rds":      {"recorded", "state"},
	"recorded": {"state"},
	"state":    nil,
}

func TestDoorsOfTheAccountLeadOneWay(t *testing.T) {
	const account = "internal/account"
	entries, err := os.ReadDir(account)
	for _, entry := range entries {
		if _, known := rooms[entry.Name()]; entry.IsDir() && !known {
			t.Errorf("the room %s has no line in this test", entry.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
	for room, doors := range rooms {
		files, err := filepath.Glob(filepath.Join(account, room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("room %q has no files: %v", room, err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				other, isRoom := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "threetier/local/"+account)
				if other = strings.TrimPrefix(other, "/"); isRoom && !slices.Contains(doors, other) {
					t.Errorf("%s imports the room %q, want one of %q", file, other, doors)
				}
			}
		}
	}
}
