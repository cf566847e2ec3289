//go:build e2e

package e2e

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// listenScript opens port 9000, so that there is something to reach beside the apps' own ports.
const listenScript = "import socketserver; socketserver.ThreadingTCPServer(('', 9000), socketserver.BaseRequestHandler).serve_forever()"

// connectScript says which of the places in its argument can be reached.
//
//go:embed connect.py
var connectScript string

// probe is a pod that looks like one of a tier's to the network policies, and to Pod Security.
func probe(ns, tier string) any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": "probe-" + tier, "namespace": ns, "labels": map[string]string{"app.kubernetes.io/name": tier, "probe": "yes"}},
		"spec": map[string]any{
			"automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
			"containers": []any{map[string]any{
				"name": "probe", "image": "ghcr.io/acme/backend:1.0.0", "command": []string{"python3", "-c", listenScript},
				"securityContext": map[string]any{
					"allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 10001,
					"capabilities": map[string]any{"drop": []string{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
				},
			}},
		},
	}
}

// manifest is a file for kubectl.
func manifest(t *testing.T, objects []any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// startProbes starts a probe of each tier in dev's namespace, and one in another that says it is nginx.
func startProbes(t *testing.T, elsewhere string, tiers ...string) {
	t.Helper()
	objects := []any{map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]string{"name": elsewhere}}, probe(elsewhere, "nginx")}
	for _, tier := range tiers {
		objects = append(objects, probe(namespace("dev"), tier))
	}
	file := manifest(t, objects)
	t.Cleanup(func() { must(t, ".local/bin/local exec -- kubectl delete --ignore-not-found -f %s", file) })
	must(t, ".local/bin/local exec -- kubectl apply -f %s", file)
	must(t, ".local/bin/local exec -- kubectl wait --for=condition=Ready --timeout=90s pod -A -l probe=yes")
}

// addresses are the places of a network: of the names, of one pod of each tier, and of each probe.
func addresses(t *testing.T, names []string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(must(t, ".local/bin/local exec -- getent ahostsv4 %s", strings.Join(names, " "))) {
		if fields := strings.Fields(line); len(fields) == 3 {
			found[fields[2]] = fields[0]
		}
	}
	for line := range strings.Lines(kubectl(t, "dev", `get pods --field-selector=status.phase=Running -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.labels.app\.kubernetes\.io/name} {.status.podIP}{"\n"}{end}'`)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(fields[0], "probe-") {
			found[fields[0]] = fields[2]
		} else {
			found[fields[1]+" pod"] = fields[2]
		}
	}
	return found
}

func TestExactlyTheAllowedWaysAreOpen(t *testing.T) {
	ns, elsewhere := namespace("dev"), "elsewhere"
	startProbes(t, elsewhere, "nginx", "backend", "frontend", "backend-migration", "stranger")
	host, port, _ := strings.Cut(output(t, "dev", "databaseEndpoint"), ":")
	backend, frontend, api := "backend-service."+ns+".svc.cluster.local", "frontend-service."+ns+".svc.cluster.local", "kubernetes.default.svc.cluster.local"
	balancer := strings.TrimPrefix(output(t, "dev", "url"), "http://")
	at := addresses(t, []string{backend, frontend, api, host, balancer})

	// Addresses, so that a closed way isn't one whose name can't be resolved.
	ofTheApp := map[string]string{
		"load balancer": "tcp " + at[balancer] + " 80",
		"nginx pod":     "tcp " + at["nginx pod"] + " 8080", "nginx probe": "tcp " + at["probe-nginx"] + " 9000",
		"backend pod": "tcp " + at["backend pod"] + " 8000", "backend probe": "tcp " + at["probe-backend"] + " 9000",
		"frontend pod": "tcp " + at["frontend pod"] + " 8080", "frontend probe": "tcp " + at["probe-frontend"] + " 9000",
		"backend-service": "tcp " + at[backend] + " 8000", "frontend-service": "tcp " + at[frontend] + " 8080",
	}
	all := map[string]string{
		"database": "tcp " + at[host] + " " + port, "DNS over UDP": "dns 169.254.20.10 53", "DNS over TCP": "tcp 169.254.20.10 53",
		"API server": "tcp 10.0.0.10 6443", "API service": "tcp " + at[api] + " 443",
	}
	for name, place := range ofTheApp {
		all[name] = place
	}
	for name, place := range all {
		if len(strings.Fields(place)) != 3 {
			t.Fatalf("the address of %s isn't known: %q", name, place)
		}
	}
	// The node itself reaches its pods: what is closed below is closed by policy.
	for _, tier := range []string{"nginx", "backend", "frontend"} {
		must(t, ".local/bin/local exec -- timeout 5 bash -c '</dev/tcp/%s/9000'", at["probe-"+tier])
	}

	toDatabase := []string{"DNS over TCP", "DNS over UDP", "database"}
	expectOpen(t, ns, "nginx", all, []string{"DNS over TCP", "DNS over UDP", "backend pod", "backend-service", "frontend pod", "frontend-service"})
	expectOpen(t, ns, "backend", all, toDatabase)
	expectOpen(t, ns, "backend-migration", all, toDatabase)
	expectOpen(t, ns, "frontend", all, []string{})
	expectOpen(t, ns, "stranger", all, []string{})
	// What another namespace may do elsewhere is not this stack's to say.
	expectOpen(t, elsewhere, "nginx", ofTheApp, []string{"load balancer", "nginx pod"})
}

// expectOpen tries all places from a probe until exactly those are open that should be: the policies of a new pod
// take a moment.
func expectOpen(t *testing.T, ns, tier string, places map[string]string, want []string) {
	t.Helper()
	others := maps.Clone(places)
	// No policy stands between a pod and itself.
	delete(others, tier+" probe")
	argument, err := json.Marshal(others)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for deadline := time.Now().Add(time.Minute); ; {
		said := must(t, ".local/bin/local exec -- kubectl --namespace %s exec probe-%s -- python3 -c '%s' '%s'", ns, tier, connectScript, argument)
		if err := json.Unmarshal([]byte(said), &got); err != nil {
			t.Fatalf("the probe of %s says %q: %v", tier, said, err)
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s in %s reaches %s, want %s", tier, ns, fmt.Sprintf("%q", got), fmt.Sprintf("%q", want))
			return
		}
	}
}
