//go:build e2e && faults

package e2e

import (
	_ "embed"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clientsScript holds connections in a bad state.
//
//go:embed clients.py
var clientsScript string

// attackSeconds is how long each attack lasts.
const attackSeconds = 60

// restarts are how often the containers of a tier were started again, by pod.
func restarts(t *testing.T, tier string) string {
	t.Helper()
	return kubectl(t, "dev", "get pods -l app.kubernetes.io/name="+tier+` -o jsonpath='{range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}'`)
}

// freeMiB is the space on the disk of the node's folder.
func freeMiB(t *testing.T) int {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(home, &s); err != nil {
		t.Fatal(err)
	}
	return int(s.Bavail) * int(s.Bsize) >> 20
}

// attackers is a namespace with one pod, an address of its own, from which bad clients come.
func attackers(t *testing.T) (namespace string) {
	t.Helper()
	startProbes(t, "attackers")
	return "attackers"
}

// attack is what one said at its end.
type attack struct {
	said string
	err  error
}

// check fails the test of an attack that was none.
func (a attack) check(t *testing.T, connections int) {
	t.Helper()
	var opened int
	if _, err := fmt.Sscanf(a.said, "%d connections", &opened); a.err != nil || err != nil || opened < connections {
		t.Errorf("the attack opened %d connections, want %d or more: %v: %s", opened, connections, a.err, a.said)
	}
}

func TestFaultBadClientsOfOneAddressLeaveTheOthersTheirs(t *testing.T) {
	from := attackers(t)
	to := kubectl(t, "dev", "get services -l app.kubernetes.io/name=nginx -o jsonpath='{.items[0].spec.clusterIP}'")
	// What filled 128 MiB of memory, and the disk, before there were limits.
	for kind, count := range map[string]int{"readers": 330, "posts": 1700, "uploads": 200} {
		t.Run(kind, func(t *testing.T) {
			before, free := restarts(t, "nginx"), freeMiB(t)
			least := free
			said := make(chan attack, 1)
			go func() {
				out, err := shell(fmt.Sprintf(".local/bin/local exec -- kubectl --namespace %s exec -i probe-nginx -- python3 - %s %s 80 %d %d <<'END'\n%s\nEND",
					from, kind, to, count, attackSeconds, clientsScript))
				said <- attack{out, err}
			}()
			answered, failed := 0, []string(nil)
			for start := time.Now(); time.Since(start) < attackSeconds*time.Second; time.Sleep(100 * time.Millisecond) {
				a, err := request(http.MethodGet, dev+"/api/items?limit=10", nil, nil)
				if err != nil || a.status != http.StatusOK {
					failed = append(failed, fmt.Sprintf("after %s: %d %v", time.Since(start).Round(time.Second), a.status, err))
				} else {
					answered++
				}
				least = min(least, freeMiB(t))
			}
			attack := <-said
			attack.check(t, count)
			t.Logf("%s: %s; a bystander's requests answered: %d; at most %d MiB of disk", kind, attack.said, answered, free-least)
			if len(failed) > 0 {
				t.Errorf("%d of a bystander's requests failed, the first: %s", len(failed), failed[0])
			}
			if answered < attackSeconds {
				t.Errorf("a bystander had %d answers in %d s", answered, attackSeconds)
			}
			if after := restarts(t, "nginx"); after != before {
				t.Errorf("nginx's pods were:\n%s\nand are:\n%s", before, after)
			}
			// Two pods with 2 GiB each at most; one client gets half of both.
			if free-least > 2048 {
				t.Errorf("%d MiB of the node's disk were taken", free-least)
			}
		})
	}
}

// dropped makes the node's network lose what is sent to an address, until the returned function is called.
func dropped(t *testing.T, address, target string) (restore func()) {
	t.Helper()
	rules := []string{"FORWARD", "OUTPUT", "INPUT"}
	for _, chain := range rules {
		must(t, ".local/bin/local exec -- iptables -w -I %s 1 -p tcp -d %s -j %s", chain, address, target)
	}
	done := false
	restore = func() {
		if done {
			return
		}
		done = true
		for _, chain := range rules {
			must(t, ".local/bin/local exec -- iptables -w -D %s -p tcp -d %s -j %s", chain, address, target)
		}
	}
	t.Cleanup(restore)
	return restore
}

func TestFaultPodThatNoPacketReachesCostsLittle(t *testing.T) {
	pods := runningPods(t, "dev", "backend")
	address := kubectl(t, "dev", "get pod "+pods[0]+" -o jsonpath='{.status.podIP}'")
	l := startLoad(dev, 200)
	time.Sleep(3 * time.Second)
	if failed := l.failed(); len(failed) > 0 {
		l.end()
		t.Fatalf("%d requests failed before the fault, the first: %s", len(failed), failed[0])
	}
	start, sent := time.Now(), l.sent()
	restore := dropped(t, address, "DROP")
	time.Sleep(30 * time.Second)
	l.end()
	restore()
	failed, meanwhile := l.failed(), l.sent()-sent
	last := time.Duration(0)
	for _, f := range failed {
		last = max(last, f.At.Add(f.Took).Sub(start))
	}
	t.Logf("%d of %d requests failed, the last after %s", len(failed), meanwhile, last.Round(100*time.Millisecond))
	if len(failed)*100 > 2*meanwhile {
		t.Errorf("%d of %d requests failed, want at most 2 %%; the first: %s", len(failed), meanwhile, failed[0])
	}
	// A request that was under way to the pod fails when its own time is over, which is later.
	late := 0
	for _, f := range failed {
		if f.At.Add(f.Took).Sub(start) > 15*time.Second && strings.Contains(f.What, "502") {
			late++
		}
	}
	if late > 0 {
		t.Errorf("%d requests found no pod after more than 15 s", late)
	}
	kubectl(t, "dev", "wait --for=condition=Ready --timeout=60s pod/"+pods[0])
}

func TestFaultDatabaseThatStopsTakesNoWriteThatWasAcknowledged(t *testing.T) {
	kept := addItem(t, dev, "before the outage")
	database := output(t, "dev", "databaseIdentifier")
	l := startLoad(dev, 100)
	defer l.end()
	time.Sleep(3 * time.Second)
	if failed := l.failed(); len(failed) > 0 {
		t.Fatalf("%d requests failed before the outage, the first: %s", len(failed), failed[0])
	}
	account(t, http.MethodPost, "/instances/"+database+"/stop", "", nil)
	stopped := true
	start := func() {
		if stopped {
			stopped = false
			account(t, http.MethodPost, "/instances/"+database+"/start", "", nil)
		}
	}
	defer start()
	pods := runningPods(t, "dev", "backend")
	kubectl(t, "dev", "delete pod "+pods[0]+" --now")
	born := ""
	eventually(t, time.Minute, "a new pod that runs", func() bool {
		for _, pod := range runningPods(t, "dev", "backend") {
			if !slices.Contains(pods, pod) {
				born = pod
			}
		}
		return born != ""
	})
	// Longer than a startup probe that looks at the database would have waited in vain before its first restart.
	time.Sleep(40 * time.Second)
	start()
	back := time.Now()
	eventually(t, 10*time.Second, "the new pod ready", func() bool {
		return kubectl(t, "dev", "get pod "+born+` -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}'`) == "True"
	})
	eventually(t, 10*time.Second, "the site serving", func() bool {
		a, err := request(http.MethodGet, dev+"/api/items", nil, nil)
		return err == nil && a.status == http.StatusOK && strings.Contains(a.body, kept.Title)
	})
	t.Logf("the pod was ready and the site served %s after the database's return", time.Since(back).Round(100*time.Millisecond))
	if n, err := strconv.Atoi(kubectl(t, "dev", "get pod "+born+" -o jsonpath='{.status.containerStatuses[0].restartCount}'")); err != nil || n != 0 {
		t.Errorf("the pod was restarted %d times in the outage: %v", n, err)
	}

	time.Sleep(time.Until(back.Add(10 * time.Second)))
	l.failed() // those of the outage
	time.Sleep(3 * time.Second)
	l.end()
	reportLost(t, "10 s after the database's return", l.failed())
	stored := allTitles(t, "dev", "load ")
	for _, title := range l.added() {
		if !stored[title] {
			t.Errorf("the item %q was acknowledged and is gone", title)
		}
	}
	t.Logf("%d writes were acknowledged", len(l.added()))
	if len(l.added()) == 0 {
		t.Error("no write was acknowledged")
	}
}

func TestFaultServiceMadeAnewIsServedAfterTheRunbooksCommand(t *testing.T) {
	s := &testStack{name: "dev", config: filepath.Join(root, "Pulumi.dev.yaml"), port: devPort, site: dev}
	kubectl(t, "dev", "delete service backend-service")
	s.shell(t, "pulumi refresh --stack dev\npulumi up --stack dev")
	if a, err := request(http.MethodGet, dev+"/api/items", nil, nil); err != nil || a.status != http.StatusBadGateway && a.status != http.StatusGatewayTimeout {
		t.Errorf("with the new Service there is %d, %v; want 502 or 504, or the runbook's section is of no use", a.status, err)
	}
	s.shell(t, "NS="+namespace("dev")+"\n"+s.block(t, "operate/nodes.md", `kubectl --namespace "$NS" rollout restart`))
	eventually(t, time.Minute, "the site serving", func() bool {
		a, err := request(http.MethodGet, dev+"/api/items", nil, nil)
		return err == nil && a.status == http.StatusOK
	})
	s.wantsNothing(t, "the restart")
}

// With a pod less at the same time, Kubernetes says that it has seen the change before it makes the new pods: the
// provider takes the old ones for them.
func TestFaultNginxThatCannotStartFailsItsUp(t *testing.T) {
	file := variant(t, "  threetier:nginx:\n    replicas: { min: 2, max: 2 }",
		"  threetier:nginx:\n    image: docker.io/acme/absent:1\n    rolloutSeconds: 20\n    replicas: { min: 1, max: 1 }")
	defer upDev(t)
	l := startLoad(dev, 20)
	defer l.end()
	// Not bin/local up, which looks for the images before anything is changed.
	said := refused(t, ".local/bin/local exec -- %s/.local/bin/local deploy up --stack dev --config-file %s", root, file)
	if !strings.Contains(said, "docker.io/acme/absent:1") {
		t.Errorf("up doesn't say which image is absent:\n%s", said)
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, "Deployment") && strings.Contains(line, "app-nginx") {
			t.Log(strings.TrimSpace(line))
		}
	}
	reportLost(t, "an nginx that can't start", l.failed())
}
