package iam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/plan"
	"threetier/gate/project"
)

// object is what the files for a cluster have.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Rules []struct {
		APIGroups        []string `yaml:"apiGroups"`
		Resources, Verbs []string
		ResourceNames    []string `yaml:"resourceNames"`
	}
	RoleRef  struct{ Kind, Name string } `yaml:"roleRef"`
	Subjects []struct{ Kind, Name string }
	Spec     struct {
		FailurePolicy    string `yaml:"failurePolicy"`
		MatchConstraints struct {
			ResourceRules []struct {
				APIGroups             []string `yaml:"apiGroups"`
				APIVersions           []string `yaml:"apiVersions"`
				Operations, Resources []string
			} `yaml:"resourceRules"`
		} `yaml:"matchConstraints"`
		MatchConditions   []struct{ Expression string } `yaml:"matchConditions"`
		Validations       []struct{ Expression string }
		PolicyName        string   `yaml:"policyName"`
		ValidationActions []string `yaml:"validationActions"`
	}
}

func objects(t testing.TB, text string) (all []object) {
	t.Helper()
	for document := range strings.SplitSeq(text, "\n---\n") {
		var one object
		require.NoError(t, encoding.YAML.Unmarshal([]byte(document), &one))
		all = append(all, one)
	}
	return all
}

// may is RBAC's decision: https://kubernetes.io/docs/reference/access-authn-authz/rbac/. The namespace of a Namespace is
// itself, but where it is created or listed. A rule for named objects alone is none for all.
func may(all []object, group, namespace, verb, apiGroup, resource string) bool {
	return slices.ContainsFunc(all, func(binding object) bool {
		isBound := binding.Kind == "ClusterRoleBinding" || binding.Kind == "RoleBinding" && binding.Metadata.Namespace == namespace
		hasGroup := slices.ContainsFunc(binding.Subjects, func(s struct{ Kind, Name string }) bool { return s.Kind == "Group" && s.Name == group })
		return isBound && hasGroup && slices.ContainsFunc(all, func(role object) bool {
			if role.Kind != binding.RoleRef.Kind || role.Metadata.Name != binding.RoleRef.Name {
				return false
			}
			for _, rule := range role.Rules {
				if rule.ResourceNames == nil && slices.Contains(rule.Verbs, verb) && slices.Contains(rule.APIGroups, apiGroup) && slices.Contains(rule.Resources, resource) {
					return true
				}
			}
			return false
		})
	})
}

// inCluster are the objects that the platforms of dev and prod register, as in one cluster, and the groups of their roles.
func inCluster(t testing.TB) (all []object, groups map[string]string) {
	t.Helper()
	groups = map[string]string{}
	for _, run := range platforms(t) {
		for _, res := range run.Resources {
			if !strings.HasPrefix(res.Type, "kubernetes:") {
				continue
			}
			text, err := json.Marshal(res.Plain())
			require.NoError(t, err)
			assert.NotContains(t, string(text), "STACK")
			all = append(all, objects(t, string(text))...)
		}
		for _, entry := range run.All("aws:eks/accessEntry:AccessEntry") {
			_, role, _ := strings.Cut(entry.Input(t, "principalArn").(string), ":role/threetier-")
			groups[role] = strings.Trim(fmt.Sprint(entry.Input(t, "kubernetesGroups")), "[]")
		}
	}
	return all, groups
}

const (
	toChange = "create delete get list patch update watch"
	toRead   = "get list watch"
)

// kinds are the plurals of what the stacks register, by API group.
func kinds(t testing.TB) map[[2]string]bool {
	t.Helper()
	return kindsOf(recordings(t)...)
}

func kindsOf(stacks ...*recording) map[[2]string]bool {
	all := map[[2]string]bool{}
	for _, stack := range stacks {
		for _, res := range stack.resources {
			path, found := strings.CutPrefix(res.Type, "kubernetes:")
			if !found {
				continue
			}
			group, kind, _ := strings.Cut(path, ":")
			group, _, _ = strings.Cut(group, "/")
			if group == "core" {
				group = ""
			}
			kind = strings.TrimSuffix(kind, "Patch") // of an object of that kind
			plural := strings.ToLower(kind) + "s"
			if strings.HasSuffix(kind, "Policy") {
				plural = strings.ToLower(strings.TrimSuffix(kind, "y")) + "ies"
			}
			all[[2]string{group, plural}] = true
		}
	}
	return all
}

