package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// configNames are all keys of the stack config, which the Context can't list. The engine hands them to a program in a
// variable; a run without an engine has a value of the same name in the Context.
func configNames(ctx *pulumi.Context) []string {
	text, given := ctx.Value(pulumi.EnvConfig).(string)
	if !given {
		text = os.Getenv(pulumi.EnvConfig)
	}
	var config map[string]string
	if json.Unmarshal([]byte(text), &config) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(config))
}

// unknown are the top-level keys that are meant for the program, and that it doesn't know. Other namespaces are other
// programs' affair, but for one that is nearly the program's own, and the project's with one of the program's keys: Pulumi
// puts a key without a namespace there.
func unknown(project string, given []string) problems.List {
	known := keyNames(Keys())
	var ps problems.List
	for _, name := range given {
		namespace, path, _ := strings.Cut(name, ":")
		key, rest, nested := strings.Cut(path, ".")
		own := Namespace + ":" + key
		isOwn := slices.Contains(known, own)
		problem := problems.Problem{Path: name, Value: "unknown"}
		switch {
		case slices.Contains(known, name):
			continue
		case namespace == Namespace && isOwn && nested:
			problem.Want = fmt.Sprintf("%s: %s: in a key's name, a dot is no level", own, flow(rest))
		case namespace == Namespace:
			problem.Want = "one of " + strings.Join(known, ", ") + hint(own, known)
		case namespace == project && !slices.ContainsFunc(known, func(known string) bool { return strings.EqualFold(known, own) }):
			continue
		case namespace == project, near(namespace, Namespace):
			problem.Want = fmt.Sprintf("a key that begins with %s:, whatever the project is called%s", Namespace, hint(own, known))
		default:
			continue
		}
		ps = append(ps, problem)
	}
	return ps
}

// flow is a path as nested objects, in YAML.
func flow(path string) string {
	if key, rest, nested := strings.Cut(path, "."); nested {
		return "{ " + key + ": " + flow(rest) + " }"
	}
	return "{ " + path + ": … }"
}

// hint names the known key that is nearest to one that isn't known; it is empty where none is near.
func hint(name string, known []string) string {
	const least = 3 // letters of a key's beginning that stand for it
	nearest, fewest := "", 0
	for _, candidate := range known {
		shorter := min(len(plain(name)), len(plain(candidate)))
		begins := shorter >= least && plain(name)[:shorter] == plain(candidate)[:shorter]
		if edits := distance(name, candidate); (begins || near(name, candidate)) && (nearest == "" || edits < fewest) {
			nearest, fewest = candidate, edits
		}
	}
	if nearest == "" {
		return ""
	}
	return ": did you mean " + nearest + "?"
}

// near tells whether one name may be a slip of the pen for the other: of three letters, one may be wrong.
func near(a, b string) bool { return distance(a, b) <= max(len(plain(a)), len(plain(b)))/3 }

func distance(a, b string) int { return levenshtein.Distance(plain(a), plain(b), nil) }

// plain is a name without its namespace, and without what is a matter of spelling.
func plain(name string) string {
	name = name[strings.LastIndex(name, ":")+1:]
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

// otherCredentials are the aws provider's keys that make it act as somebody else than the AWS CLI in the same place. The
// kubeconfig of an EKS cluster gets its token from that. https://github.com/pulumi/pulumi-eks/issues/669
var otherCredentials = regexp.MustCompile(`^aws:(profile|assumeRoles?|assumeRoleWithWebIdentity|accessKey|secretKey|token|shared(Config|Credentials)Files?)$`)

// credentials refuses them where an EKS cluster is looked up.
func credentials(given []string, eks string) problems.List {
	var ps problems.List
	for _, name := range given {
		if eks != "" && otherCredentials.MatchString(name) {
			ps = append(ps, problems.Problem{Path: name, Value: "given",
				Want: "none: the AWS CLI, which gets the cluster's token, doesn't read it. Set AWS_PROFILE instead, to a profile that may have a role_arn"})
		}
	}
	return ps
}
