package keys

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/problems"
)

// The types whose values are objects.
const (
	objectList = "list of objects"
	objectMap  = "map of objects"
)

// ObjectRow is the row of an object.
type ObjectRow struct {
	row
	omitted bool
}

// Object is the row of an object with exactly these keys.
func Object(name string, table Table) *ObjectRow {
	o := &ObjectRow{row: newRow(name, "object")}
	o.key.Keys, o.key.Default = table, "as each key's"
	o.key.read = func(r *reader, path string, value any) { table.read(r, path, value) }
	o.key.fill = func() {
		if !o.omitted {
			table.fill()
		}
	}
	o.key.check = func(path string) problems.List {
		if o.omitted {
			return nil
		}
		return table.check(path + ".")
	}
	return o
}

// If tells whether the object is there: what it requires is required only then. Default: always.
func (o *ObjectRow) If(given bool) *ObjectRow {
	o.omitted = !given
	return o
}

// Optional is the row of an object with the keys of T, which stays nil where the object is absent or empty.
func Optional[T any](name string, into **T, table func(*T) Table) *row {
	o := newRow(name, "object")
	value := new(T)
	o.key.Keys = table(value)
	o.key.read = func(r *reader, path string, given any) {
		if fields, isMap := given.(map[string]any); isMap && len(fields) == 0 {
			return
		}
		*into = value
		o.key.Keys.read(r, path, given)
	}
	o.key.fill = func() {
		if *into != nil {
			complete := **into
			table(&complete).fill()
			*into = &complete
		}
	}
	o.key.check = func(path string) problems.List {
		if *into == nil {
			return nil
		}
		return table(*into).check(path + ".")
	}
	return &o
}

// ListRow is the row of a list.
type ListRow struct {
	row
	is      constraint.List
	command bool
}

// AtLeast is how many items there must be, and the same in words.
func (l *ListRow) AtLeast(items int, want string) *ListRow {
	l.is.Min, l.is.Want = items, want
	return l
}

// Command is AtLeast one item, of which the first isn't empty.
func (l *ListRow) Command(want string) *ListRow {
	l.command = true
	return l.AtLeast(1, want)
}

// Each is what each item must be.
func (l *ListRow) Each(item constraint.Text) *ListRow {
	l.is.Items = item
	return l
}

// Once is what is wanted instead of an item that is there twice.
func (l *ListRow) Once(want string) *ListRow {
	l.is.Once = want
	return l
}

// reading takes a value from the stack config.
type reading = func(r *reader, path string, value any)

// readList takes a list item by item.
func readList[T any](into *[]T, want string, each func(*T) reading) reading {
	return func(r *reader, path string, value any) {
		items, isList := value.([]any)
		if !isList {
			r.refuse(path, value, want)
			return
		}
		*into = make([]T, len(items))
		for i, item := range items {
			each(&(*into)[i])(r, fmt.Sprintf("%s[%d]", path, i), item)
		}
	}
}

// Objects is the row of a list of objects, each with the keys of T.
func Objects[T any](name string, into *[]T, table func(*T) Table) *ListRow {
	l := &ListRow{row: newRow(name, objectList)}
	l.key.Keys, l.key.Constraint, l.key.Default = table(new(T)), &l.is, "[]"
	l.key.read = readList(into, "a list of objects", func(item *T) reading { return table(item).read })
	l.key.fill = func() {
		*into = slices.Clone(*into) // the caller's stays as it is
		for i := range *into {
			table(&(*into)[i]).fill()
		}
	}
	l.key.check = func(path string) problems.List {
		if *into == nil {
			return l.absent(path, l.is.Accepted())
		}
		ps := l.is.Length(path, len(*into), fmt.Sprintf("%d items", len(*into)))
		for i := range *into {
			ps = append(ps, table(&(*into)[i]).check(fmt.Sprintf("%s[%d].", path, i))...)
		}
		return ps
	}
	return l
}