// Server-side apply patches the namespace that is there; the provider waits by list and watch.
func TestRolesOfAStackWriteInItsNamespaceAlone(t *testing.T) {
	all, groups := inCluster(t)
	assert.Equal(t, map[string]string{"preview-dev": "threetier:dev", "deploy-dev": "threetier:dev", "preview-prod": "threetier:prod",
		"deploy-prod": "threetier:prod", "drill-prod": "threetier:prod-drill", "previews-dev": "threetier:dev-previews", "reader-dev": "", "reader-prod": "",
		"on-call-dev": "threetier:dev threetier:dev-on-call", "on-call-prod": "threetier:prod threetier:prod-on-call"}, groups)
	wanted := map[string]bool{}
	for of := range kinds(t) {
		for verb := range strings.FieldsSeq(toChange) {
			wanted[fmt.Sprint(verb, of)] = of != [2]string{"", "namespaces"} || slices.Contains([]string{"delete", "get", "patch", "update"}, verb)
		}
	}
	// What a rollout is judged by, in one rule of several groups.
	judged := []string{"endpoints", "endpointslices", "events", "persistentvolumeclaims", "pods", "pods/log", "replicasets"}
	for _, resource := range []string{"endpoints", "events", "persistentvolumeclaims", "pods", "pods/log"} {
		for verb := range strings.FieldsSeq(toRead) {
			wanted[fmt.Sprint(verb, [2]string{"", resource})] = true
		}
	}
	for verb := range strings.FieldsSeq(toRead) {
		wanted[fmt.Sprint(verb, [2]string{"apps", "replicasets"})], wanted[fmt.Sprint(verb, [2]string{"discovery.k8s.io", "endpointslices"})] = true, true
	}
	tried, name := 0, projectName(t)
	for _, group := range []string{"threetier:dev", "threetier:prod"} {
		own := name + "-" + strings.TrimPrefix(group, "threetier:")
		for _, apiGroup := range []string{"", "apps", "autoscaling", "batch", "networking.k8s.io", "policy", "discovery.k8s.io", "rbac.authorization.k8s.io", "apiregistration.k8s.io"} {
			for _, resource := range []string{"configmaps", "namespaces", "secrets", "serviceaccounts", "services", "deployments", "horizontalpodautoscalers",
				"cronjobs", "jobs", "networkpolicies", "poddisruptionbudgets", "endpoints", "endpointslices", "events", "persistentvolumeclaims", "pods",
				"pods/log", "pods/exec", "pods/ephemeralcontainers", "replicasets", "nodes", "roles", "rolebindings", "clusterroles", "clusterrolebindings",
				"serviceaccounts/token", "apiservices", "namespaces/finalize"} {
				for verb := range strings.FieldsSeq(toChange + " bind escalate impersonate deletecollection") {
					of := [2]string{apiGroup, resource}
					isLookup := of == [2]string{"", "namespaces"} && strings.Contains(toRead, verb) || of == [2]string{"apiregistration.k8s.io", "apiservices"} && verb == "get"
					// That rule names resources beside groups that haven't got them.
					if exists := wanted[fmt.Sprint(verb, of)] || !slices.Contains(judged, resource) || !strings.Contains(toRead, verb); exists {
						tried++
						assert.Equal(t, wanted[fmt.Sprint(verb, of)] || isLookup, may(all, group, own, verb, apiGroup, resource), "%s in %s: %s %v", group, own, verb, of)
					}
					for _, other := range []string{"", "kube-system", name + "-dev", name + "-prod", name + "-prod-drill"} {
						if other != own {
							assert.Equal(t, isLookup, may(all, group, other, verb, apiGroup, resource), "%s in %q: %s %v", group, other, verb, of)
						}
					}
				}
			}
		}
	}
	assert.Greater(t, tried, 1000)
	for _, stack := range []string{"dev", "prod"} {
		for _, namespace := range []string{name + "-dev", name + "-prod", "kube-system", ""} {
			for verb := range strings.FieldsSeq(toChange) {
				own := namespace == name+"-"+stack && verb == "create"
				assert.Equal(t, own, may(all, "threetier:"+stack+"-on-call", namespace, verb, "", "pods/exec"), "%s in %q: %s pods/exec", stack, namespace, verb)
			}
		}
	}
	for of := range kinds(t) {
		assert.True(t, may(all, "threetier:dev", name+"-dev", "patch", of[0], of[1]), "%v: name its kind in docs/iam/cluster-role.yaml", of)
	}
}

func TestNamespaceIsTheStacksOwn(t *testing.T) {
	for _, stack := range recordings(t)[:2] {
		all := objects(t, stack.fill(read(t, "namespace.yaml")))
		assert.Equal(t, "Namespace", all[0].Kind)
		assert.Equal(t, map[string]string{"threetier/project": stack.project, "threetier/stack": stack.stack}, all[0].Metadata.Labels)
		registers := slices.ContainsFunc(stack.resources, func(r registered) bool {
			metadata, _ := r.inputs["metadata"].(map[string]any)
			return r.Type == "kubernetes:core/v1:Namespace" && metadata["name"] == all[0].Metadata.Name
		})
		assert.True(t, registers, "%s doesn't register the namespace %s", stack.stack, all[0].Metadata.Name)
	}
}

