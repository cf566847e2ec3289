package state

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Inputs come as decoded JSON. These read one value; a value of another type counts as absent, since the plugin
// has checked the types before.

func Text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func Number(m map[string]any, key string) int {
	switch n := m[key].(type) {
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

func Truth(m map[string]any, key string) bool {
	b, _ := m[key].(bool)
	return b
}

func List(m map[string]any, key string) []string {
	var out []string
	switch items := m[key].(type) {
	case []string:
		out = items
	case []any:
		for _, item := range items {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func Objects(m map[string]any, key string) []map[string]any {
	var out []map[string]any
	items, _ := m[key].([]any)
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			out = append(out, object)
		}
	}
	return out
}

// Fallback sets a default where the caller gave nothing.
func Fallback(m map[string]any, key string, value any) any {
	if given, ok := m[key]; ok && given != nil {
		return given
	}
	return value
}

func Same(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprint(a) == fmt.Sprint(b) && a != nil && b != nil
}

func Merge(parts ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, part := range parts {
		maps.Copy(out, part)
	}
	return out
}

// FilterBy checks every filter of a lookup against what the thing has under the filters' names.
func FilterBy(c *Call, have map[string][]string) (bool, error) {
	for key, value := range TagsOf(c.Inputs) {
		if !slices.Contains(have["tag:"+key], value) {
			return false, nil
		}
	}
	for _, filter := range Objects(c.Inputs, "filters") {
		name := Text(filter, "name")
		values, known := have[name]
		if !known && !strings.HasPrefix(name, "tag:") {
			return false, Refuse("InvalidParameterValue",
				"The filter '%s' is invalid (or the stand-in for AWS doesn't know it)", name)
		}
		if !slices.ContainsFunc(List(filter, "values"), func(v string) bool { return slices.Contains(values, v) }) {
			return false, nil
		}
	}
	return true, nil
}

func TagsOf(inputs map[string]any) map[string]string {
	out := map[string]string{}
	tags, _ := inputs["tags"].(map[string]any)
	for key, value := range tags {
		out[key] = fmt.Sprint(value)
	}
	return out
}
