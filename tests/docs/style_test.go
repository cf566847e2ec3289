package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// generated pages are written by a command.
var generated = map[string]bool{"docs/config.md": true, "docs/platform.md": true, "docs/cost-of-changes.md": true, "docs/reference/scale.md": true}

var front = regexp.MustCompile(`^# [^\n]+\n\n\*\*For:\*\* [^\n]+\. \*\*You need:\*\* [^\n]+\. \*\*Time:\*\* [^\n]+\.`)

// Every page says first for whom it is, what it needs and how long it takes. Decisions are records, and have an order of
// their own.
func TestEveryPageBeginsWithForWhomAndHowLong(t *testing.T) {
	for name, text := range pages(t) {
		if strings.HasPrefix(name, "docs/") && !strings.HasPrefix(name, "docs/decisions/") && !generated[name] {
			assert.Regexp(t, front, text, name)
		}
	}
}

// Only what is looked up may be long.
func TestNoPageIsLongerThanItIsRead(t *testing.T) {
	for name, text := range pages(t) {
		if strings.HasPrefix(name, "docs/") && !strings.HasPrefix(name, "docs/reference/") && !generated[name] {
			assert.LessOrEqual(t, len(strings.Fields(text)), 1200, "%s: words", name)
		}
	}
}

var (
	noProse   = regexp.MustCompile("(?ms)^ *```.*?^ *```|<!--.*?-->|^\\|[^\\n]*|^!\\[[^\\n]*|^> [^\\n]*")
	noWords   = regexp.MustCompile("`[^`]*`|\\]\\([^)]*\\)|https?://\\S+|[*\\[\\]#_]")
	sentence  = regexp.MustCompile(`[.!?](\s|$)|\n\n|\n *(?:-|\d\.) `)
	word      = regexp.MustCompile(`[A-Za-z][A-Za-z'’]*`)
	vowels    = regexp.MustCompile(`[aeiouy]+`)
	silentEnd = regexp.MustCompile(`([^l]e|[^csxz]es|[^td]ed)$`)
)

// ease is Flesch's reading ease of the prose of a page: 60 to 70 is plain English, below 30 is for graduates.
// https://en.wikipedia.org/wiki/Flesch%E2%80%93Kincaid_readability_tests
func ease(text string) (score float64, words int) {
	prose := noWords.ReplaceAllString(noProse.ReplaceAllString(text, "\n\n"), " ")
	sentences, syllables := 0, 0
	for _, part := range sentence.Split(prose, -1) {
		found := word.FindAllString(strings.ToLower(part), -1)
		if len(found) == 0 {
			continue
		}
		sentences++
		words += len(found)
		for _, each := range found {
			syllables += max(1, len(vowels.FindAllString(silentEnd.ReplaceAllString(each, ""), -1)))
		}
	}
	if words == 0 {
		return 100, 0
	}
	return 206.835 - 1.015*float64(words)/float64(sentences) - 84.6*float64(syllables)/float64(words), words
}

// leastEase is below plain English, because the field's words are long. A page that gets harder to read fails.
const leastEase = 60

func TestEveryPageIsEasyToRead(t *testing.T) {
	for name, text := range pages(t) {
		score, words := ease(text)
		t.Logf("%3.0f %5d %s", score, words, name)
		if words > 50 && name != "CHANGELOG.md" && !generated[name] {
			assert.GreaterOrEqual(t, score, float64(leastEase), name)
		}
	}
}

func TestReadingEaseTellsHardFromEasy(t *testing.T) {
	easy, _ := ease("Write short words. Stop each thought soon. Then all can read it.")
	hard, _ := ease("Notwithstanding organisational considerations, interoperability necessitates comprehensive standardisation of authentication infrastructures, particularly heterogeneous ones.")
	assert.Greater(t, easy, 90.0)
	assert.Less(t, hard, 0.0)
}
