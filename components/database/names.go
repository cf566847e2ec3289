package database

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
	"threetier/internal/tags"
)

func (b *builder) tags() pulumi.StringMap { return tags.Of(b.ctx) }

func (b *builder) tagsWith(key, value string) pulumi.StringMap {
	all := b.tags()
	all[key] = pulumi.String(value)
	return all
}

var notInIdentifiers = regexp.MustCompile(`[^a-z0-9]+`)

// longestIdentifier leaves room for the suffix of a replica in the 63 characters of RDS.
const longestIdentifier = 52

// IdentifierProblems are those of names that are chosen outside of the args. A stack can't be renamed once it has a database, so they
// come before its first resource.
func IdentifierProblems(project, stack, name string) problems.List {
	identifier := Identifier(project, stack, name)
	switch tooLong := len(identifier) - longestIdentifier; {
	case tooLong > 0:
		return problems.List{{Path: "stack", Value: strconv.Quote(stack), Want: fmt.Sprintf(
			"a name that is %d characters shorter: the database's name in RDS is %s, and may have %d", tooLong, identifier, longestIdentifier)}}
	case identifier == "" || identifier[0] < 'a':
		return problems.List{{Path: "project", Value: strconv.Quote(project), Want: "a name that begins with a letter, as the database's name in RDS does"}}
	}
	return nil
}

// identifier is explicit, since log groups and alarms carry it in their names before the instance exists.
func (b *builder) identifier() string { return Identifier(b.ctx.Project(), b.ctx.Stack(), b.name) }

// Identifier is that of a stack's instance in RDS, by the database's logical name.
func Identifier(project, stack, name string) string {
	full := strings.ToLower(project + "-" + stack + "-" + name)
	return strings.Trim(notInIdentifiers.ReplaceAllString(full, "-"), "-")
}

// replicaSuffix tells a replica's names from the primary's, which is number 0.
func replicaSuffix(number int) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf("-replica-%d", number)
}

// partition is the first part of ARNs: China and the US government have clouds of their own.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
