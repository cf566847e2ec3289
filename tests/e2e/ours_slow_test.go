//go:build e2e && slow

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// kubeconfig is the stack dev's cluster by its kubeconfig, with two contexts: the current one, and "other".
func kubeconfig(t *testing.T) string {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(must(t, ".local/bin/local exec -- kubectl config view --raw --flatten --minify -o json")), &config); err != nil {
		t.Fatal(err)
	}
	contexts := config["contexts"].([]any)
	config["contexts"] = append(contexts, map[string]any{"name": "other", "context": contexts[0].(map[string]any)["context"]})
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// reachBy lets a stack reach its cluster by a kubeconfig, which doesn't say where the database's subnets are.
func (s *testStack) reachBy(t *testing.T, kubeconfig string) {
	t.Helper()
	edit(t, s.config, "    eks: acme-dev", "    kubeconfig: '"+kubeconfig+"'")
	s.set(t, "database", "network: { vpcId: vpc-0local0000000001, subnetIds: [subnet-0local000000000a2, subnet-0local000000000b3], clientSecurityGroupIds: [sg-0local0000cluster] }")
}

func TestSlowKubeconfigStackKeepsItsObjectsWhateverItsContextAndItsName(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "contexts", "dev")
	s.reachBy(t, kubeconfig(t))
	s.up(t)

	before := kubectl(t, s.name, "get services,deployments,pods -o jsonpath='{.items[*].metadata.uid}'")
	l := startLoad(s.site, 20)
	s.set(t, "cluster", "context: other")
	s.up(t)
	reportLost(t, "another context", l.failed())
	if after := kubectl(t, s.name, "get services,deployments,pods -o jsonpath='{.items[*].metadata.uid}'"); after != before {
		t.Errorf("another context has replaced objects: %s, before %s", after, before)
	}

	const pulumi = ".local/bin/local exec -- pulumi --cwd %s/project stack rename %s --stack %s"
	renamed := *s
	renamed.name = "renamed"
	must(t, pulumi, home, renamed.name, s.name)
	want := fmt.Sprintf("stack is renamed, want its former name (pulumi stack rename), as its database is %s-database", namespace(s.name))
	if out := refused(t, "%s", renamed.command("preview")); !strings.Contains(out, want) {
		t.Errorf("a preview of a renamed stack doesn't say %q:\n%s", want, out)
	}
	must(t, pulumi, home, s.name, renamed.name)
	s.wantsNothing(t, "the former name")

	must(t, ".local/bin/local exec -- kubectl delete namespace %s", namespace(s.name))
	s.destroy(t)
}