// admission is the admission policy of that name, whose one expression each of its own kind has. It has to ask about each
// kind that RBAC lets the group write. The test of the live system tries the expressions.
func admission(t testing.TB, all []object, name, group string) (asks string) {
	t.Helper()
	var policy, binding object
	for _, each := range all {
		switch {
		case each.Kind == "ValidatingAdmissionPolicy" && each.Metadata.Name == name:
			policy = each
		case each.Kind == "ValidatingAdmissionPolicyBinding" && each.Spec.PolicyName == name:
			binding = each
		}
	}
	assert.Equal(t, []string{"Deny"}, binding.Spec.ValidationActions)
	assert.Equal(t, "Fail", policy.Spec.FailurePolicy)
	require.Len(t, policy.Spec.MatchConditions, 1)
	require.Len(t, policy.Spec.Validations, 1)
	assert.Equal(t, "'"+group+"' in request.userInfo.groups", policy.Spec.MatchConditions[0].Expression)
	require.Len(t, policy.Spec.MatchConstraints.ResourceRules, 1)
	rule := policy.Spec.MatchConstraints.ResourceRules[0]
	assert.Equal(t, [][]string{{"*"}, {"*"}, {"*/*"}}, [][]string{rule.APIVersions, rule.Operations, rule.Resources})
	for _, role := range all {
		isBound := slices.ContainsFunc(all, func(binding object) bool {
			return binding.RoleRef.Name == role.Metadata.Name && slices.ContainsFunc(binding.Subjects, func(s struct{ Kind, Name string }) bool { return s.Name == group })
		})
		for _, written := range role.Rules {
			if isBound && slices.ContainsFunc(written.Verbs, func(verb string) bool { return verb != "bind" && !slices.Contains(strings.Fields(toRead), verb) }) {
				assert.Subset(t, rule.APIGroups, written.APIGroups, "the admission policy doesn't ask about %v", written.Resources)
			}
		}
	}
	return policy.Spec.Validations[0].Expression
}

// RBAC lets the drill write everywhere.
func TestDrillIsHeldToItsNamespaceWhateverItWrites(t *testing.T) {
	all, _ := inCluster(t)
	const group = "threetier:prod-drill"
	own := projectName(t) + "-prod-drill"
	assert.True(t, may(all, group, "", "create", "", "namespaces"))
	assert.Equal(t, "(request.resource.resource == 'namespaces' ? request.name : request.namespace) == '"+own+"'", admission(t, all, "threetier-drill", group))
	for of := range kinds(t) {
		assert.True(t, may(all, group, own, "patch", of[0], of[1]), of)
	}
}

// What a preview registers is in its namespace, where bin/preview binds the group. RBAC lets it into no other one, and the
// admission policy keeps the bindings that it makes in those of previews.
func TestPreviewsReachTheirOwnNamespacesAlone(t *testing.T) {
	all, _ := inCluster(t)
	name := projectName(t)
	const group = "threetier:dev-previews"
	assert.Equal(t, "(request.resource.resource == 'namespaces' ? request.name : request.namespace).matches('^"+name+"-pr-[0-9]+$')",
		admission(t, all, "threetier-previews", group))
	own := objects(t, strings.NewReplacer("STACK", "dev", "NUMBER", "7").Replace(read(t, "previews-namespace.yaml")))
	assert.Equal(t, map[string]string{"threetier/project": name, "threetier/stack": "pr-7"}, own[0].Metadata.Labels)
	bindable := []string{}
	for _, role := range all {
		for _, rule := range role.Rules {
			if slices.Contains(rule.Verbs, "bind") {
				bindable = append(bindable, rule.ResourceNames...)
			}
		}
	}
	for _, binding := range own[1:] {
		assert.Equal(t, own[0].Metadata.Name, binding.Metadata.Namespace)
		assert.Contains(t, bindable, binding.RoleRef.Name, "Kubernetes lets a role bind no other ones")
	}
	assert.Len(t, bindable, len(own)-1)
	bound := slices.Concat(all, own)
	options, err := plan.Input(project.Root(), "pr-1")
	require.NoError(t, err)
	registers := kindsOf(record(t, name, "pr-7", options))
	require.True(t, registers[[2]string{"", "resourcequotas"}])
	for of := range registers {
		for verb := range strings.FieldsSeq(toChange) {
			isNamespace := of == [2]string{"", "namespaces"}
			assert.True(t, may(bound, group, own[0].Metadata.Name, verb, of[0], of[1]), "%s %v", verb, of)
			elsewhere := isNamespace && (verb == "create" || strings.Contains(toRead, verb))
			for _, other := range []string{"", "kube-system", name + "-dev", name + "-prod", name + "-pr-70"} {
				assert.Equal(t, elsewhere, may(bound, group, other, verb, of[0], of[1]), "%s %v in %q", verb, of, other)
			}
		}
	}
	for resource, verb := range map[string]string{"pods/exec": "create", "pods": "delete"} {
		assert.True(t, may(bound, group, own[0].Metadata.Name, verb, "", resource), resource)
		assert.False(t, may(bound, group, name+"-dev", verb, "", resource), resource)
	}
}
