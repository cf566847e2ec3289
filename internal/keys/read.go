package keys

import (
	"encoding/json"
	"slices"
	"strings"

	"threetier/internal/problems"
)

// Hidden stands for a value that is not to be seen.
const Hidden = "[secret]"

// reader decodes one top-level key and collects all that is wrong with it.
type reader struct {
	// secret tells that the key holds a secret value; which one, Pulumi doesn't tell a Go program.
	secret bool
	// used tells that a key which may be secret was given.
	used bool
	// kept are the keys whose values may be secret.
	kept     []string
	problems problems.List
}

// Read decodes the value of a top-level key: JSON, where the key is an object. Where it holds a secret, and none of its
// keys that may be secret is given, kept are the keys to name.
func (k *Key) Read(raw string, secret bool, kept []string) problems.List {
	r := &reader{secret: secret, used: k.Secret, kept: kept}
	var value any = raw
	if len(k.Keys) > 0 {
		decoder := json.NewDecoder(strings.NewReader(raw))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			value = raw
		}
	}
	k.read(r, k.Name, value)
	if r.secret && !r.used {
		r.refuseSecret(k.Name, raw)
	}
	return r.problems
}

// read decodes an object with exactly these keys.
func (t Table) read(r *reader, path string, value any) {
	fields, isMap := value.(map[string]any)
	if !isMap {
		r.refuse(path, value, "an object with the keys "+strings.Join(t.Names(), ", "))
		return
	}
	for _, name := range sorted(fields) {
		i := slices.IndexFunc(t, func(key *Key) bool { return key.Name == name })
		if i < 0 {
			r.refuse(path+"."+name, fields[name], "one of the keys "+strings.Join(t.Names(), ", ")+Hint(name, t.Names()))
			continue
		}
		// null is as good as absent: it is what a key without a value means in YAML.
		if fields[name] == nil {
			continue
		}
		r.used = r.used || t[i].Secret
		t[i].read(r, path+"."+name, fields[name])
	}
}

// texts decodes a map of strings; numbers and booleans are taken as they are written.
func (r *reader) texts(path string, value any) map[string]string {
	fields, isMap := value.(map[string]any)
	if !isMap {
		r.refuse(path, value, "a map of strings")
		return nil
	}
	texts := map[string]string{}
	for _, name := range sorted(fields) {
		if text, isScalar := scalar(fields[name]); isScalar {
			texts[name] = text
			continue
		}
		r.refuse(path+"."+name, fields[name], "a string")
	}
	return texts
}

func (r *reader) refuse(path string, value any, want string) {
	r.problems = append(r.problems, problems.Problem{Path: path, Value: r.show(value), Want: want})
}

func (r *reader) refuseSecret(path string, value any) {
	r.refuse(path, value, "no secret value here: only "+strings.Join(r.kept, ", ")+" are kept secret")
}

// show is the value as in JSON, but for what may be secret: a secret value is always a string, or holds strings.
func (r *reader) show(value any) string {
	switch value.(type) {
	case nil, bool, json.Number:
	case Later:
		return Hidden
	default:
		if r.secret {
			return Hidden
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return Hidden
	}
	return string(text)
}
