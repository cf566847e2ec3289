//go:build e2e && slow

package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// edited is a copy of the checkout's sources that may be changed; it drives the same node.
func edited(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, "git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t %s", dir)
	// The tools are shared, but not the two programs that the copy builds of its own sources.
	must(t, "mkdir -p %[1]s/.local/bin && find .local/bin -not -type d -not -name local -not -name pulumi-resource-aws -exec ln -s %[2]s/{} %[1]s/.local/bin/ ';' && "+
		"ln -s %[2]s/.local/buildah %[2]s/.local/trixie %[2]s/.local/trixie.made-by %[1]s/.local/", dir, root)
	return dir
}

func TestSlowEditOfTheNginxTemplateRollsNginxAlone(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "edited", "dev")
	s.up(t)
	dir := edited(t)
	// The copy's up links the node's providers to the copy: they lead to the checkout again before the copy is gone.
	defer s.preview(t)
	edit(t, filepath.Join(dir, "components", "app", "nginx", "nginx.conf.tmpl"), "    add_header X-Request-ID", "    add_header X-Edited yes always;\n    add_header X-Request-ID")
	before := kubectl(t, s.name, "get configmaps -o name")
	backend, frontend, nginx := pods(t, s.name, "backend"), pods(t, s.name, "frontend"), pods(t, s.name, "nginx")

	must(t, "cd %s && %s", dir, s.command("up"))

	if got := call(t, http.StatusOK, http.MethodGet, s.site+"/", nil, nil).header.Get("X-Edited"); got != "yes" {
		t.Errorf("the new header is %q, want yes", got)
	}
	after := kubectl(t, s.name, "get configmaps -o name")
	for _, name := range strings.Fields(before) {
		if strings.Contains(name, "nginx-config") && strings.Contains(after, name) {
			t.Errorf("the old %s is still there", name)
		}
	}
	if strings.Count(after, "nginx-config") != 1 {
		t.Errorf("the config maps are %q, want one nginx-config", after)
	}
	if news := append(started(backend, pods(t, s.name, "backend")), started(frontend, pods(t, s.name, "frontend"))...); len(news) > 0 {
		t.Errorf("another tier than nginx was restarted: %v", news)
	}
	if len(started(nginx, pods(t, s.name, "nginx"))) == 0 {
		t.Error("nginx was not restarted")
	}
}
