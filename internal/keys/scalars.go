package keys

import (
	"encoding/json"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/problems"
)

// row is a key in the making.
type row struct {
	key *Key
	// given is the value as a problem shows it; empty where there is none.
	given func() string
	// missing is what is wanted where a value is missing. Default: what is accepted.
	missing string
	// bare tells that the value lacks what it needs beside it.
	bare bool
}

func newRow(name, kind string) row {
	return row{key: &Key{Name: name, Type: kind, Constraint: constraint.Text{}, fill: func() {}, check: func(string) problems.List { return nil }}}
}

// Required tells that the key can't be left out. The problem says what is wanted: by default, what is accepted.
func (r *row) Required(want ...string) *row {
	r.key.Required = true
	return r.RequiredIf(true, want...)
}

// RequiredIf is Required where other fields say so. The reference says it in the words of Otherwise.
func (r *row) RequiredIf(needed bool, want ...string) *row {
	r.key.needed = needed
	for _, want := range want {
		r.missing = want
	}
	return r
}

// Otherwise says in words what an absent key means.
func (r *row) Otherwise(words string) *row {
	r.key.Default, r.key.Constant = words, nil
	return r
}

// Needs refuses a value without what it needs beside it; without that, it has no default either.
func (r *row) Needs(met bool, want string) *row {
	r.bare = r.bare || !met
	return r.Refuse(!met && r.given() != "", r.given(), want)
}

// Refuse refuses a value for what other fields say. A rule that takes more than a line is code of the component.
func (r *row) Refuse(refused bool, shown, want string) *row {
	if refused {
		r.key.refused = &problems.Problem{Value: shown, Want: want}
	}
	return r
}

// Was is a key of earlier versions that this one took the place of, and the value to write now: it is refused with both.
func (r *row) Was(name, value string) *row {
	r.key.Was = append(r.key.Was, [2]string{name, value})
	return r
}

// Secret tells that the value may be given as {secure: …}.
func (r *row) Secret() *row {
	r.key.Secret = true
	return r
}

// Example is a value, written as in YAML.
func (r *row) Example(value string) *row {
	r.key.Example = value
	return r
}

// Doc is one or two sentences for the reference. It ends the row.
func (r *row) Doc(text string) *Key {
	r.key.Doc = text
	return r.key
}

// absent are the problems of a value that isn't there.
func (r *row) absent(path, want string) problems.List {
	if !r.key.needed {
		return nil
	}
	if r.missing != "" {
		want = r.missing
	}
	return problems.List{{Path: path, Want: want}}
}

// NumberRow is the row of a whole number.
type NumberRow struct {
	row
	is        constraint.Number
	byDefault func() int
}

// Number is the row of a whole number. The field is a pointer where zero is another value than none.
func Number[T int | *int](name string, into *T) *NumberRow {
	n := &NumberRow{row: newRow(name, "integer")}
	get, set := optional[int](into)
	n.key.Constraint, n.key.Constant = &n.is, 0
	n.given = func() string {
		if get() == nil {
			return ""
		}
		return strconv.Itoa(*get())
	}
	n.key.fill = func() {
		if get() == nil && n.byDefault != nil && !n.bare {
			set(n.byDefault())
		}
	}
	n.key.check = func(path string) problems.List {
		if get() == nil {
			return n.absent(path, n.is.Accepted())
		}
		return n.is.Problems(path, get())
	}
	n.key.read = func(r *reader, path string, value any) {
		number, _ := value.(json.Number)
		whole, err := strconv.Atoi(number.String())
		if err != nil {
			r.refuse(path, value, "a whole number")
			return
		}
		set(whole)
		if get() == nil { // what is given as zero isn't absent
			r.problems = append(r.problems, n.is.Problems(path, &whole)...)
		}
	}
	return n
}

// Between bounds the number; both bounds are accepted.
func (n *NumberRow) Between(low, high int) *NumberRow {
	n.is.Min, n.is.Max = low, high
	return n
}

// OrZero also accepts 0, below the lower bound.
func (n *NumberRow) OrZero() *NumberRow {
	n.is.OrZero = true
	return n
}

// Words replace the bounds in the reference, where they depend on other keys.
func (n *NumberRow) Words(words string) *NumberRow {
	n.is.Words = words
	return n
}

// Default is what an absent number means.
func (n *NumberRow) Default(value int) *NumberRow {
	n.key.Constant, n.byDefault = value, func() int { return value }
	return n
}

// DefaultFrom is what an absent number means, in words and from other fields: those of the rows above have their defaults.
func (n *NumberRow) DefaultFrom(words string, value func() int) *NumberRow {
	n.byDefault = value
	n.Otherwise(words)
	return n
}

// TextRow is the row of a string.
type TextRow struct {
	row
	is        constraint.Text
	byDefault string
}

// Text is the row of a string; an empty one is as good as none.
func Text[T ~string](name string, into *T) *TextRow {
	t := &TextRow{row: newRow(name, "string")}
	t.key.Constraint = &t.is
	t.given = func() string {
		if *into == "" {
			return ""
		}
		return strconv.Quote(string(*into))
	}
	t.key.fill = func() {
		if *into == "" && !t.bare {
			*into = T(t.byDefault)
		}
	}
	t.key.check = func(path string) problems.List {
		if *into == "" {
			return t.absent(path, t.is.Wanted())
		}
		return t.is.Check(path, string(*into))
	}
	t.key.read = func(r *reader, path string, value any) {
		text, isText := asWritten(value)
		if t.key.Unquoted {
			text, isText = scalar(value)
		}
		if !isText {
			r.refuseText(path, value)
			return
		}
		*into = T(text)
	}
	return t
}

