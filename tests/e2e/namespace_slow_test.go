//go:build e2e && slow

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A stranger's ConfigMap is in the namespace that the stack would make.
func TestSlowANamespaceOfOthersIsRefusedThenAdoptedByNameAndLeftBehind(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "adopts", "dev")
	shared := namespace(s.name)
	must(t, ".local/bin/local exec -- kubectl create namespace %s", shared)
	kubectl(t, s.name, "create configmap strangers --from-literal=kept=yes")
	labels := "get namespace " + shared + " -o jsonpath='{.metadata.labels}'"
	before := kubectl(t, s.name, labels)

	for _, verb := range []string{"preview", "up"} {
		const want = "threetier:namespace is %[1]s, which is there and isn't this stack's, want another name, or threetier:adopt: %[1]s"
		if out := refused(t, "%s", s.command(verb)); !strings.Contains(out, fmt.Sprintf(want, shared)) {
			t.Errorf("%s doesn't say whose namespace it is:\n%s", verb, out)
		}
	}
	for _, r := range state(t, s.name) {
		if r.Type != "pulumi:pulumi:Stack" && !strings.HasPrefix(r.Type, "pulumi:providers:") && !strings.Contains(r.URN, "::cluster") {
			t.Errorf("the refused up has registered %s", r.URN)
		}
	}

	edit(t, s.config, "config:\n", "config:\n  threetier:adopt: "+shared+"\n")
	s.up(t)
	if after := kubectl(t, s.name, labels); after != before {
		t.Errorf("the labels of the namespace of others are %s, want %s as before", after, before)
	}
	s.upChangesNothing(t)
	s.destroy(t)
	if kept := kubectl(t, s.name, "get configmap strangers -o jsonpath='{.data.kept}'"); kept != "yes" {
		t.Errorf("after destroy the strangers' ConfigMap has %q", kept)
	}
	if left := kubectl(t, s.name, "get deployments,cronjobs,services,networkpolicies,secrets --ignore-not-found -o name"); left != "" {
		t.Errorf("after destroy the stack has left %s", left)
	}
}
