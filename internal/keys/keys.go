// Package keys is how a component declares the keys of its config: a row for each, beside the field that the value goes to.
// The decoder, the refusal of unknown keys and of values out of bounds, the defaults, the reference and the editor's
// schema read the same row.
//
//	func (args *DatabaseArgs) Keys() keys.Table {
//		return keys.Table{
//			keys.Number("storageGiB", &args.StorageGiB).Between(20, 65536).Default(20).Example("100").Doc("Size of the volume, in GiB."),
//		}
//	}
//
// What a type of value can say comes first in a row, then what every row can say; Doc ends it.
package keys

import (
	"fmt"
	"strconv"

	"threetier/internal/constraint"
	"threetier/internal/problems"
)

// Table is the keys of an object.
type Table []*Key

// Key is a row of a table: one key, and the place that its value goes to.
type Key struct {
	// Name is the key inside its parent.
	Name string
	// Type is the type of the value, in words: "list of strings".
	Type string
	// Keys are those of an object, or of each object in a list or map.
	Keys Table
	// Unquoted tells that a number or boolean is taken as the string that it is written as.
	Unquoted bool
	// Constraint is which values are accepted, beyond the type.
	Constraint constraint.Constraint
	// Constant is what an absent key means where that depends on nothing; else nil.
	Constant any
	// Required tells that the key can't be left out.
	Required bool
	// Default says what an absent key means where that is no constant.
	Default string
	// Secret tells that the value may be given as {secure: …}.
	Secret bool
	// Confidential tells that the value is always a secret.
	Confidential bool
	// From tells that each value may be kept in AWS: {from: ARN}.
	From bool
	// Example is a value, written as in YAML.
	Example string
	// Doc is one or two sentences for the reference.
	Doc string
	// Was are the keys of earlier versions that this one took the place of, each with the value to write now.
	Was [][2]string

	// part marks values of an environment that are never secret, and plain is what these must be.
	part  string
	plain constraint.Text

	read  func(r *reader, path string, value any)
	fill  func()
	check func(path string) problems.List
	// waits tells that a resource takes the value, and waits for it: nothing else depends on it.
	waits bool
	// needed tells that the value is missing where there is none.
	needed bool
	// refused is what other fields say against the value.
	refused *problems.Problem
}

// Complete returns what is wrong with each value that is given, and fills in the defaults of the others.
func (t Table) Complete() problems.List {
	ps := t.Problems()
	t.fill()
	return ps
}

// Required is the same table, of which no key can be left out.
func (t Table) Required() Table {
	for _, key := range t {
		key.Required, key.needed = true, true
	}
	return t
}

// Problems are what is wrong with each value.
func (t Table) Problems() problems.List { return t.check("") }

func (t Table) fill() {
	for _, key := range t {
		key.fill()
	}
}

func (t Table) check(prefix string) (ps problems.List) {
	for _, key := range t {
		path := prefix + key.Name
		found := key.check(path)
		if len(found) == 0 && key.refused != nil {
			found = problems.List{{Path: path, Value: key.refused.Value, Want: key.refused.Want}}
		}
		ps = append(ps, found...)
	}
	return ps
}

// Names are the names of the keys.
func (t Table) Names() []string {
	names := make([]string, len(t))
	for i, key := range t {
		names[i] = key.Name
	}
	return names
}

// Gone says what is to be written instead of a key that an earlier version had; it is empty of any other.
func (t Table) Gone(name string) string {
	for _, key := range t {
		for _, was := range key.Was {
			if was[0] == name {
				return key.Name + ": " + was[1]
			}
		}
	}
	return ""
}

// Secrets are the paths of the keys whose values may be secret.
func (t Table) Secrets() (paths []string) {
	for _, key := range t {
		if key.Secret {
			paths = append(paths, key.Name)
		}
		for _, path := range key.Keys.Secrets() {
			paths = append(paths, key.Name+"."+key.anyName()+path)
		}
	}
	return paths
}

// IsList tells that Keys are those of each object in a list.
func (k *Key) IsList() bool { return k.Type == objectList }

// IsMap tells that Keys are those of each object in a map.
func (k *Key) IsMap() bool { return k.Type == objectMap }

// anyName stands for the names in a map of objects.
func (k *Key) anyName() string {
	if k.IsMap() {
		return "NAME."
	}
	return ""
}

// ByDefault says what an absent key means.
func (k *Key) ByDefault() string {
	switch text, isText := k.Constant.(string); {
	case k.Required:
		return "required"
	case k.Constant == nil:
		return k.Default
	case isText && isNumber(text):
		return strconv.Quote(text) // as YAML wants it
	}
	return fmt.Sprint(k.Constant)
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}
