//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// Who is in the groups of docs/iam writes in the namespace of the stack, the drill in its own, and previews in theirs: RBAC and
// the admission policies decide, and nothing is kept.
func TestGroupsOfDocsIAMWriteInTheirNamespaceAlone(t *testing.T) {
	t.Parallel()
	const fill = "sed s/STACK/roles/g docs/iam/%s | .local/bin/local exec -- kubectl %s --filename -"
	for _, file := range []string{"cluster-role.yaml", "namespace.yaml", "drill.yaml", "previews.yaml"} {
		must(t, fill, file, "apply")
		t.Cleanup(func() { must(t, fill, file, "delete --ignore-not-found") })
	}
	as := func(group, args string) (string, error) {
		return shell(".local/bin/local exec -- kubectl --as somebody --as-group threetier:" + group + " " + args)
	}
	own, drills := namespace("roles"), namespace("roles-drill")
	eventually(t, time.Minute, "the admission policy in force", func() bool {
		said, err := as("roles-drill", "create configmap tried --dry-run=server --namespace default")
		return err != nil && strings.Contains(said, "writes in the namespace")
	})
	if said, err := as("roles-drill", "create namespace "+drills); err != nil {
		t.Fatal(said)
	}
	preview := namespace("pr-4711")
	must(t, "sed 's/STACK/roles/g; s/NUMBER/4711/g' docs/iam/previews-namespace.yaml | .local/bin/local exec -- kubectl --as somebody --as-group threetier:roles-previews apply --filename -")
	for _, row := range []struct {
		group, args string
		allowed     bool
	}{
		{"roles", "create configmap tried --dry-run=server --namespace " + own, true},
		{"roles", "get secrets --namespace " + own, true},
		{"roles", "label namespace " + own + " tried=yes", true},
		{"roles", "create configmap tried --dry-run=server --namespace default", false},
		{"roles", "get secrets --namespace kube-system", false},
		{"roles", "label namespace default tried=yes --dry-run=server", false},
		{"roles", "create namespace tried --dry-run=server", false},
		{"roles", "create rolebinding tried --clusterrole=cluster-admin --user=somebody --dry-run=server --namespace " + own, false},
		{"roles-drill", "create configmap tried --dry-run=server --namespace " + drills, true},
		{"roles-drill", "create configmap tried --dry-run=server --namespace " + own, false},
		{"roles-drill", "label namespace default tried=yes --dry-run=server", false},
		{"roles-drill", "create namespace tried --dry-run=server", false},
		{"roles-drill", "delete namespace " + own + " --dry-run=server", false},
		{"roles-drill", "delete namespace " + drills, true},
		{"roles-previews", "create namespace tried --dry-run=server", false},
		{"roles-previews", "create rolebinding tried --clusterrole=threetier --group=threetier:roles-previews --dry-run=server --namespace " + own, false},
		{"roles-previews", "create rolebinding tried --clusterrole=cluster-admin --group=threetier:roles-previews --dry-run=server --namespace " + preview, false},
		{"roles-previews", "create configmap tried --dry-run=server --namespace " + preview, true},
		{"roles-previews", "get secrets --namespace " + preview, true},
		{"roles-previews", "get secrets --namespace " + own, false},
		{"roles-previews", "create configmap tried --dry-run=server --namespace " + own, false},
		{"roles-previews", "label namespace " + own + " tried=yes --dry-run=server", false},
		{"roles-previews", "delete namespace " + own + " --dry-run=server", false},
		{"roles-previews", "delete namespace " + preview, true},
	} {
		if said, err := as(row.group, row.args); (err == nil) != row.allowed {
			t.Errorf("the group %s: %s: allowed is %t, want %t: %s", row.group, row.args, err == nil, row.allowed, said)
		}
	}
}
