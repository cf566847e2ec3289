package pods

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// EnvKeys are those of the environment. The second one's values go into a Secret.
func EnvKeys(env, secretEnv *map[string]pulumi.StringInput, examples [2]string, docs [2]string) keys.Table {
	return keys.Table{
		keys.Environment("env", env, false).Plain(nodeIP, nodeAddress).Names(EnvNames).Apart("secretEnv", *secretEnv).Example(examples[0]).
			Doc(docs[0] + " " + nodeIP + " is the address of the pod's node, where an agent may listen: http://" + nodeIP + ":4318."),
		keys.Environment("secretEnv", secretEnv, true).Names(EnvNames).Example(examples[1]).Doc(docs[1]),
	}
}

const (
	// nodeIP stands in a value for the address of the pod's node, which Kubernetes alone knows.
	nodeIP = "{nodeIP}"
	// nodeIPName is the variable that it is taken from.
	nodeIPName = "THREETIER_NODE_IP"
)

// nodeAddress has no room for a secret: such a value stays out of the Secret, where Kubernetes fills in nothing.
var nodeAddress = constraint.Text{
	Pattern: `^([a-z][a-z0-9+.-]*://)?\[?\{nodeIP\}\]?(:[0-9]{1,5})?(/v1/(traces|metrics|logs))?$`,
	Want:    nodeIP + " or an address with it, like http://" + nodeIP + ":4318",
}

// withNodeIP fills in the node's address.
func withNodeIP(env corev1.EnvVarArray, plain map[string]pulumi.StringInput) corev1.EnvVarArray {
	var node corev1.EnvVarArray
	for i, variable := range env {
		of := variable.(corev1.EnvVarArgs)
		text, _ := plain[string(of.Name.(pulumi.String))].(pulumi.String)
		if !strings.Contains(string(text), nodeIP) {
			continue
		}
		of.Value = of.Value.ToStringPtrOutput().ApplyT(func(value *string) string {
			return strings.ReplaceAll(*value, nodeIP, "$("+nodeIPName+")")
		}).(pulumi.StringOutput)
		env[i] = of
		node = corev1.EnvVarArray{corev1.EnvVarArgs{Name: pulumi.String(nodeIPName), ValueFrom: corev1.EnvVarSourceArgs{
			FieldRef: corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String("status.hostIP")},
		}}}
	}
	return append(node, env...)
}

// Env are the pods' variables. What may be secret, or is given as such, goes into a Secret of their own.
func (t Set) Env(ctx *pulumi.Context, parent pulumi.Resource, env, secretEnv map[string]pulumi.StringInput) (corev1.EnvVarArray, error) {
	plain := map[string]pulumi.StringInput{}
	secret, err := read(ctx, parent, secretEnv)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		secret = map[string]pulumi.StringInput{}
	}
	for name, value := range env {
		if _, known := value.(pulumi.String); known {
			plain[name] = value
		} else {
			secret[name] = value
		}
	}
	variables := withNodeIP(PlainEnv(plain), plain)
	if len(secret) == 0 {
		return variables, nil
	}
	name, err := NewSecret(ctx, parent, t.Name+"-env", t.Metadata(), secret)
	if err != nil {
		return nil, fmt.Errorf("create environment secret: %w", err)
	}
	return append(variables, SecretEnv(name, slices.Collect(maps.Keys(secret)))...), nil
}

// NewSecret is auto-named and immutable: new values make a new Secret, whose name rolls the pods that use it.
// It gives data, not stringData: the provider turns that into data where it knows the values, so an up would differ
// from a preview that doesn't know them yet.
func NewSecret(ctx *pulumi.Context, parent pulumi.Resource, name string, metadata metav1.ObjectMetaArgs, values map[string]pulumi.StringInput, opts ...pulumi.ResourceOption) (pulumi.StringInput, error) {
	data := pulumi.StringMap{}
	for key, value := range values {
		data[key] = pulumi.ToSecret(value).(pulumi.StringOutput).ApplyT(func(value string) string {
			return base64.StdEncoding.EncodeToString([]byte(value))
		}).(pulumi.StringOutput)
	}
	secret, err := corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:  metadata,
		Immutable: pulumi.Bool(true),
		Data:      data,
	}, append(opts, pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	return secret.Metadata.Name().Elem(), nil
}

// PlainEnv and SecretEnv are in the order of the names: maps have none, and a new order would roll the pods.
func PlainEnv(values map[string]pulumi.StringInput) corev1.EnvVarArray {
	var env corev1.EnvVarArray
	for _, name := range slices.Sorted(maps.Keys(values)) {
		variable := corev1.EnvVarArgs{Name: pulumi.String(name)}
		// Kubernetes leaves out an empty value, so an up from a saved plan would differ from its preview.
		if values[name] != pulumi.String("") {
			variable.Value = values[name].ToStringOutput().ApplyT(literally).(pulumi.StringOutput)
		}
		env = append(env, variable)
	}
	return env
}

// literally is a value that arrives as it is written. Kubernetes takes $(NAME) for another variable and $$ for $, but not in a Secret.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func literally(value string) string {
	if !strings.Contains(value, "$(") && !strings.Contains(value, "$$") {
		return value
	}
	return strings.ReplaceAll(value, "$", "$$")
}

// SecretEnv are variables of a Secret, by their names in it.
func SecretEnv(secret pulumi.StringInput, names []string) corev1.EnvVarArray {
	var env corev1.EnvVarArray
	for _, name := range slices.Sorted(slices.Values(names)) {
		env = append(env, corev1.EnvVarArgs{
			Name: pulumi.String(name),
			ValueFrom: corev1.EnvVarSourceArgs{
				SecretKeyRef: corev1.SecretKeySelectorArgs{Name: secret, Key: pulumi.String(name)},
			},
		})
	}
	return env
}

// WithoutNames are the variables that the other ones don't replace: Kubernetes takes each name once.
func WithoutNames(env, others corev1.EnvVarArray) corev1.EnvVarArray {
	replaced := map[pulumi.StringInput]bool{}
	for _, variable := range others {
		replaced[variable.(corev1.EnvVarArgs).Name] = true
	}
	return slices.DeleteFunc(slices.Clone(env), func(variable corev1.EnvVarInput) bool {
		return replaced[variable.(corev1.EnvVarArgs).Name]
	})
}

// Joined are the variables of both, of which the second replace the first. The node's address stays in front: Kubernetes
// fills in what stands before.
func Joined(env, own corev1.EnvVarArray) corev1.EnvVarArray {
	isNodeIP := func(variable corev1.EnvVarInput) bool {
		return variable.(corev1.EnvVarArgs).Name == pulumi.String(nodeIPName)
	}
	if slices.ContainsFunc(env, isNodeIP) {
		own = slices.DeleteFunc(slices.Clone(own), isNodeIP)
	}
	return append(WithoutNames(env, own), own...)
}

// Strings are the values as inputs; none are nil, which leaves the field out.
func Strings(values []string) pulumi.StringArray {
	var array pulumi.StringArray
	for _, value := range values {
		array = append(array, pulumi.String(value))
	}
	return array
}
