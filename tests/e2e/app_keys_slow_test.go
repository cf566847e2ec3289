//go:build e2e && slow

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// botScript writes its begin and its end into the sample's table, with the name of its pod. Its end takes time.
const botScript = `import os, signal, sys, time, psycopg2
db = psycopg2.connect(os.environ["DATABASE_URL"])
db.autocommit = True
def say(word):
    db.cursor().execute("insert into items (title) values (%s)", ("bot " + os.environ["HOSTNAME"] + " " + word,))
def stop(*_):
    time.sleep(8)
    say("ends")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("begins")
while True:
    time.sleep(1)`

const keyFile = "/etc/shop/client.key"

// What one key gives, on one stack: the same pod again, a way in, a secret as a file, a worker that never runs twice.
func TestSlowWhatOneKeyGives(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "keys", "dev")
	s.set(t, "backend", "replicas: { min: 2, max: 2 }")
	s.set(t, "backend", "ingress: [{ from: { namespace: "+s.watchers()+" }, ports: [8000] }]")
	s.set(t, "backend", "secretFiles: { "+keyFile+": "+s.encrypt(t, "the first key")+" }")
	s.set(t, "nginx", "metrics: true")
	s.set(t, "nginx", "ingress: [{ from: { namespace: "+s.watchers()+" }, ports: [8082] }]")
	s.set(t, "nginx", "routes: [{ path: /api, to: backend, sticky: cookie }, { path: /, to: frontend }, { host: api.shop.example.org, path: /, to: backend }]")
	s.write(t, s.read(t)+"\n  threetier:workers:\n    bot: { command: [python3, -c, "+strconv.Quote(botScript)+
		"], single: true, stopSeconds: 20, resources: { cpu: 20m, memory: 64Mi } }\n")
	s.up(t)
	t.Run("a client meets the same pod again, and another once that is gone", s.sticks)
	t.Run("a host has routes of its own", s.hasAHost)
	t.Run("one namespace gets in and another doesn't", s.letsIn)
	t.Run("a secret is a file, whose change rolls the pods", s.hasFiles)
	t.Run("a worker never runs twice", s.runsOnce)
}

func (s *testStack) watchers() string { return namespace(s.name) + "-watchers" }

// sticks has two clients, so that it is no chance whom they meet.
func (s *testStack) sticks(t *testing.T) {
	meet := func(cookie string) (pod, told string) {
		a := call(t, http.StatusOK, http.MethodGet, s.site+"/api/items?limit=1", nil, map[string]string{"Cookie": cookie})
		told, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";")
		return a.header.Get("X-Served-By"), told
	}
	cookies := map[string]string{}
	eventually(t, time.Minute, "two clients at two pods", func() bool {
		pod, told := meet("")
		cookies[pod] = told
		return len(cookies) == 2
	})
	for range 30 {
		for pod, cookie := range cookies {
			if met, told := meet(cookie); met != pod || told != "" {
				t.Fatalf("the client of %s with %q meets %s, and is told %q", pod, cookie, met, told)
			}
		}
	}
	if pod, told := meet("threetier_backend=192-0-2-1"); cookies[pod] != told {
		t.Errorf("a forged address leads to %s, which is told as %q", pod, told)
	}
	for pod, cookie := range cookies {
		kubectl(t, s.name, "delete pod --wait=false "+pod)
		eventually(t, time.Minute, "at another pod, which its client is told", func() bool {
			met, told := meet(cookie)
			return met != pod && told != "" && told != cookie
		})
		break
	}
}

// hasAHost asks for a path of the backend that no route of the other hosts leads to: they get the page.
func (s *testStack) hasAHost(t *testing.T) {
	for host, want := range map[string]string{"api.shop.example.org": "app-backend-", "shop.example.org": "app-frontend-"} {
		a := call(t, http.StatusOK, http.MethodGet, s.site+"/healthz", nil, map[string]string{"Host": host})
		if got := a.header.Get("X-Served-By"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is answered by %s, want a pod of %s", host, got, want)
		}
	}
}

