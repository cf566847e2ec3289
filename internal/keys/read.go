package keys

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"threetier/internal/problems"
)

// Hidden stands for a value that is not to be seen.
const Hidden = "[secret]"

// reader decodes one top-level key and collects every mistake in it.
type reader struct {
	// secret tells that the key holds a secret value; which one, Pulumi doesn't tell a Go program.
	secret bool
	// used tells that a key which may be secret was given.
	used bool
	// kept are the keys whose values may be secret.
	kept     []string
	problems problems.List
}

// Read decodes the value of a top-level key: JSON, unless it is a string. Where it holds a secret, and none of its
// keys that may be secret is given, kept are the keys to name.
func (k *Key) Read(raw string, secret bool, kept []string) problems.List {
	r := &reader{secret: secret, used: k.Secret, kept: kept}
	var value any = raw
	if k.Type != "string" {
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
		if instead := t.Gone(name); instead != "" {
			r.problems = append(r.problems, problems.Problem{Path: path + "." + name, Value: "gone", Want: path + "." + instead})
			continue
		}
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

// texts decodes a map of strings.
func (r *reader) texts(path string, value any) map[string]string {
	fields, isMap := value.(map[string]any)
	if !isMap {
		r.refuse(path, value, "a map of strings")
		return nil
	}
	texts := map[string]string{}
	for _, name := range sorted(fields) {
		if text, isText := asWritten(fields[name]); isText {
			texts[name] = text
			continue
		}
		r.refuseText(path+"."+name, fields[name])
	}
	return texts
}

// date is what Pulumi passes on of a value that YAML reads as a date: time.Time's String.
var date = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+$`)

// asWritten is a string that stands in the stack config as it is. Nobody can tell how the others stand there: the program gets 1.1 for
// 1.10 and for 1.1, 8 for 010 and 31 for 0x1F.
func asWritten(value any) (string, bool) {
	text, isText := value.(string)
	return text, isText && !date.MatchString(text)
}

// refuseText refuses what isn't a string as it is written.
func (r *reader) refuseText(path string, value any) {
	switch value.(type) {
	case map[string]any, []any:
		r.refuse(path, value, "a string")
	default:
		r.refuse(path, value, "a string in quotes: YAML may change one without them")
	}
}

func (r *reader) refuse(path string, value any, want string) {
	r.problems = append(r.problems, problems.Problem{Path: path, Value: r.show(value), Want: want})
}

func (r *reader) refuseSecret(path string, value any) {
	want := "no secret value here"
	if len(r.kept) > 0 {
		want += ": only " + strings.Join(r.kept, ", ") + " are kept secret"
	}
	r.refuse(path, value, want)
}

// show is the value as in JSON, without what may be secret: a secret value is always a string, or holds strings.
func (r *reader) show(value any) string {
	switch value.(type) {
	case nil, bool, json.Number:
	case later:
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
