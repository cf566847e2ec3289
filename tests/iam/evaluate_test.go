package iam

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// texts is a member of a policy: one string or a list of them.
type texts []string

func (list *texts) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte{'['}) {
		return json.Unmarshal(data, (*[]string)(list))
	}
	var one string
	err := json.Unmarshal(data, &one)
	*list = texts{one}
	return err
}

// statement has everything that a statement of docs/iam may have: anything else fails the test that reads it.
type statement struct {
	Sid, Effect      string
	Principal        any
	Action, Resource texts
	Condition        map[string]map[string]texts
}

// keys are the condition keys of a request, in lowercase: IAM doesn't tell a key's cases apart.
type keys map[string][]string

// request is what AWS asks a policy about: one action on one resource.
type request struct {
	action, resource string
	keys             keys
}

// allows is IAM's decision: some statement allows the request, and none denies it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func allows(t testing.TB, policy []statement, asked request) bool {
	t.Helper()
	allowed := false
	asked.action = strings.ToLower(asked.action)
	for _, each := range policy {
		if !each.applies(t, asked) {
			continue
		}
		if each.Effect == "Deny" {
			return false
		}
		require.Equal(t, "Allow", each.Effect, each.Sid)
		allowed = true
	}
	return allowed
}

func (s statement) applies(t testing.TB, asked request) bool {
	t.Helper()
	isAction := func(pattern string) bool { return matches(pattern, asked.action) }
	isResource := func(pattern string) bool { return matches(pattern, asked.resource) }
	if !slices.ContainsFunc(s.Action, isAction) || s.Resource != nil && !slices.ContainsFunc(s.Resource, isResource) {
		return false
	}
	for operator, wanted := range s.Condition {
		for key, values := range wanted {
			if !holds(t, operator, values, asked.keys[strings.ToLower(key)]) {
				return false
			}
		}
	}
	return true
}

// holds compares a condition's values with those that the request has for its key.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func holds(t testing.TB, operator string, wanted texts, given []string) bool {
	t.Helper()
	set, name, isSet := strings.Cut(operator, ":")
	if !isSet {
		set, name = "", operator
	}
	name, ifExists := strings.CutSuffix(name, "IfExists")
	if len(given) == 0 {
		return ifExists || set == "ForAllValues"
	}
	compare := func(value string) bool {
		isLike := func(pattern string) bool { return matches(pattern, value) }
		switch name {
		case "StringEquals", "Bool":
			return slices.Contains(wanted, value)
		case "StringNotEquals":
			return !slices.Contains(wanted, value)
		case "StringLike", "ArnEquals", "ArnLike":
			return slices.ContainsFunc(wanted, isLike)
		}
		require.Fail(t, "the test doesn't know the operator "+operator)
		return false
	}
	switch set {
	case "":
		require.Len(t, given, 1, "a key with several values wants ForAllValues or ForAnyValue")
		return compare(given[0])
	case "ForAnyValue":
		return slices.ContainsFunc(given, compare)
	}
	require.Equal(t, "ForAllValues", set)
	return !slices.ContainsFunc(given, func(value string) bool { return !compare(value) })
}

// matches is IAM's own comparison, where a star is any text.
func matches(pattern, text string) bool {
	first, rest, hasStar := strings.Cut(pattern, "*")
	if !hasStar {
		return pattern == text
	}
	text, found := strings.CutPrefix(text, first)
	for found && strings.Contains(rest, "*") {
		var part string
		part, rest, _ = strings.Cut(rest, "*")
		_, text, found = strings.Cut(text, part)
	}
	return found && strings.HasSuffix(text, rest)
}

func file(name string) string { return filepath.Join(project.Root(), "docs", "iam", name) }

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(file(name))
	require.NoError(t, err)
	return string(text)
}

func parse(t testing.TB, document string) []statement {
	t.Helper()
	var policy struct {
		Version   string
		Statement []statement
	}
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&policy), document)
	require.Equal(t, "2012-10-17", policy.Version)
	for _, each := range policy.Statement {
		for i, action := range each.Action {
			each.Action[i] = strings.ToLower(action) // IAM doesn't tell cases apart
		}
	}
	return policy.Statement
}

// The evaluator itself, by the examples of the pages above.
func TestDecisionIsIAMs(t *testing.T) {
	for condition, rows := range map[string][]struct {
		given []string
		want  bool
	}{
		`"StringEquals": {"aws:ResourceTag/Stack": "dev"}`:                      {{nil, false}, {[]string{"dev"}, true}, {[]string{"prod"}, false}, {[]string{"Dev"}, false}},
		`"StringEqualsIfExists": {"AWS:resourcetag/stack": ["dev", "a"]}`:       {{nil, true}, {[]string{"a"}, true}, {[]string{"prod"}, false}},
		`"StringLike": {"aws:ResourceTag/Stack": "d*v*"}`:                       {{nil, false}, {[]string{"dev"}, true}, {[]string{"d"}, false}},
		`"Bool": {"aws:ResourceTag/Stack": "false"}`:                            {{nil, false}, {[]string{"false"}, true}, {[]string{"true"}, false}},
		`"ForAnyValue:StringEquals": {"aws:ResourceTag/Stack": ["a", "b"]}`:     {{nil, false}, {[]string{"a", "c"}, true}, {[]string{"c"}, false}},
		`"ForAllValues:StringLike": {"aws:ResourceTag/Stack": ["a*", "b"]}`:     {{nil, true}, {[]string{"ab", "b"}, true}, {[]string{"a", "c"}, false}},
		`"ForAllValues:StringNotEquals": {"aws:ResourceTag/Stack": ["a", "b"]}`: {{nil, true}, {[]string{"c"}, true}, {[]string{"a", "c"}, false}},
	} {
		for _, row := range rows {
			for effect, want := range map[string]bool{"Allow": row.want, "Deny": false} {
				policy := parse(t, `{"Version": "2012-10-17", "Statement": [
					{"Effect": "`+effect+`", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::a/*", "Condition": {`+condition+`}}]}`)
				asked := request{"s3:getObject", "arn:aws:s3:::a/b/c", keys{"aws:resourcetag/stack": row.given}}
				assert.Equal(t, want, allows(t, policy, asked), "%s %s with %v", effect, condition, row.given)
				assert.False(t, allows(t, policy, request{"s3:PutObject", asked.resource, asked.keys}))
				assert.False(t, allows(t, policy, request{asked.action, "arn:aws:s3:::b/c", asked.keys}))
			}
		}
	}
	denied := parse(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "*"}]}`)
	assert.False(t, allows(t, denied, request{action: "s3:GetObject", resource: "*"}))
}
