//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPageAndAPIAnswerThroughTheLoadBalancer(t *testing.T) {
	page := call(t, http.StatusOK, http.MethodGet, dev+"/", nil, nil)
	if !strings.Contains(page.body, `<div id="root">`) {
		t.Errorf("the page is %q, want React's", page.body)
	}
	api := call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, nil)
	if !strings.HasPrefix(api.header.Get("Content-Type"), "application/json") {
		t.Errorf("the API answers with %q, want JSON", api.header.Get("Content-Type"))
	}
	if pod := api.header.Get("X-Served-By"); !strings.Contains(kubectl(t, "dev", "get pods -l app.kubernetes.io/name=backend"), pod) || pod == "" {
		t.Errorf("the API was answered by %q, want a backend pod", pod)
	}
}

func TestBrowserAddsAnItemThatPostgreSQLHolds(t *testing.T) {
	title := fmt.Sprintf("seen in the browser %d", time.Now().Unix())
	artifacts := filepath.Join(root, ".local", "artifacts")
	must(t, "mkdir -p %s && cd tests/e2e/browser && npm ci --no-audit --no-fund && node add-item.mjs %s %q %s", artifacts, dev, title, filepath.Join(artifacts, "page.png"))
	if info, err := os.Stat(filepath.Join(artifacts, "page.png")); err != nil || info.Size() < 5000 {
		t.Errorf("the screenshot: %v, %v", info, err)
	}
	rows, err := psql(t, "dev", "verify-full", fmt.Sprintf("select title from items where title = '%s'", title))
	if err != nil || rows != title {
		t.Errorf("the row: %q, %v, want %q", rows, err, title)
	}
}

func TestDatabaseRefusesAConnectionWithoutTLS(t *testing.T) {
	out, err := psql(t, "dev", "disable", "select 1")
	if err == nil || !strings.Contains(out, "no encryption") {
		t.Errorf("without TLS: %q, %v, want it refused", out, err)
	}
	used, err := psql(t, "dev", "verify-full", "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
	if err != nil || used != "t" {
		t.Errorf("with TLS: %q, %v, want t", used, err)
	}
}

func TestTheVersionsAreThoseThatUsersHave(t *testing.T) {
	const python = `python3 -c "import fastapi, pydantic; print(fastapi.__version__, pydantic.VERSION)"`
	for want, got := range map[string]string{
		`^PostgreSQL 17\.`:             sql(t, "select version()"),
		`nginx/1\.(2[6-9]|[3-9][0-9])`: kubectl(t, "dev", "exec deployment/"+deployment(t, "dev", "nginx")+" -- nginx -v"),
		`0\.115\.[0-9]+ 2\.`:           kubectl(t, "dev", "exec deployment/"+deployment(t, "dev", "backend")+" -- "+python),
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}

func TestTheAdministratorIsWhatRDSGives(t *testing.T) {
	const roles = "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, pg_has_role(rolname, 'rds_superuser', 'member') from pg_roles where rolname = 'app_admin'"
	if got := sql(t, roles); got != "f|t|t|f|t" {
		t.Errorf("superuser, createrole, createdb, replication, in rds_superuser: %s, want f|t|t|f|t", got)
	}
}

// sql asks dev's database.
func sql(t *testing.T, query string) string {
	t.Helper()
	out, err := psql(t, "dev", "verify-full", query)
	if err != nil {
		t.Fatalf("%s: %v: %s", query, err, out)
	}
	return out
}

func TestOneRequestIDIsInEveryLogAndInTheResponse(t *testing.T) {
	id := fmt.Sprintf("e2e-request-%d", time.Now().UnixNano())
	a := call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, map[string]string{"X-Request-ID": id})
	if got := a.header.Get("X-Request-ID"); got != id {
		t.Errorf("the response's id is %q, want %q", got, id)
	}
	for _, tier := range []string{"nginx", "backend"} {
		eventually(t, time.Minute, "the id in the log of "+tier, func() bool {
			return strings.Contains(kubectl(t, "dev", "logs --prefix --tail=200 -l app.kubernetes.io/name="+tier), id)
		})
	}
	made := call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, nil)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(made.header.Get("X-Request-ID")) {
		t.Errorf("without an id nginx made %q, want 32 hexadecimal digits", made.header.Get("X-Request-ID"))
	}
}

// engineEvent is a line of the engine's own log.
type engineEvent struct {
	Sequence int `json:"sequence"`
	ResOp    *struct {
		Metadata struct {
			Op   string `json:"op"`
			URN  string `json:"urn"`
			Type string `json:"type"`
		} `json:"metadata"`
	} `json:"resOutputsEvent"`
	Pre *struct {
		Metadata struct {
			Op   string `json:"op"`
			Type string `json:"type"`
		} `json:"metadata"`
	} `json:"resourcePreEvent"`
}

func events(t *testing.T, stack, run string) []engineEvent {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, "logs", stack+"-"+run+".events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []engineEvent
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var e engineEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("read the engine's events: %v", err)
		}
		all = append(all, e)
	}
	return all
}

