package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// Kind is what a value looks like, and how it is read.
type Kind struct {
	// Name is the kind in words: "whole number".
	Name string
	// Keys are those of an object, or of each object in a list or map.
	Keys []Key
	// List tells that Keys are those of each object in a list, Map that they are those of each object in a map.
	List, Map bool
	// Loose tells that a number or boolean is taken as the string that it is written as.
	Loose bool

	read func(r *reader, path string, value any)
}

// reader decodes one top-level key and collects all that is wrong with it.
type reader struct {
	// secret tells that the key holds a secret value; which one, Pulumi doesn't tell a Go program.
	secret bool
	// used tells that a key which may be secret was given.
	used     bool
	problems problems.List
}

func (r *reader) refuse(path string, value any, want string) {
	r.problems = append(r.problems, problems.Problem{Path: path, Value: r.show(value), Want: want})
}

// show is the value as in JSON, but for what may be secret: a secret value is always a string, or holds strings.
func (r *reader) show(value any) string {
	switch value.(type) {
	case nil, bool, json.Number:
	default:
		if r.secret {
			return hidden
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return hidden
	}
	return string(text)
}

// hidden stands for a value that is not to be seen.
const hidden = "[secret]"

// object reads a map with exactly these keys.
func object(keys ...Key) Kind {
	return Kind{Name: "object", Keys: keys, read: func(r *reader, path string, value any) {
		fields, isMap := value.(map[string]any)
		if !isMap {
			r.refuse(path, value, "an object with the keys "+names(keys))
			return
		}
		for _, name := range sorted(fields) {
			i := slices.IndexFunc(keys, func(key Key) bool { return key.Name == name })
			if i < 0 {
				r.refuse(path+"."+name, fields[name], "one of the keys "+names(keys)+hint(name, keyNames(keys)))
				continue
			}
			// null is as good as absent: it is what a key without a value means in YAML.
			if fields[name] == nil {
				continue
			}
			r.used = r.used || keys[i].Secret
			keys[i].Kind.read(r, path+"."+name, fields[name])
		}
	}}
}

// optionalObject reads a map with exactly these keys into a T that stays nil where the map is absent or empty.
func optionalObject[T any](into **T, keys func(*T) []Key) Kind {
	value := new(T)
	inner := object(keys(value)...)
	read := inner.read
	inner.read = func(r *reader, path string, given any) {
		if fields, isMap := given.(map[string]any); isMap && len(fields) == 0 {
			return
		}
		*into = value
		read(r, path, given)
	}
	return inner
}

// objects reads a list of maps, each into a T.
func objects[T any](into *[]T, keys func(*T) []Key) Kind {
	var sample T
	return Kind{Name: "list of objects", Keys: keys(&sample), List: true, read: func(r *reader, path string, value any) {
		items, isList := value.([]any)
		if !isList {
			r.refuse(path, value, "a list of objects")
			return
		}
		*into = make([]T, len(items))
		for i, item := range items {
			object(keys(&(*into)[i])...).read(r, fmt.Sprintf("%s[%d]", path, i), item)
		}
	}}
}

// objectMap reads a map of maps, each into a T.
func objectMap[T any](into *map[string]T, keys func(*T) []Key) Kind {
	var sample T
	return Kind{Name: "map of objects", Keys: keys(&sample), Map: true, read: func(r *reader, path string, value any) {
		fields, isMap := value.(map[string]any)
		if !isMap {
			r.refuse(path, value, "a map of objects")
			return
		}
		*into = map[string]T{}
		for _, name := range sorted(fields) {
			var item T
			object(keys(&item)...).read(r, path+"."+name, fields[name])
			(*into)[name] = item
		}
	}}
}

// text reads a string.
func text[T ~string](into *T) Kind {
	return Kind{Name: "string", read: func(r *reader, path string, value any) {
		if text, isText := value.(string); isText {
			*into = T(text)
			return
		}
		r.refuse(path, value, "a string")
	}}
}

// version reads a string that YAML takes for a number where nobody quotes it.
func version(into *string) Kind {
	return Kind{Name: "string", Loose: true, read: func(r *reader, path string, value any) {
		if text, isScalar := scalar(value); isScalar {
			*into = text
			return
		}
		r.refuse(path, value, "a string")
	}}
}

// secretText reads a string that becomes a secret output.
func secretText(into *pulumi.StringInput) Kind {
	return Kind{Name: "string", read: func(r *reader, path string, value any) {
		if text, isText := value.(string); isText {
			*into = secretString(text)
			return
		}
		r.refuse(path, value, "a string")
	}}
}

// number reads a whole number.
func number(into *int) Kind {
	return Kind{Name: "integer", read: func(r *reader, path string, value any) {
		if number, isNumber := value.(json.Number); isNumber {
			if whole, err := strconv.Atoi(number.String()); err == nil {
				*into = whole
				return
			}
		}
		r.refuse(path, value, "a whole number")
	}}
}

// optionalNumber reads a whole number of which zero is another value than none.
func optionalNumber(into **int) Kind {
	var value int
	inner := number(&value)
	inner.read = after(inner.read, func() { *into = &value })
	return inner
}

// flag reads true or false.
func flag(into *bool) Kind {
	return Kind{Name: "boolean", read: func(r *reader, path string, value any) {
		if flag, isFlag := value.(bool); isFlag {
			*into = flag
			return
		}
		r.refuse(path, value, "true or false")
	}}
}

// optionalFlag reads true or false, of which false is another value than none.
func optionalFlag(into **bool) Kind {
	var value bool
	inner := flag(&value)
	inner.read = after(inner.read, func() { *into = &value })
	return inner
}

// after adds a step for when a read went well.
func after(read func(*reader, string, any), step func()) func(*reader, string, any) {
	return func(r *reader, path string, value any) {
		before := len(r.problems)
		read(r, path, value)
		if len(r.problems) == before {
			step()
		}
	}
}

// texts reads a list of strings.
func texts(into *[]string) Kind {
	return Kind{Name: "list of strings", read: func(r *reader, path string, value any) {
		items, isList := value.([]any)
		if !isList {
			r.refuse(path, value, "a list of strings")
			return
		}
		*into = make([]string, len(items))
		for i, item := range items {
			text(&(*into)[i]).read(r, fmt.Sprintf("%s[%d]", path, i), item)
		}
	}}
}

// numbers reads a list of whole numbers.
func numbers(into *[]int) Kind {
	return Kind{Name: "list of integers", read: func(r *reader, path string, value any) {
		items, isList := value.([]any)
		if !isList {
			r.refuse(path, value, "a list of whole numbers")
			return
		}
		*into = make([]int, len(items))
		for i, item := range items {
			number(&(*into)[i]).read(r, fmt.Sprintf("%s[%d]", path, i), item)
		}
	}}
}

// textMap reads a map of strings; numbers and booleans are taken as they are written.
func textMap(into *map[string]string) Kind {
	return Kind{Name: "map of strings", read: func(r *reader, path string, value any) {
		fields, isMap := value.(map[string]any)
		if !isMap {
			r.refuse(path, value, "a map of strings")
			return
		}
		*into = map[string]string{}
		for _, name := range sorted(fields) {
			if text, isScalar := scalar(fields[name]); isScalar {
				(*into)[name] = text
				continue
			}
			r.refuse(path+"."+name, fields[name], "a string")
		}
	}}
}

// environment reads a map of strings whose values may be secret. Pulumi tells a Go program only that some value
// below a top-level key is secret, not which: so all of them are kept as secrets then.
func environment(into *map[string]pulumi.StringInput, secret bool) Kind {
	var plain map[string]string
	inner := textMap(&plain)
	read := inner.read
	inner.read = func(r *reader, path string, value any) {
		read(r, path, value)
		*into = map[string]pulumi.StringInput{}
		for name, text := range plain {
			if secret || r.secret {
				(*into)[name] = secretString(text)
			} else {
				(*into)[name] = pulumi.String(text)
			}
		}
	}
	return inner
}

func secretString(text string) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(text)).(pulumi.StringOutput)
}

// scalar is a string, number or boolean as text.
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		return strconv.FormatBool(value), true
	}
	return "", false
}

func names(keys []Key) string { return strings.Join(keyNames(keys), ", ") }

func keyNames(keys []Key) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.Name
	}
	return names
}
