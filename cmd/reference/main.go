// Command reference writes the pages that are made of the table by which the program reads a stack config: docs/config.md
// and docs/reference/config.yaml for people, docs/config.schema.json for editors; docs/platform.md and
// docs/platform.schema.json of a platform's.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"threetier/internal/platform"
	"threetier/internal/settings"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	all, err := pages()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := os.WriteFile(filepath.Join(root, name), all[name], 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// pages are the generated files, by name.
func pages() (map[string][]byte, error) {
	schema, err := settings.Schema()
	if err != nil {
		return nil, fmt.Errorf("make the schema: %w", err)
	}
	ofPlatform, err := platform.Schema()
	if err != nil {
		return nil, fmt.Errorf("make the schema of the platform: %w", err)
	}
	return map[string][]byte{
		"docs/config.md":             []byte(settings.Reference()),
		"docs/config.schema.json":    append(schema, '\n'),
		"docs/reference/config.yaml": []byte(settings.Annotated()),
		"docs/platform.md":           []byte(platform.Reference()),
		"docs/platform.schema.json":  append(ofPlatform, '\n'),
	}, nil
}