// Texts is the row of a list of strings.
func Texts(name string, into *[]string) *ListRow {
	l := &ListRow{row: newRow(name, "list of strings")}
	l.key.Constraint, l.key.Default = &l.is, "[]"
	l.key.read = readList(into, "a list of strings", func(item *string) reading { return Text("", item).key.read })
	l.key.check = func(path string) problems.List {
		if *into == nil {
			return l.absent(path, l.is.Accepted())
		}
		if l.command && len(*into) > 0 && (*into)[0] == "" {
			return l.is.Length(path, 0, "")
		}
		return l.is.Problems(path, *into)
	}
	return l
}

// LateTexts is the row of a list of strings that may be another resource's.
func LateTexts(name string, into *[]pulumi.StringInput) *row {
	t := newRow(name, "list of strings")
	t.key.waits, t.key.Default = true, "[]"
	items := readList(into, "a list of strings", func(item *pulumi.StringInput) reading { return LateText("", item).key.read })
	t.key.read = func(r *reader, path string, value any) {
		if later, waits := value.(later); waits {
			*into = []pulumi.StringInput{later.text} // how many there are isn't known yet
			return
		}
		items(r, path, value)
	}
	return &t
}

// NumbersRow is the row of a list of whole numbers.
type NumbersRow struct {
	row
	is constraint.Numbers
}

// Numbers is the row of a list of whole numbers, which has at least one.
func Numbers(name string, into *[]int) *NumbersRow {
	n := &NumbersRow{row: newRow(name, "list of integers")}
	n.key.Constraint = &n.is
	n.key.read = readList(into, "a list of whole numbers", func(item *int) reading { return Number("", item).key.read })
	n.key.check = func(path string) problems.List {
		if *into == nil {
			return n.absent(path, n.is.Want)
		}
		return n.is.Problems(path, *into)
	}
	return n
}

// Is is what the numbers must be.
func (n *NumbersRow) Is(of constraint.Numbers) *NumbersRow {
	n.is = of
	return n
}

// MapRow is the row of a map.
type MapRow struct {
	row
	is    constraint.Map
	names func() []string
}

// Plain takes the values of an environment that have a part: what they must be leaves no room for a secret.
func (m *MapRow) Plain(part string, of constraint.Text) *MapRow {
	m.key.part, m.key.plain = part, of
	return m
}

// Names is what each name must be.
func (m *MapRow) Names(of constraint.Text) *MapRow {
	m.is.Names = of
	return m
}

// Is is what names and values must be.
func (m *MapRow) Is(of constraint.Map) *MapRow {
	m.is = of
	return m
}

// ShownAs is what names and values must be, for the reference and the schema: the component's own code has more to say
// where it refuses one.
func (m *MapRow) ShownAs(of constraint.Map) *MapRow {
	m.is, m.key.check = of, func(string) problems.List { return nil }
	return m
}

// ObjectMap is the row of a map of objects, each with the keys of T.
func ObjectMap[T any](name string, into *map[string]T, table func(*T) Table) *MapRow {
	m := &MapRow{row: newRow(name, objectMap)}
	m.key.Keys, m.key.Constraint, m.key.Default = table(new(T)), &m.is, "{}"
	m.key.read = func(r *reader, path string, value any) {
		fields, isMap := value.(map[string]any)
		if !isMap {
			r.refuse(path, value, "a map of objects")
			return
		}
		*into = map[string]T{}
		for _, name := range sorted(fields) {
			var item T
			table(&item).read(r, path+"."+name, fields[name])
			(*into)[name] = item
		}
	}
	m.key.fill = func() {
		*into = maps.Clone(*into) // the caller's stays as it is
		for name, item := range *into {
			table(&item).fill()
			(*into)[name] = item
		}
	}
	m.key.check = func(path string) (ps problems.List) {
		for _, name := range sorted(*into) {
			item := (*into)[name]
			ps = append(ps, m.is.Names.Check(path, name)...)
			ps = append(ps, table(&item).check(path+"."+name+".")...)
		}
		return ps
	}
	return m
}