// Unquoted also takes a number or boolean, where only its value counts: 1.50 cores are 1.5.
func (t *TextRow) Unquoted() *TextRow {
	t.key.Unquoted = true
	return t
}

// OneOf is the set of accepted strings.
func (t *TextRow) OneOf(choices ...string) *TextRow {
	t.is.OneOf = choices
	return t
}

// Match is the pattern of what is accepted, and the same in words.
func (t *TextRow) Match(pattern, want string) *TextRow {
	t.is.Pattern, t.is.Want = pattern, want
	return t
}

// Except is the pattern of what is refused although Match accepts it, and what is wanted instead.
func (t *TextRow) Except(pattern, instead string) *TextRow {
	t.is.Except, t.is.Instead = pattern, instead
	return t
}

// Want says in words what is accepted.
func (t *TextRow) Want(words string) *TextRow {
	t.is.Want = words
	return t
}

// Words are what is accepted in the reference, where the example says the rest.
func (t *TextRow) Words(words string) *TextRow {
	t.is.Words = words
	return t
}

// Numbers is the JSON schema of the numbers that Unquoted takes.
func (t *TextRow) Numbers(schema constraint.Schema) *TextRow {
	t.is.Numbers = schema
	return t
}

// Is takes a constraint that several rows share.
func (t *TextRow) Is(of constraint.Text) *TextRow {
	t.is = of
	return t
}

// Hidden is Secret, and keeps the value out of every message.
func (t *TextRow) Hidden() *TextRow {
	t.is.Secret, t.key.Secret, t.key.Confidential = true, true, true
	return t
}

// Default is what an absent string means.
func (t *TextRow) Default(value string) *TextRow {
	t.byDefault = value
	return t.Means(value)
}

// Means is what an absent string means to whoever gets it: it stays absent.
func (t *TextRow) Means(value string) *TextRow {
	t.key.Constant = value
	return t
}

// LateText is the row of a string that may be another resource's.
func LateText(name string, into *pulumi.StringInput) *row {
	s := newRow(name, "string")
	s.key.waits = true
	s.key.check = func(path string) problems.List {
		if *into == nil {
			return s.absent(path, "a string")
		}
		return nil
	}
	s.key.read = func(r *reader, path string, value any) {
		if later, waits := value.(later); waits {
			*into = later.text
			return
		}
		if text, isText := asWritten(value); isText {
			*into = pulumi.String(text)
			return
		}
		r.refuseText(path, value)
	}
	return &s
}

// SecretText is LateText that becomes a secret output.
func SecretText(name string, into *pulumi.StringInput) *row {
	s := LateText(name, into)
	s.key.Secret, s.key.Confidential = true, true
	read := s.key.read
	s.key.read = func(r *reader, path string, value any) {
		if read(r, path, value); *into != nil {
			*into = pulumi.ToSecret(*into).(pulumi.StringOutput)
		}
	}
	return s
}

// LateNumber is the row of a whole number that may be another resource's.
func LateNumber(name string, into *pulumi.IntInput) *row {
	n := newRow(name, "integer")
	n.key.waits = true
	n.key.check = func(path string) problems.List {
		if *into == nil {
			return n.absent(path, "a whole number")
		}
		return nil
	}
	n.key.read = func(r *reader, path string, value any) {
		if later, waits := value.(later); waits {
			*into = later.text.ApplyT(strconv.Atoi).(pulumi.IntOutput)
			return
		}
		Number(name, new(int)).key.read(r, path, value) // which refuses what is none
		number, _ := value.(json.Number)
		whole, _ := strconv.Atoi(number.String())
		*into = pulumi.Int(whole)
	}
	return &n
}

// FlagRow is the row of true or false.
type FlagRow struct {
	row
	byDefault func() bool
}

// Flag is the row of true or false. The field is a pointer where false is another value than none.
func Flag[T bool | *bool](name string, into *T) *FlagRow {
	f := &FlagRow{row: newRow(name, "boolean")}
	f.key.Default = "false"
	get, set := optional[bool](into)
	f.key.fill = func() {
		if get() == nil && f.byDefault != nil {
			set(f.byDefault())
		}
	}
	f.key.read = func(r *reader, path string, value any) {
		flag, isFlag := value.(bool)
		if !isFlag {
			r.refuse(path, value, "true or false")
			return
		}
		set(flag)
	}
	return f
}

// DefaultFrom is what an absent flag means, in words and from other fields.
func (f *FlagRow) DefaultFrom(words string, value func() bool) *FlagRow {
	f.key.Default, f.byDefault = words, value
	return f
}

// optional reads and writes a field that is a T, whose zero value is as good as none, or a pointer to one.
func optional[T comparable](into any) (get func() *T, set func(T)) {
	if pointer, isPointer := into.(**T); isPointer {
		return func() *T { return *pointer }, func(value T) { *pointer = &value }
	}
	field := into.(*T)
	return func() *T {
		if *field == *new(T) {
			return nil
		}
		return field
	}, func(value T) { *field = value }
}

// scalar is a string, number or boolean as text.
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return asWritten(value)
	case json.Number:
		return value.String(), true
	case bool:
		return strconv.FormatBool(value), true
	}
	return "", false
}

func secretString(text string) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(text)).(pulumi.StringOutput)
}
