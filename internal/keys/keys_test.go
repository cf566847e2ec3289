package keys_test

import (
	"encoding/json"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

type shop struct {
	Name     string
	Size     int
	Spare    *int
	Open     *bool
	Closed   bool
	Tags     []string
	Ports    []int
	Labels   map[string]string
	Env      map[string]pulumi.StringInput
	Shelves  []shelf
	Branches map[string]shelf
	Annex    *shelf
	Safe     shelf
}

type shelf struct {
	Width, Depth int
	Wood         string
}

func (s *shop) Keys() keys.Table {
	return keys.Table{
		keys.Text("name", &s.Name).Match("^[a-z]+$", "lowercase letters").Except("^root$", "another name than root").Required().Example("shop").Doc("Name."),
		keys.Number("size", &s.Size).Between(1, 10).Default(3).Example("4").Doc("Size."),
		keys.Number("spare", &s.Spare).Between(0, 50).DefaultFrom("twice the size", func() int { return 2 * s.Size }).Example("0").Doc("Spare."),
		keys.Flag("open", &s.Open).DefaultFrom("true with a name", func() bool { return s.Name != "" }).Example("false").Doc("Open."),
		keys.Flag("closed", &s.Closed).Example("true").Doc("Closed."),
		keys.Texts("tags", &s.Tags).AtLeast(1, "at least one tag").Once("each tag once").Each(constraint.Text{OneOf: []string{"a", "b"}}).Example("[a]").Doc("Tags."),
		keys.Numbers("ports", &s.Ports).Is(constraint.Numbers{Items: constraint.Number{Min: 1, Max: 9}, Max: 2, Want: "1 to 2 ports"}).Otherwise("none").Example("[1]").Doc("Ports."),
		keys.TextMap("labels", &s.Labels).Is(constraint.Map{Names: constraint.Text{Pattern: "^[a-z]+$", Want: "lowercase names"}}).Example("{a: b}").Doc("Labels."),
		keys.Environment("env", &s.Env, false).Example("{A: b}").Doc("Environment."),
		keys.Objects("shelves", &s.Shelves, (*shelf).keys).Example("[{width: 2}]").Doc("Shelves."),
		keys.ObjectMap("branches", &s.Branches, (*shelf).keys).Names(constraint.Text{Pattern: "^[a-z]+$", Want: "lowercase names"}).Doc("Branches."),
		keys.Optional("annex", &s.Annex, (*shelf).keys).Otherwise("none").Doc("Annex."),
		keys.Object("safe", s.Safe.keys()).If(s.Safe != shelf{}).Otherwise("none").Doc("Safe."),
	}
}

func (s *shelf) keys() keys.Table {
	return keys.Table{
		keys.Number("width", &s.Width).Between(1, 9).Required().Example("2").Doc("Width."),
		keys.Number("depth", &s.Depth).Between(1, 9).Default(5).Needs(s.Wood != "", "wood beside it").Example("2").Doc("Depth."),
		keys.Text("wood", &s.Wood).OneOf("oak", "ash").Otherwise("none").Example("oak").Doc("Wood."),
	}
}

// read decodes JSON as the value of a top-level key, and completes what was read.
func read(t *testing.T, text string, secret bool) (shop, []string) {
	t.Helper()
	var s shop
	ps := keys.Object("shop", s.Keys()).Doc("Shop.").Read(text, secret, []string{"shop.env"})
	ps = append(ps, s.Keys().Complete().Under("shop")...)
	var lines []string
	for _, problem := range ps {
		lines = append(lines, problem.String())
	}
	return s, lines
}

func TestDefaultsFillInWhatIsAbsentAndNothingElse(t *testing.T) {
	s, lines := read(t, `{"name": "shop", "tags": ["a"], "shelves": [{"width": 1, "wood": "oak"}, {"width": 2}], "branches": {"x": {"width": 3, "wood": "ash", "depth": 2}}}`, false)
	require.Empty(t, lines)
	assert.Equal(t, 3, s.Size)
	assert.Equal(t, 6, *s.Spare, "from the default of a row above")
	assert.True(t, *s.Open)
	assert.Equal(t, []shelf{{1, 5, "oak"}, {2, 0, ""}}, s.Shelves, "no default without what the key needs")
	assert.Equal(t, map[string]shelf{"x": {3, 2, "ash"}}, s.Branches)
	assert.Nil(t, s.Annex)
	assert.Zero(t, s.Safe)

	s, lines = read(t, `{"name": "shop", "spare": 0, "open": false, "annex": {}}`, false)
	require.Empty(t, lines)
	assert.Zero(t, *s.Spare)
	assert.False(t, *s.Open)
	assert.Nil(t, s.Annex, "an empty object is as good as none")
}

func TestDefaultsLeaveTheCallersListsAndMapsAlone(t *testing.T) {
	given := shop{Shelves: []shelf{{1, 0, "oak"}}, Branches: map[string]shelf{"x": {1, 0, "oak"}}, Annex: &shelf{1, 0, "oak"}}
	complete := given
	complete.Keys().Complete()
	assert.Equal(t, 5, complete.Shelves[0].Depth+complete.Branches["x"].Depth-complete.Annex.Depth)
	assert.Equal(t, []int{0, 0, 0}, []int{given.Shelves[0].Depth, given.Branches["x"].Depth, given.Annex.Depth})
}

func TestEachWrongValueIsOneLine(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`:                                                   {"shop.name is missing, want lowercase letters"},
		`{"name": "X"}`:                                        {`shop.name is "X", want lowercase letters`},
		`{"name": "root"}`:                                     {`shop.name is "root", want another name than root`},
		`{"name": "a", "size": 11}`:                            {"shop.size is 11, want 1 to 10"},
		`{"name": "a", "size": 0}`:                             {"shop.size is 0, want 1 to 10"},
		`{"name": "a", "size": 1.5}`:                           {"shop.size is 1.5, want a whole number"},
		`{"name": "a", "spare": 51}`:                           {"shop.spare is 51, want 0 to 50"},
		`{"name": "a", "closed": "yes"}`:                       {`shop.closed is "yes", want true or false`},
		`{"name": "a", "tags": []}`:                            {"shop.tags is empty, want at least one tag"},
		`{"name": "a", "tags": ["a","a"]}`:                     {`shop.tags[1] is "a", want each tag once`},
		`{"name": "a", "tags": ["c"]}`:                         {`shop.tags[0] is "c", want a or b`},
		`{"name": "a", "ports": [0]}`:                          {"shop.ports[0] is 0, want 1 to 9"},
		`{"name": "a", "ports": []}`:                           {"shop.ports is empty, want 1 to 2 ports"},
		`{"name": "a", "ports": [1,2,3]}`:                      {"shop.ports is 3 numbers, want 1 to 2 ports"},
		`{"name": "a", "labels": {"A":"1"}}`:                   {`shop.labels is "A", want lowercase names`},
		`{"name": "a", "labels": {"a":1}}`:                     {"shop.labels.a is 1, want a string in quotes: YAML may change one without them"},
		`{"name": "a", "labels": {"a":null}}`:                  {"shop.labels.a is null, want a string in quotes: YAML may change one without them"},
		`{"name": "a", "labels": {"a":[1]}}`:                   {"shop.labels.a is [1], want a string"},
		`{"name": 5}`:                                          {"shop.name is 5, want a string in quotes: YAML may change one without them", "shop.name is missing, want lowercase letters"},
		`{"name": "a", "nane": "b"}`:                           {`shop.nane is "b", want one of the keys name, size, spare, open, closed, tags, ports, labels, env, shelves, branches, annex, safe: did you mean name?`},
		`{"name": "a", "shelves": [{"depth": 2, "width": 1}]}`: {"shop.shelves[0].depth is 2, want wood beside it"},
		`{"name": "a", "shelves": [{}]}`:                       {"shop.shelves[0].width is missing, want 1 to 9"},
		`{"name": "a", "branches": {"X": {"width": 1}}}`:       {`shop.branches is "X", want lowercase names`},
		`{"name": "a", "annex": {"wood": "elm"}}`:              {"shop.annex.width is missing, want 1 to 9", `shop.annex.wood is "elm", want oak or ash`},
		`{"name": "a", "safe": {"wood": "oak"}}`:               {"shop.safe.width is missing, want 1 to 9"},
		`{"name": "a", "safe": 5}`:                             {"shop.safe is 5, want an object with the keys width, depth, wood"},
	} {
		_, lines := read(t, text, false)
		assert.Equal(t, want, lines, text)
	}
}

func TestSecretIsKeptWhereItMayBeAndHiddenElsewhere(t *testing.T) {
	s, lines := read(t, `{"name": "a", "env": {"A": "b", "N": "1"}}`, true)
	require.Empty(t, lines)
	assert.IsType(t, pulumi.StringOutput{}, s.Env["A"])
	s, _ = read(t, `{"name": "a", "env": {"A": "b", "N": "1"}}`, false)
	assert.Equal(t, map[string]pulumi.StringInput{"A": pulumi.String("b"), "N": pulumi.String("1")}, s.Env)
	_, lines = read(t, `{"name": "a", "size": "hush"}`, true)
	assert.Equal(t, []string{"shop.size is [secret], want a whole number", "shop is [secret], want no secret value here: only shop.env are kept secret"}, lines)
}

func TestReferenceAndSchemaSayWhatTheRowsSay(t *testing.T) {
	table := keys.Table{keys.Object("shop", new(shop).Keys()).Required().Doc("A shop.")}
	page := table.Reference()
	for _, line := range []string{
		"| `name` | string | required | lowercase letters; another name than root | `shop` | Name. |",
		"| `size` | integer | 3 | 1 to 10 | `4` | Size. |",
		"| `spare` | integer | twice the size | 0 to 50 | `0` | Spare. |",
		"| `shelves[].wood` | string | none | oak, ash | `oak` | Wood. |",
		"| `branches.NAME.width` | integer | required | 1 to 9 | `2` | Width. |",
	} {
		assert.Contains(t, page, line+"\n")
	}
	text, err := json.Marshal(new(shelf).keys().Schema())
	require.NoError(t, err)
	assert.JSONEq(t, `{"type": "object", "additionalProperties": false, "required": ["width"], "properties": {
		"width": {"type": "integer", "minimum": 1, "maximum": 9, "description": "Width. Default: required."},
		"depth": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5, "description": "Depth. Default: 5."},
		"wood": {"type": "string", "enum": ["oak", "ash"], "description": "Wood. Default: none."}
	}}`, string(text))
	assert.Equal(t, []string{"shop.env"}, table.Secrets())
}
