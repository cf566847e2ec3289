package rehearse

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// openAPIPaths are where a description is looked for: behind the default routes, then FastAPI's own place.
var openAPIPaths = []string{"/api/openapi.json", "/openapi.json"}

// description is what of an OpenAPI document tells which paths can be read as they are.
type description struct {
	OpenAPI  string                                `json:"openapi"`
	Security []any                                 `json:"security"`
	Paths    map[string]map[string]json.RawMessage `json:"paths"`
}

type operation struct {
	Parameters []parameter `json:"parameters"`
	Security   *[]any      `json:"security"`
}

type parameter struct {
	Required bool   `json:"required"`
	Ref      string `json:"$ref"` // may be a required one
}

// SafeReads are the paths that a GET without any parameter is enough for, in order: no part of the path is a parameter,
// none of the others is required, and nobody has to log in.
func SafeReads(document []byte) ([]string, error) {
	var d description
	if err := json.Unmarshal(document, &d); err != nil || d.OpenAPI == "" {
		return nil, fmt.Errorf("read the OpenAPI document: it begins with %.40q, want JSON with the key openapi", document)
	}
	needs := func(ps []parameter) bool {
		return slices.ContainsFunc(ps, func(p parameter) bool { return p.Required || p.Ref != "" })
	}
	var safe []string
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		get, has := d.Paths[path]["get"]
		if !has || strings.Contains(path, "{") {
			continue
		}
		var op operation
		if err := json.Unmarshal(get, &op); err != nil {
			return nil, fmt.Errorf("read GET %s of the OpenAPI document: %w", path, err)
		}
		var shared []parameter
		if common, has := d.Paths[path]["parameters"]; has {
			if err := json.Unmarshal(common, &shared); err != nil {
				return nil, fmt.Errorf("read the parameters of %s of the OpenAPI document: %w", path, err)
			}
		}
		security := d.Security
		if op.Security != nil {
			security = *op.Security
		}
		if !needs(op.Parameters) && !needs(shared) && len(security) == 0 {
			safe = append(safe, path)
		}
	}
	return safe, nil
}
