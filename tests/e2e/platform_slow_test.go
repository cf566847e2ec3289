//go:build e2e && slow

package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// asGroup lets a stack reach its cluster with the rights of its deployment's access entry alone.
func (s *testStack) asGroup(t *testing.T) {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(kubeconfig(t)), &config); err != nil {
		t.Fatal(err)
	}
	for _, user := range config["users"].([]any) {
		rights := user.(map[string]any)["user"].(map[string]any)
		rights["as"], rights["as-groups"] = "deploy", []string{projectName + ":" + s.name}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	s.reachBy(t, string(text))
}

// left are the account's resources of platforms, and the cluster's objects of a stack.
func (s *testStack) left(t *testing.T) string {
	t.Helper()
	return must(t, `find %s/account/records -type f | grep -E 'threetier-[a-z]+-%[2]s|/(eks|ecr|budgets)/' || true
.local/bin/local exec -- kubectl get namespaces,clusterroles,clusterrolebindings -o name | grep -E '%[3]s|-%[2]s$' || true`, home, s.name, namespace(s.name))
}

// The commands of the page, in its order, without those that ask AWS itself: the platform, the stack with no more rights
// than the platform gives it, and both away again.
func TestSlowPlatformComesBeforeItsStackAndGoesAfterIt(t *testing.T) {
	const page = "tutorials/first-deploy-to-aws.md"
	unchanged := regexp.MustCompile(`(?m)^ +\d+ unchanged\n\n`)
	t.Cleanup(func() { must(t, "make up PORT=%d", devPort) }) // after the stack's own cleanup, which deletes this namespace
	must(t, "make destroy")
	s := newTestStack(t, "dev", "dev")
	before := s.left(t)
	s.asGroup(t)
	s.shell(t, "pulumi -C platform stack init --no-select dev")

	up := s.block(t, page, "pulumi -C platform preview")
	s.shell(t, up)
	if again := s.shell(t, up); !unchanged.MatchString(again) {
		t.Errorf("a second up of the platform changes something:\n%s", again)
	}
	const may = ".local/bin/local exec -- kubectl auth can-i list secrets --as deploy --as-group %[1]s:%[2]s --namespace %[3]s || true"
	for of, want := range map[string]string{namespace(s.name): "yes", "default": "no", "kube-system": "no"} {
		if got := strings.TrimSpace(must(t, may, projectName, s.name, of)); !strings.HasSuffix(got, want) {
			t.Errorf("the deployment's group may read secrets of %s: %s, want %s", of, got, want)
		}
	}
	s.up(t)
	call(t, http.StatusOK, http.MethodGet, s.site+"/api/items", nil, nil)
	s.wantsNothing(t, "an up with the group's rights")

	s.destroy(t)
	away := s.block(t, page, "pulumi destroy --stack dev")
	_, away, _ = strings.Cut(away, "\n") // the stack is gone
	s.shell(t, strings.ReplaceAll(away, "bin/account remove", ""))
	if after := s.left(t); after != before {
		t.Errorf("of the platform and its stack is left\n%s\nbefore\n%s", after, before)
	}
}

// Prod's platform is protected. Where it goes before its stack, the namespace stays.
func TestSlowPlatformOfProdIsProtected(t *testing.T) {
	s := newTestStack(t, "prod", "prod")
	t.Cleanup(func() { must(t, ".local/bin/local exec -- kubectl delete namespace %s", namespace(s.name)) })
	s.shell(t, "pulumi -C platform stack init --no-select prod\npulumi -C platform up --stack prod")
	const destroy = "pulumi -C platform destroy --stack prod"
	if out, err := shell(s.inShell(t, destroy)); err == nil || !strings.Contains(out, "protected") {
		t.Fatalf("the platform of prod may be destroyed: %v\n%s", err, out)
	}
	s.shell(t, "pulumi -C platform config set --stack prod platform:protect false\npulumi -C platform up --stack prod\n"+destroy)
	if left := s.left(t); strings.TrimSpace(left) != "namespace/"+namespace(s.name) {
		t.Errorf("of prod's platform is left\n%s\nwant the namespace, which may have an app", left)
	}
}
