package keys

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// Later is what a program of another language gives in place of a plain value: a secret, or what a resource answers.
type Later struct {
	// Value is the value itself; nil in a preview that doesn't know it.
	Value any
	// Secret tells that nobody may see it.
	Secret bool
	// Text is the value for another resource, which waits for it.
	Text pulumi.StringOutput
}

// MarshalJSON keeps a secret out of messages.
func (l Later) MarshalJSON() ([]byte, error) {
	if l.Secret {
		return json.Marshal(Hidden)
	}
	return json.Marshal(l.Value)
}

// ReadValue is Read of a value that is no text: in it, a Later says of each value whether it is a secret.
func (k *Key) ReadValue(value any, kept []string) problems.List {
	r := &reader{kept: kept}
	if settled := k.settle(r, k.Name, value); settled != nil {
		k.read(r, k.Name, settled)
	}
	return r.problems
}

// settle puts the value in the place of each Later, but where a resource is to wait for it. It leaves out what can't be a
// secret, or isn't known although it decides what is registered.
func (k *Key) settle(r *reader, path string, value any) any {
	switch value := value.(type) {
	case Later:
		_, isText := value.Value.(string)
		switch {
		case value.Secret && !k.Secret:
			r.refuseSecret(path, value)
		case k.waits:
			return value
		case value.Value == nil:
			r.problems = append(r.problems, problems.Problem{
				Path: path, Value: "not known in this preview", Want: "a value that is known before the stack's resources are registered",
			})
		case value.Secret && !isText:
			r.refuse(path, value, "a string")
		default:
			return value.Value
		}
		return nil
	case map[string]any:
		settled := map[string]any{}
		for _, name := range sorted(value) {
			settled[name] = k.below(name).settle(r, path+"."+name, value[name])
		}
		return settled
	case []any:
		settled := make([]any, len(value))
		for i, item := range value {
			settled[i] = k.below("").settle(r, fmt.Sprintf("%s[%d]", path, i), item)
		}
		return settled
	}
	return value
}

// below is the row of a value inside of this one's; this one itself, where the values are no objects.
func (k *Key) below(name string) *Key {
	if k.IsList() || k.IsMap() {
		return &Key{Type: "object", Keys: k.Keys}
	}
	if i := slices.IndexFunc(k.Keys, func(key *Key) bool { return key.Name == name }); i >= 0 {
		return k.Keys[i]
	}
	return k
}
