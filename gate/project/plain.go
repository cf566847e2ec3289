package project

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"threetier/internal/allow"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/settings"
)

// checkSecrets refuses secrets in plain text. A program can't see which values of its config were encrypted; who reads the file
// can.
func (v Values) checkSecrets(stack string) error {
	exceptions := allow.List{}
	if given, isMap := v[settings.Namespace+":allow"].(map[string]any); isMap {
		for name, reason := range given {
			exceptions[name] = fmt.Sprint(reason)
		}
	}
	f := plainFinder{stack: stack, allowed: exceptions}
	table := settings.Keys()
	for _, name := range slices.Sorted(maps.Keys(v)) {
		f.find(name, name, v[name], key(table, name))
	}
	for _, unneeded := range exceptions.Beginning(settings.PlainText).Others("no value there looks like a secret in plain text", f.used...) {
		unneeded.Path = settings.Namespace + ":" + unneeded.Path
		f.found = append(f.found, unneeded)
	}
	return f.found.Err()
}

func key(table keys.Table, name string) *keys.Key {
	if i := slices.Index(table.Names(), name); i >= 0 {
		return table[i]
	}
	return &keys.Key{}
}

type plainFinder struct {
	stack   string
	allowed allow.List
	used    []string
	found   problems.List
}

// find looks at a value and at all below it. In a map that isn't an object of the program's own, names are the reader's.
func (f *plainFinder) find(path, name string, value any, of *keys.Key) {
	switch value := value.(type) {
	case map[string]any:
		if of.Type == "map of strings" && strings.TrimPrefix(name, settings.Namespace+":") == "allow" { // names and reasons
			return
		}
		if _, secure := value["secure"]; secure && len(value) == 1 {
			return
		}
		for _, field := range slices.Sorted(maps.Keys(value)) {
			if reference, isMap := value[field].(map[string]any); of.From && isMap && len(reference) == 1 && reference["from"] != nil {
				continue // AWS keeps it
			}
			below := key(of.Keys, field)
			if of.IsMap() {
				below = &keys.Key{Keys: of.Keys}
			}
			below = &keys.Key{Type: below.Type, Keys: below.Keys, From: below.From, Confidential: below.Confidential || of.Confidential}
			f.find(path+segment(field), field, value[field], below)
		}
	case []any:
		for i, item := range value {
			f.find(fmt.Sprintf("%s[%d]", path, i), name, item, &keys.Key{Keys: of.Keys, Confidential: of.Confidential})
		}
	case string:
		f.judge(path, value, of.Confidential || isSecretName(name) && !harmless.MatchString(value))
	case nil, bool:
	default: // a number
		f.judge(path, fmt.Sprint(value), of.Confidential)
	}
}

func (f *plainFinder) judge(path, value string, confidential bool) {
	name := settings.PlainText + path
	switch {
	case value == "", !confidential && !secretValue.MatchString(value):
	case f.allowed.Has(name):
		f.used = append(f.used, name)
	default:
		f.found = append(f.found, problems.Problem{Path: path, Value: "in plain text", Want: fmt.Sprintf(
			"it encrypted: pulumi config set --stack %s --path --secret '%s'. Who has seen it knows it: replace it. If it is no secret, add to %s:allow: { '%s': the reason }",
			f.stack, path, settings.Namespace, name)})
	}
}

// segment is a name as part of a path.
func segment(name string) string {
	if plainName.MatchString(name) {
		return "." + name
	}
	return "[" + strconv.Quote(name) + "]"
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_$-]+$`)

// secretValue is what is a secret whatever it is called: a password in a URL or a connection string, a private key, and the
// credentials that tell by their first letters whose they are. A placeholder of a template is none.
var secretValue = regexp.MustCompile(`://[^/?#\s:@]*:[^/?#\s@{$][^/?#\s@]*@` +
	`|(?i:\b(password|pwd)=)[^\s;{$]` +
	`|-----BEGIN [A-Z ]*PRIVATE KEY` +
	`|\b(AKIA|ASIA)[A-Z0-9]{16}\b` +
	`|\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|[sr]k_live_|whsec_|AIza|npm_|dckr_pat_|SG\.)[A-Za-z0-9_.-]{10}` +
	`|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`)

// harmless is what stands for a secret, or says where one is: a placeholder, a file, the name of a secret in AWS.
var harmless = regexp.MustCompile(`^(|true|false|[{$].*|[/.].*|arn:.*)$`)

var innerCapital = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// isSecretName tells by the last word, or the last two, without a number: PGPASSWORD, DB_PASSWORD_2, stripeApiKey; not
// PASSWORD_FILE, TOKEN_SECONDS.
func isSecretName(name string) bool {
	words := strings.ToLower(innerCapital.ReplaceAllString(strings.TrimRight(name, "0123456789"), "${1}_$2"))
	all := strings.FieldsFunc(words, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(all) == 0 {
		return false
	}
	last := all[len(all)-1]
	if last == "pass" || secretWord.MatchString(last) {
		return true
	}
	return last == "key" && len(all) > 1 &&
		slices.Contains([]string{"api", "secret", "private", "access", "signing", "encryption", "master", "auth", "jwt", "account"}, all[len(all)-2])
}

var secretWord = regexp.MustCompile(`(password|passwd|passphrase|pwd|secret|token|credentials?|(api|secret|private|access)key)$`)
