// Package replacement knows which changes of a resource make a new one in its place.
package replacement

import (
	_ "embed" // for the table
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The providers, whose replacement is that of every resource that they manage.
const (
	AWS        = "pulumi:providers:aws"
	Kubernetes = "pulumi:providers:kubernetes"
)

// table are, by type, the inputs whose change makes a new resource in the place of the old one. Those of AWS are what
// pulumi-aws v6 marks so, those of Kubernetes what its API doesn't let change. The stand-in's aws plugin reads the same
// file.
//
//go:embed replaces.json
var table []byte

var replacing = read()

func read() map[string][]string {
	var out map[string][]string
	if err := json.Unmarshal(table, &out); err != nil {
		panic(fmt.Sprintf("read replaces.json: %v", err)) // it is part of the program
	}
	return out
}

// By tells whether a change at the path makes a new resource of that type.
func By(typ, path string) bool {
	keys := replacing[typ]
	if strings.HasPrefix(typ, "kubernetes:") {
		keys = append([]string{"metadata.name", "metadata.namespace"}, keys...)
	}
	return slices.ContainsFunc(keys, func(key string) bool { return Below(path, key) })
}

// Below tells whether a path is a key's own, or leads into its value.
func Below(path, key string) bool {
	rest, found := strings.CutPrefix(path, key)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Provider is the type of the provider that manages resources of a type; empty for components.
func Provider(typ string) string {
	switch {
	case strings.HasPrefix(typ, "aws:"):
		return AWS
	case strings.HasPrefix(typ, "kubernetes:"):
		return Kubernetes
	}
	return ""
}
