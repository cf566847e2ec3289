package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
	"threetier/internal/problems"
)

// ConfigNames are all keys of the stack config, which the Context can't list. The engine hands them to a program in a
// variable; a run without an engine has a value of the same name in the Context.
func ConfigNames(ctx *pulumi.Context) []string {
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

// Unknown are the top-level keys in the namespace of the program that it doesn't know. Other namespaces
// are other programs' affair, except one that is nearly the program's own, and the project's with one of the program's
// keys: Pulumi puts a key without a namespace there.
func Unknown(ours string, table keys.Table, project string, given []string) problems.List {
	known := table.Names()
	var ps problems.List
	for _, name := range given {
		namespace, path, _ := strings.Cut(name, ":")
		key, rest, nested := strings.Cut(path, ".")
		own := ours + ":" + key
		isOwn := slices.Contains(known, own)
		problem := problems.Problem{Path: name, Value: "unknown"}
		switch instead := table.Gone(name); {
		case instead != "":
			problem.Value, problem.Want = "gone", instead
		case slices.Contains(known, name):
			continue
		case namespace == ours && isOwn && nested:
			problem.Want = fmt.Sprintf("%s: %s: in a key's name, a dot is no level", own, flow(rest))
		case namespace == ours:
			problem.Want = "one of " + strings.Join(known, ", ") + keys.Hint(own, known)
		case namespace == project && !slices.ContainsFunc(known, func(known string) bool { return strings.EqualFold(known, own) }):
			continue
		case namespace == project, keys.Near(namespace, ours):
			problem.Want = fmt.Sprintf("a key that begins with %s:, whatever the project is called%s", ours, keys.Hint(own, known))
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

// otherCredentials are the aws provider's keys that make it act as somebody else than the AWS CLI in the same place. The
// kubeconfig of an EKS cluster gets its token from that. https://github.com/pulumi/pulumi-eks/issues/669
var otherCredentials = strings.Fields(`
	accessKey assumeRole assumeRoles assumeRoleWithWebIdentity profile secretKey sharedConfigFile sharedConfigFiles
	sharedCredentialsFile sharedCredentialsFiles token
`)

// credentials refuses them where an EKS cluster is looked up.
func credentials(ctx *pulumi.Context, eks string) problems.List {
	var ps problems.List
	for _, name := range otherCredentials {
		if _, given := ctx.GetConfig("aws:" + name); given && eks != "" {
			ps = append(ps, problems.Problem{Path: "aws:" + name, Value: "given",
				Want: "none: the AWS CLI, which gets the cluster's token, doesn't read it. Set AWS_PROFILE instead, to a profile that may have a role_arn"})
		}
	}
	return ps
}