func TestBackendEnvHoldsTheInstanceAddress(t *testing.T) {
	endpoint := output(t, "dev", "databaseEndpoint")
	env := kubectl(t, "dev", "exec deployment/"+deployment(t, "dev", "backend")+" -- env")
	host, port, _ := strings.Cut(endpoint, ":")
	for _, want := range []string{"DB_HOST=" + host, "DB_PORT=" + port} {
		if !slices.Contains(strings.Split(env, "\n"), want) {
			t.Errorf("the backend's env lacks %s", want)
		}
	}
}

// deployment is the name of a tier's.
func deployment(t *testing.T, stack, tier string) string {
	t.Helper()
	return kubectl(t, stack, "get deployments -l app.kubernetes.io/name="+tier+" -o jsonpath='{.items[0].metadata.name}'")
}

func TestNginxIsTheOnlyLoadBalancer(t *testing.T) {
	got := kubectl(t, "dev", `get services -o jsonpath='{range .items[*]}{.metadata.labels.app\.kubernetes\.io/name}={.spec.type} {end}'`)
	for _, want := range []string{"backend=ClusterIP", "frontend=ClusterIP", "nginx=LoadBalancer"} {
		if !strings.Contains(got, want) {
			t.Errorf("the services are %q, want %s", got, want)
		}
	}
	if strings.Count(got, "LoadBalancer") != 1 {
		t.Errorf("the services are %q, want one LoadBalancer", got)
	}
	for _, name := range []string{"backend-service", "frontend-service"} {
		kubectl(t, "dev", "get service "+name)
	}
}

func TestRequestsReachEveryBackendPod(t *testing.T) {
	// The autoscaler has the last word on a number above what the load wants, so it is held still meanwhile.
	hpa := kubectl(t, "dev", "get hpa -l app.kubernetes.io/name=backend -o jsonpath='{.items[0].metadata.name}'")
	kubectl(t, "dev", fmt.Sprintf(`patch hpa %s --type merge -p '{"spec":{"minReplicas":4}}'`, hpa))
	defer kubectl(t, "dev", fmt.Sprintf(`patch hpa %s --type merge -p '{"spec":{"minReplicas":2}}'`, hpa))
	name := deployment(t, "dev", "backend")
	kubectl(t, "dev", "scale --replicas=4 deployment/"+name)
	kubectl(t, "dev", "rollout status --timeout=120s deployment/"+name)
	pods := strings.Fields(kubectl(t, "dev", "get pods -l app.kubernetes.io/name=backend --field-selector=status.phase=Running -o jsonpath='{.items[*].metadata.name}'"))
	if len(pods) != 4 {
		t.Fatalf("%d backend pods run, want 4: %v", len(pods), pods)
	}
	served := map[string]bool{}
	eventually(t, time.Minute, "a request at each of the pods", func() bool {
		for _, pod := range askAtOnce(t, 16) {
			served[pod] = true
		}
		return !slices.ContainsFunc(pods, func(pod string) bool { return !served[pod] })
	})
}

// askAtOnce returns which of dev's backend pods answered each of the requests. One after the other they would all go
// over the same two connections from nginx, each of which leads to one pod for seconds.
func askAtOnce(t *testing.T, requests int) []string {
	t.Helper()
	servedBy, errs := make([]string, requests), make([]error, requests)
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			var a answer
			a, errs[i] = request(http.MethodGet, dev+"/api/items", nil, nil)
			if errs[i] == nil && a.status != http.StatusOK {
				errs[i] = fmt.Errorf("GET /api/items: status %d, want 200: %s", a.status, a.body)
			}
			servedBy[i] = a.header.Get("X-Served-By")
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return servedBy
}

func TestDatabaseIsCreatedBeforeTheNamespace(t *testing.T) {
	created := map[string]int{}
	for i, e := range events(t, "dev", "up-first") {
		if e.ResOp != nil && e.ResOp.Metadata.Op == "create" {
			created[e.ResOp.Metadata.Type] = i
		}
	}
	database, hasDatabase := created["aws:rds/instance:Instance"]
	ns, hasNamespace := created["kubernetes:core/v1:Namespace"]
	if !hasDatabase || !hasNamespace || database > ns {
		t.Errorf("the instance was created at event %d (%t), the namespace at %d (%t), want the instance first", database, hasDatabase, ns, hasNamespace)
	}
}

func TestSecondUpChangesNothing(t *testing.T) {
	start := time.Now()
	must(t, "make up PORT=%d", devPort)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("a second up took %s, want under 30 s", took)
	}
	out := must(t, "make preview")
	if !regexp.MustCompile(`\d+ unchanged`).MatchString(out) || regexp.MustCompile(`\d+ to (create|update|replace|delete)`).MatchString(out) {
		t.Errorf("the preview after an up: %s", out)
	}
	for _, e := range events(t, "dev", "up") {
		if e.Pre != nil && e.Pre.Metadata.Op != "same" && e.Pre.Metadata.Op != "read" {
			t.Errorf("the second up did %s to a %s", e.Pre.Metadata.Op, e.Pre.Metadata.Type)
		}
	}
}
