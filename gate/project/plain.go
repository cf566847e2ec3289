package project

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/settings"
)

// plainTextKey is the stack config's key for values that look like secrets and are none: a list of paths. The program has no
// use for it.
const plainTextKey = "plan:plainText"

// checkSecrets refuses secrets in plain text. A program can't see which values of its config were encrypted; who reads the file
// can.
func (v Values) checkSecrets(stack string) error {
	allowed, err := v.texts(plainTextKey)
	if err != nil {
		return err
	}
	f := plainFinder{stack: stack, allowed: allowed, used: map[string]bool{}}
	table := settings.Keys()
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if name != plainTextKey {
			f.find(name, name, v[name], key(table, name))
		}
	}
	for _, path := range allowed {
		if !f.used[path] {
			f.found = append(f.found, problems.Problem{Path: plainTextKey, Value: path, Want: "paths of values that look like secrets: take it out"})
		}
	}
	return f.found.Err()
}

func (v Values) texts(key string) ([]string, error) {
	if v[key] == nil {
		return nil, nil
	}
	items, isList := v[key].([]any)
	var texts []string
	for _, item := range items {
		texts = append(texts, fmt.Sprint(item))
	}
	if !isList {
		return nil, fmt.Errorf("%s is %v, want a list of paths", key, v[key])
	}
	return texts, nil
}

func key(table keys.Table, name string) *keys.Key {
	if i := slices.Index(table.Names(), name); i >= 0 {
		return table[i]
	}
	return &keys.Key{}
}

type plainFinder struct {
	stack   string
	allowed []string
	used    map[string]bool
	found   problems.List
}

// find looks at a value and at all below it. In a map that isn't an object of the program's own, names are the reader's.
func (f *plainFinder) find(path, name string, value any, of *keys.Key) {
	switch value := value.(type) {
	case map[string]any:
		if _, secure := value["secure"]; secure && len(value) == 1 {
			return
		}
		for _, field := range slices.Sorted(maps.Keys(value)) {
			below := key(of.Keys, field)
			if of.IsMap() {
				below = &keys.Key{Keys: of.Keys}
			}
			below = &keys.Key{Type: below.Type, Keys: below.Keys, Confidential: below.Confidential || of.Confidential}
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
	switch {
	case value == "", !confidential && !secretValue.MatchString(value):
	case slices.Contains(f.allowed, path):
		f.used[path] = true
	default:
		f.found = append(f.found, problems.Problem{Path: path, Value: "in plain text", Want: fmt.Sprintf(
			"it encrypted: pulumi config set --stack %s --path --secret '%s'. Who has seen it knows it: replace it. If it is no secret: %s: ['%s']",
			f.stack, path, plainTextKey, path)})
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

// isSecretName tells by the last word, or the last two: DB_PASSWORD, stripeApiKey; not PASSWORD_FILE, TOKEN_SECONDS.
func isSecretName(name string) bool {
	all := strings.FieldsFunc(strings.ToLower(innerCapital.ReplaceAllString(name, "${1}_$2")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if len(all) == 0 {
		return false
	}
	last := strings.TrimRight(all[len(all)-1], "0123456789")
	if slices.Contains([]string{"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials", "apikey", "secretkey", "privatekey", "accesskey"}, last) {
		return true
	}
	return last == "key" && len(all) > 1 &&
		slices.Contains([]string{"api", "secret", "private", "access", "signing", "encryption", "master", "auth", "jwt", "account"}, all[len(all)-2])
}
