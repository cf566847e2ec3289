// gen-sdk writes a package's SDKs in TypeScript and Python, as pulumi package gen-sdk does: that command wants the two
// language hosts, which can't be had as modules.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("arguments are %q, want the file of a schema and a folder", os.Args[1:]))
	}
	for language, generate := range map[string]func(*schema.Package) (map[string][]byte, error){
		"nodejs": func(pkg *schema.Package) (map[string][]byte, error) {
			return nodejs.GeneratePackage("gen-sdk", pkg, nil, nil, true, nil)
		},
		"python": func(pkg *schema.Package) (map[string][]byte, error) {
			return python.GeneratePackage("gen-sdk", pkg, nil, nil)
		},
	} {
		files, err := read(os.Args[1], generate)
		if err != nil {
			fail(fmt.Errorf("generate the SDK for %s: %w", language, err))
		}
		for name, text := range files {
			path := filepath.Join(os.Args[2], language, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				fail(err)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				fail(err)
			}
		}
	}
}

// none loads no other package: the schema refers to none.
type none struct{ schema.ReferenceLoader }

func read(file string, generate func(*schema.Package) (map[string][]byte, error)) (map[string][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, err
	}
	pkg, diags, err := schema.BindSpec(spec, none{}, schema.ValidationOptions{})
	if err != nil {
		return nil, err
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return generate(pkg)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