// letsIn has a pod in the namespace that may, and one in another.
func (s *testStack) letsIn(t *testing.T) {
	strangers := namespace(s.name) + "-strangers"
	var objects []any
	for _, name := range []string{s.watchers(), strangers} {
		objects = append(objects, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]string{"name": name}}, probe(name, "collector"))
		t.Cleanup(func() { must(t, ".local/bin/local exec -- kubectl delete namespace --wait=false %s", name) })
	}
	apply(t, objects...)
	places := map[string]string{}
	for tier, ports := range map[string][]int{"nginx": {8080, 8082}, "backend": {8000}} {
		address := kubectl(t, s.name, "get pod "+runningPods(t, s.name, tier)[0]+" -o jsonpath='{.status.podIP}'")
		for _, port := range ports {
			places[fmt.Sprintf("%s %d", tier, port)] = fmt.Sprintf("tcp %s %d", address, port)
		}
	}
	for name, want := range map[string][]string{s.watchers(): {"backend 8000", "nginx 8080", "nginx 8082"}, strangers: {"nginx 8080"}} {
		must(t, ".local/bin/local exec -- kubectl --namespace %s wait --for=condition=Ready --timeout=90s pod/probe-collector", name)
		expectOpen(t, name, "collector", places, want)
	}
	metrics := must(t, `.local/bin/local exec -- kubectl --namespace %s exec probe-collector -- python3 -c 'import urllib.request; print(urllib.request.urlopen("http://%s/metrics", timeout=5).read().decode())'`,
		s.watchers(), strings.Join(strings.Fields(places["nginx 8082"])[1:], ":"))
	if !strings.Contains(metrics, "\nnginx_connections_active ") {
		t.Errorf("the metrics are %q", metrics)
	}
}

// hasFiles rolls the backend, and the worker with it, which has the same files.
func (s *testStack) hasFiles(t *testing.T) {
	tiers := []string{"backend", "worker-bot"}
	look := func(content string) (names []string) {
		t.Helper()
		for _, tier := range tiers {
			running := runningPods(t, s.name, tier)
			names = append(names, running...)
			got := kubectl(t, s.name, fmt.Sprintf("exec %s --container %s -- sh -c 'stat --format=%%a %[3]s; cat %[3]s; touch %[3]s 2>/dev/null || echo , which stays'", running[0], tier, keyFile))
			if got != "440\n"+content+", which stays" {
				t.Errorf("the file of %s is %q", tier, got)
			}
		}
		return names
	}
	before := look("the first key")
	s.set(t, "backend", "secretFiles: { "+keyFile+": "+s.encrypt(t, "the second key")+" }")
	s.up(t)
	if now := look("the second key"); len(now) != 3 || len(started(before, now)) != 3 {
		t.Errorf("the pods are %s, want two and one that aren't of %s", now, before)
	}
}

// runsOnce has a pod that is evicted, which Kubernetes replaces at once, and a lock that is lost with its connection.
func (s *testStack) runsOnce(t *testing.T) {
	ask := func(sql string) string {
		t.Helper()
		out, err := psql(t, s.name, "verify-full", sql)
		if err != nil {
			t.Fatalf("%s: %v: %s", sql, err, out)
		}
		return out
	}
	said := func() []string {
		return strings.Split(ask("select substr(title, 5) from items where title like 'bot %' order by id"), "\n")
	}
	before := len(said())
	old := runningPods(t, s.name, "worker-bot")[0]
	kubectl(t, s.name, "delete pod --wait=false "+old)
	eventually(t, 30*time.Second, "a second pod beside the one that stops", func() bool { return len(pods(t, s.name, "worker-bot")) == 2 })
	eventually(t, time.Minute, "the second pod's turn", func() bool { return len(said()) == before+2 })

	const held = "select count(*) from pg_locks where locktype = 'advisory' and granted"
	if got := ask("select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and granted"); got != "1" {
		t.Fatalf("%s locks were lost, want one", got)
	}
	eventually(t, time.Minute, "the lock taken again", func() bool { return ask(held) == "1" })
	if now := said(); len(now) != before+2 {
		t.Errorf("when the lock was lost, the worker said %q", now[before+2:])
	}
	var turns []string
	for i, line := range said() {
		pod, word, _ := strings.Cut(line, " ")
		if i%2 == 0 {
			turns = append(turns, pod)
		}
		if pod != turns[len(turns)-1] || word != []string{"begins", "ends"}[i%2] {
			t.Fatalf("the worker ran twice at once: %q", said())
		}
	}
	if len(turns) < 3 || len(slices.Compact(slices.Clone(turns))) != len(turns) {
		t.Errorf("the turns are of %s, want three pods: the first, that of the changed file and that of the eviction", turns)
	}
}
