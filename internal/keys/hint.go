package keys

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Hint names the known key that is nearest to one that isn't known; it is empty where none is near.
func Hint(name string, known []string) string {
	const least = 3 // letters of a key's beginning that stand for it
	nearest, fewest := "", 0
	for _, candidate := range known {
		shorter := min(len(plain(name)), len(plain(candidate)))
		begins := shorter >= least && plain(name)[:shorter] == plain(candidate)[:shorter]
		if edits := distance(name, candidate); (begins || Near(name, candidate)) && (nearest == "" || edits < fewest) {
			nearest, fewest = candidate, edits
		}
	}
	if nearest == "" {
		return ""
	}
	return ": did you mean " + nearest + "?"
}

// Near tells whether one name may be a slip of the pen for the other: of three letters, one may be wrong.
func Near(a, b string) bool { return distance(a, b) <= max(len(plain(a)), len(plain(b)))/3 }

func distance(a, b string) int { return levenshtein.Distance(plain(a), plain(b), nil) }

// plain is a name without its namespace, and without what is a matter of spelling.
func plain(name string) string {
	name = name[strings.LastIndex(name, ":")+1:]
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}
