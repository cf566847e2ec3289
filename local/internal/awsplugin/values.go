package awsplugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// plain takes the marks of secrets off a value. ok is false where some of it isn't known yet.
func plain(v resource.PropertyValue) (value any, ok bool) {
	switch {
	case v.IsSecret():
		return plain(v.SecretValue().Element)
	case v.IsOutput():
		if !v.OutputValue().Known {
			return nil, false
		}
		return plain(v.OutputValue().Element)
	case v.IsComputed():
		return nil, false
	case v.IsArray():
		items, known := []any{}, true
		for _, element := range v.ArrayValue() {
			item, ok := plain(element)
			items, known = append(items, item), known && ok
		}
		return items, known
	case v.IsObject():
		object, known := map[string]any{}, true
		for key, element := range v.ObjectValue() {
			item, ok := plain(element)
			object[string(key)], known = item, known && ok
		}
		return object, known
	case v.IsNull():
		return nil, true
	}
	return v.V, true
}

// plainInputs are the inputs as the account wants them; what the engine itself adds stays behind.
func plainInputs(properties resource.PropertyMap, known map[string]input) map[string]any {
	out := map[string]any{}
	for name := range known {
		if value, ok := plain(properties[resource.PropertyKey(name)]); ok && value != nil {
			out[name] = value
		}
	}
	return out
}

// isSecret is true where any part of the value is.
func isSecret(v resource.PropertyValue) bool { return v.ContainsSecrets() }

// normal brings a value into the form in which two that AWS holds to be the same are equal.
func (in input) normal(value any) any {
	switch {
	case in.json:
		var parsed any
		if s, ok := value.(string); ok && json.Unmarshal([]byte(s), &parsed) == nil {
			return parsed
		}
	case in.shape == aSet:
		return sorted(value)
	case in.shape == aRecord:
		items, _ := value.([]any)
		filled := make([]any, len(items))
		for i, item := range items {
			object := map[string]any{}
			for field, fallback := range in.defaults {
				object[field] = fallback
			}
			given, _ := item.(map[string]any)
			maps.Copy(object, given)
			filled[i] = object
		}
		return sorted(filled)
	}
	return value
}

func sorted(value any) any {
	items, ok := value.([]any)
	if !ok {
		return value
	}
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b any) int {
		x, y := fmt.Sprint(a), fmt.Sprint(b) // fmt prints maps in the order of their keys
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return items
}

// same compares as AWS does. An empty list, map or text is the same as none.
func (in input) same(a, b any) bool {
	if empty(a) && empty(b) {
		return true
	}
	return reflect.DeepEqual(in.normal(a), in.normal(b))
}

func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// fits says what is wrong with a known value's type; empty where nothing is.
func (in input) fits(value any) string {
	if value == nil {
		return ""
	}
	ok := true
	switch in.shape {
	case aText:
		_, ok = value.(string)
	case aNumber:
		_, ok = value.(float64)
	case aTruth:
		_, ok = value.(bool)
	case aList, aSet, aRecord:
		items, isList := value.([]any)
		ok = isList
		for _, item := range items {
			if in.shape == aRecord {
				if problem := in.fieldProblem(item); problem != "" {
					return problem
				}
			} else if _, isText := item.(string); !isText && item != nil {
				ok = false
			}
		}
	case anEntry:
		return in.fieldProblem(value)
	case aMap:
		entries, isMap := value.(map[string]any)
		ok = isMap
		for _, entry := range entries {
			if _, isText := entry.(string); !isText && entry != nil {
				ok = false
			}
		}
	}
	if !ok {
		return "want " + map[shape]string{aText: "a text", aNumber: "a number", aTruth: "true or false",
			aList: "a list of texts", aSet: "a list of texts", aMap: "a map of texts", aRecord: "a list of objects"}[in.shape]
	}
	return ""
}

func (in input) fieldProblem(item any) string {
	object, ok := item.(map[string]any)
	if !ok {
		return "want an object"
	}
	for field := range object {
		if _, known := in.fields[field]; !known {
			return fmt.Sprintf("the stand-in for AWS doesn't know the field %q in it", field)
		}
	}
	return ""
}

// wrap makes an output of a plain value.
func wrap(value any, secret bool) resource.PropertyValue {
	v := resource.NewPropertyValue(value)
	if secret {
		return resource.MakeSecret(v)
	}
	return v
}