// TextMap is the row of a map of strings.
func TextMap(name string, into *map[string]string) *MapRow {
	m := &MapRow{row: newRow(name, "map of strings")}
	m.key.Constraint, m.key.Default = &m.is, "{}"
	m.key.read = func(r *reader, path string, value any) { *into = r.texts(path, value) }
	m.key.check = func(path string) (ps problems.List) {
		for _, name := range sorted(*into) {
			ps = append(ps, m.is.Names.Check(path, name)...)
			ps = append(ps, m.is.Value(name).Check(path+"."+name, (*into)[name])...)
		}
		return ps
	}
	return m
}

// Apart refuses a name that another map of the same object has too.
func (m *MapRow) Apart(key string, other map[string]pulumi.StringInput) *MapRow {
	check := m.key.check
	m.key.check = func(path string) problems.List {
		ps := check(path)
		for _, name := range m.names() {
			if _, twice := other[name]; twice {
				ps = append(ps, problems.Problem{Path: path + "." + name, Value: "in " + key + " too", Want: "it in one of the two"})
			}
		}
		return ps
	}
	return m
}

// From is a secret value that is kept in AWS, and read from there at every up.
type From struct {
	pulumi.StringInput
	ARN string
}

// FromARN is what names such a value.
var FromARN = constraint.Text{
	Pattern: `^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+|ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9/_.-]+)$`,
	Want:    "the ARN of a secret of Secrets Manager or of a parameter of SSM",
}

// from is a value that is kept elsewhere; what is wrong with one is known then.
func (r *reader) from(path string, value any) (_ pulumi.StringInput, isFrom bool) {
	fields, isObject := value.(map[string]any)
	if !isObject {
		return nil, false
	}
	arn, isText := fields["from"].(string)
	if !isText || len(fields) != 1 || !FromARN.Accepts(arn) {
		r.refuse(path, value, "a string, or {from: …} with "+FromARN.Want)
	}
	return From{pulumi.String(""), arn}, true
}

// Environment is the row of a map of strings whose values may be secret. Pulumi tells a Go program only that some value
// below a top-level key is secret, not which: so all of them are kept as secrets then.
func Environment(name string, into *map[string]pulumi.StringInput, secret bool) *MapRow {
	m := &MapRow{row: newRow(name, "map of strings")}
	m.key.Constraint, m.key.Default, m.key.Secret, m.key.Confidential, m.key.From, m.key.waits = &m.is, "{}", true, secret, secret, true
	m.key.read = func(r *reader, path string, value any) {
		*into = map[string]pulumi.StringInput{}
		fields, isMap := value.(map[string]any)
		if isMap {
			fields = maps.Clone(fields)
			value = fields
		}
		for _, name := range sorted(fields) {
			if later, waits := fields[name].(later); waits {
				(*into)[name] = pulumi.ToSecret(later.text).(pulumi.StringOutput)
				delete(fields, name)
				continue
			}
			if !secret {
				continue
			}
			if from, isFrom := r.from(path+"."+name, fields[name]); isFrom {
				(*into)[name] = from
				delete(fields, name)
			}
		}
		for name, text := range r.texts(path, value) {
			isPlain := m.key.part != "" && strings.Contains(text, m.key.part)
			switch {
			case isPlain && !m.key.plain.Accepts(text):
				r.refuse(path+"."+name, text, m.key.plain.Want)
			case secret || r.secret && !isPlain:
				(*into)[name] = secretString(text)
			default:
				(*into)[name] = pulumi.String(text)
			}
		}
	}
	m.names = func() []string { return sorted(*into) }
	m.key.check = func(path string) (ps problems.List) {
		for _, name := range m.names() {
			ps = append(ps, m.is.Names.Check(path, name)...)
		}
		return ps
	}
	return m
}

func sorted[T any](fields map[string]T) []string { return slices.Sorted(maps.Keys(fields)) }
