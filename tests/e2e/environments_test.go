//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func edit(t *testing.T, file, from, to string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s has no %q to edit", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pods(t *testing.T, stack, tier string) []string {
	t.Helper()
	return strings.Fields(kubectl(t, stack, "get pods -l app.kubernetes.io/name="+tier+" -o jsonpath='{.items[*].metadata.uid}'"))
}

// started are the pods that weren't there before: an autoscaler may have taken some away meanwhile.
func started(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(uid string) bool { return slices.Contains(before, uid) })
}

func TestProdRunsBesideDev(t *testing.T) {
	must(t, "make up STACK=prod PORT=%d", prodPort)
	if namespace("dev") == namespace("prod") || output(t, "dev", "databaseEndpoint") == output(t, "prod", "databaseEndpoint") {
		t.Error("dev and prod share a namespace or a database")
	}
	inDev, inProd := addItem(t, dev, "only in dev"), addItem(t, prod, "only in prod")
	for site, other := range map[string]string{dev: inProd.Title, prod: inDev.Title} {
		if all := fmt.Sprint(titles(t, site)); strings.Contains(all, other) {
			t.Errorf("%s shows the other stack's %q", site, other)
		}
	}
}

func TestDestroyedStackLeavesTheOthersAndComesBackAtItsAddress(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "destroyed", "dev")
	s.up(t)
	kept := addItem(t, dev, "kept in dev")
	s.destroy(t)
	if out, err := shell(".local/bin/local exec -- kubectl get namespace " + namespace(s.name)); err == nil {
		t.Errorf("after destroy the namespace is there: %s", out)
	}
	if servers, err := filepath.Glob(filepath.Join(home, "account", "instances", "*"+s.name+"*")); err != nil || len(servers) > 0 {
		t.Errorf("after destroy there are databases: %v, %v", servers, err)
	}
	// Of the database, since the load of another test may push it out of the newest hundred.
	if !allTitles(t, "dev", kept.Title)[kept.Title] {
		t.Errorf("after destroy %q is gone from dev", kept.Title)
	}
	if _, err := request(http.MethodGet, s.site+"/", nil, nil); err == nil {
		t.Error("after destroy the port still answers")
	}
	out := must(t, "bin/local up --stack %s --config-file %s", s.name, s.config)
	if !strings.Contains(out, "\n"+s.site+"\n") {
		t.Errorf("after destroy and up the site isn't at %s:\n%s", s.site, out)
	}
}
