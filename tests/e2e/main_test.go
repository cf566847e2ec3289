//go:build e2e

// Package e2e drives the whole system on this machine, by the commands that its
// users have: a node of its own, beside the one that the checkout may be running.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"threetier/gate/node"
	"threetier/gate/project"
)

var (
	root        string // the checkout
	home        string // the node's folder
	projectName string // the Pulumi project's name

	devPort, prodPort = freePort(), freePort()

	dev  = fmt.Sprintf("http://127.0.0.1:%d", devPort)
	prod = fmt.Sprintf("http://127.0.0.1:%d", prodPort)
)

func freePort() int {
	port, err := node.FreePort()
	if err != nil {
		panic(err)
	}
	return port
}

func TestMain(m *testing.M) {
	if services := os.Getenv(insideVariable); services != "" {
		serveInside(services)
	}
	if out, err := exec.Command("../../bin/local", "check").CombinedOutput(); err != nil {
		fmt.Printf("SKIPPED: every live test: %s", out)
		if os.Getenv("CI") != "" {
			os.Exit(1) // where they are expected to run
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

// run begins with an empty node and leaves none behind.
func run(m *testing.M) int {
	var err error
	root = project.Root()
	home = filepath.Join(root, ".local", "e2e")
	if projectName, err = project.Name(root); err != nil {
		fmt.Println(err)
		return 1
	}
	// The root lets .local/bin/local be called itself: bin/local looks first whether it is built, in a second.
	for name, value := range map[string]string{"THREETIER_HOME": home, "THREETIER_ROOT": root} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	start := time.Now()
	for _, command := range []string{"make clean", fmt.Sprintf("make up PORT=%d", devPort)} {
		out, err := shell(command)
		if err != nil {
			fmt.Printf("%s: %v\n%s", command, err, out)
			return 1
		}
	}
	// Later runs write their own events to the same file.
	if out, err := shell("cp " + home + "/logs/dev-up.events.jsonl " + home + "/logs/dev-up-first.events.jsonl"); err != nil {
		fmt.Printf("keep the first up's events: %v\n%s", err, out)
		return 1
	}
	fmt.Printf("the dev stack is up after %.0f s\n", time.Since(start).Seconds())
	code := m.Run()
	if code != 0 {
		fmt.Println(warnings(namespace("dev")))
		keepLogs()
	}
	if out, err := shell("make clean"); err != nil {
		fmt.Printf("make clean: %v\n%s", err, out)
		return 1
	}
	return code
}

// warnings are what Kubernetes found wrong in a namespace, and its pods: where a failed test ran, its output may be all
// that one gets to see.
func warnings(namespace string) string {
	out, err := shell(".local/bin/local exec -- kubectl --namespace " + namespace + " get pods -o wide; " +
		".local/bin/local exec -- kubectl --namespace " + namespace + " get events --field-selector type=Warning --sort-by .lastTimestamp | tail -30")
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, out)
	}
	return out
}

// keepLogs saves what a failure is explained by, before the node's folder goes.
func keepLogs() {
	for _, command := range []string{
		".local/bin/local exec -- kubectl get pods,events,deployments,jobs,hpa -A -o wide > .local/artifacts/cluster.txt",
		"cp -r " + home + "/logs .local/artifacts/",
	} {
		if out, err := shell("mkdir -p .local/artifacts && " + command); err != nil {
			fmt.Printf("%s: %v\n%s", command, err, out)
		}
	}
}

// shell runs a command line in the checkout, and returns everything that it printed.
func shell(command string) (string, error) {
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is shell for what has to work.
func must(t *testing.T, format string, args ...any) string {
	t.Helper()
	command := fmt.Sprintf(format, args...)
	start := time.Now()
	out, err := shell(command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Logf("%s: %.0f s", command, took.Seconds())
	}
	return out
}

// refused runs what has to fail, and returns what it said.
func refused(t *testing.T, format string, args ...any) string {
	t.Helper()
	command := fmt.Sprintf(format, args...)
	out, err := shell(command)
	if err == nil {
		t.Fatalf("%s worked, want it refused; it said:\n%s", command, out)
	}
	return out
}

// kubectl runs in a stack's namespace.
func kubectl(t *testing.T, stack, args string) string {
	t.Helper()
	return strings.TrimSpace(must(t, ".local/bin/local exec -- kubectl --namespace %s %s", namespace(stack), args))
}

func namespace(stack string) string { return projectName + "-" + stack }

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func request(method, url string, body any, header map[string]string) (answer, error) {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	req.Host = header["Host"] // empty: the URL's
	// A connection for each request: the load balancer chooses again.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data)}, err
}

// call is request for what has to be answered with a status.
func call(t *testing.T, want int, method, url string, body any, header map[string]string) answer {
	t.Helper()
	a, err := request(method, url, body, header)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	if a.status != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, url, a.status, want, a.body)
	}
	return a
}

// item is a row, as the API shows it.
type item struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
}

func addItem(t *testing.T, site, title string) item {
	t.Helper()
	a := call(t, http.StatusCreated, http.MethodPost, site+"/api/items", map[string]string{"title": title}, nil)
	var i item
	if err := json.Unmarshal([]byte(a.body), &i); err != nil {
		t.Fatalf("read the new item: %v: %s", err, a.body)
	}
	return i
}

func titles(t *testing.T, site string) []string {
	t.Helper()
	a := call(t, http.StatusOK, http.MethodGet, site+"/api/items", nil, nil)
	var items []item
	if err := json.Unmarshal([]byte(a.body), &items); err != nil {
		t.Fatalf("read the items: %v: %s", err, a.body)
	}
	var all []string
	for _, i := range items {
		all = append(all, i.Title)
	}
	return all
}

// eventually waits for what takes its time, at most that long.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s: not %s", limit, what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// output is one of a stack's outputs.
func output(t *testing.T, stack, name string) string {
	t.Helper()
	found := ofType(t, stack, "pulumi:pulumi:Stack")
	if len(found) == 0 {
		t.Fatalf("the state of %s has no stack", stack)
	}
	var outputs map[string]any
	if err := json.Unmarshal(found[0].Outputs, &outputs); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(outputs[name])
}

// psql asks a stack's database, as its backend does, from inside the node.
func psql(t *testing.T, stack, sslmode, sql string) (string, error) {
	t.Helper()
	user, password := login(t, stack)
	return psqlTo(output(t, stack, "databaseEndpoint"), "app", sslmode, user, password, sql)
}
