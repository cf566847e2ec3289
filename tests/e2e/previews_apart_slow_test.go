//go:build e2e && slow

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// letPreviewsIn brings dev to let previews in, until the test ends.
func letPreviewsIn(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { upDev(t) })
	must(t, "%s", upVariant(variant(t, "\n  threetier:frontend:", "\n  threetier:domain: { previews: true }\n\n  threetier:frontend:")))
}

// previewUp makes previews of pull requests at the same time.
func previewUp(t *testing.T, numbers ...int) {
	t.Helper()
	t.Cleanup(func() { previewDown(t, numbers...) })
	inParallel(t, "make preview-up PR=%d", numbers)
}

func previewDown(t *testing.T, numbers ...int) {
	t.Helper()
	inParallel(t, "make preview-down PR=%d", numbers)
}

func inParallel(t *testing.T, command string, numbers []int) {
	t.Helper()
	failed := make(chan string, len(numbers))
	for _, number := range numbers {
		go func() {
			said, err := shell(fmt.Sprintf(command, number))
			if err != nil {
				failed <- fmt.Sprintf("%s: %v\n%s", fmt.Sprintf(command, number), err, said)
				return
			}
			failed <- ""
		}()
	}
	for range numbers {
		if said := <-failed; said != "" {
			t.Error(said)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func ofPreview(number int) map[string]string {
	return map[string]string{"Host": fmt.Sprintf("pr-%d.dev.example.org", number)}
}

// inPreview runs Python in a pod of the backend.
func inPreview(t *testing.T, stack, program string) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, stack, fmt.Sprintf("exec deployment/%s -- python3 -c '%s'", deployment(t, stack, "backend"), program)))
}

// databaseURL is that of a stack's backend.
func databaseURL(t *testing.T, stack string) string {
	t.Helper()
	return inPreview(t, stack, `import os; print(os.environ["DATABASE_URL"])`)
}

func TestSlowPreviewsAreApart(t *testing.T) {
	letPreviewsIn(t)
	start := time.Now()
	previewUp(t, 1, 2, 3)
	t.Logf("three previews at once are up after %.0f s", time.Since(start).Seconds())

	t.Run("EachAnswersByItsHost", answersByHost)
	t.Run("LoginsConnectToTheirOwnDatabaseAlone", connectToTheirOwn)
	t.Run("PodsReachNoOtherStacks", reachNoOther)
	t.Run("NothingIsLeft", leavesNothing)
}

func answersByHost(t *testing.T) {
	for _, number := range []int{1, 2, 3} {
		call(t, http.StatusOK, http.MethodGet, dev+"/", nil, ofPreview(number))
		call(t, http.StatusCreated, http.MethodPost, dev+"/api/items", map[string]string{"title": fmt.Sprintf("only in pr-%d", number)}, ofPreview(number))
	}
	for _, number := range []int{1, 2} {
		body := call(t, http.StatusOK, http.MethodGet, dev+"/api/items", nil, ofPreview(number)).body
		if !strings.Contains(body, fmt.Sprintf("only in pr-%d", number)) || strings.Contains(body, fmt.Sprintf("only in pr-%d", 3-number)) {
			t.Errorf("pr-%d answers %s", number, body)
		}
	}
	if slices.ContainsFunc(titles(t, dev), func(title string) bool { return strings.HasPrefix(title, "only in pr-") }) {
		t.Error("dev has the items of a preview")
	}
	gone := call(t, http.StatusNotFound, http.MethodGet, dev+"/", nil, ofPreview(999))
	if want := "pr-999 isn't here: there is no preview of this name, or it isn't up yet\n"; gone.body != want {
		t.Errorf("a preview that isn't there answers %q, want %q", gone.body, want)
	}
}

func connectToTheirOwn(t *testing.T) {
	const connect = `import psycopg2,sys
try:
    print(psycopg2.connect(%q).cursor().execute("select 1") or "connected")
except Exception as problem:
    print(problem)`
	databases := map[string]string{"dev": "app", "pr-1": "pr_1", "pr-2": "pr_2"}
	for stack, own := range databases {
		url := databaseURL(t, stack)
		for _, database := range databases {
			said := inPreview(t, stack, fmt.Sprintf(connect, strings.Replace(url, "/"+own+"?", "/"+database+"?", 1)))
			want := "permission denied for database"
			if database == own {
				want = "connected"
			}
			if !strings.Contains(said, want) {
				t.Errorf("the login of %s in %s: %s, want %s", stack, database, said, want)
			}
		}
	}
}

// podAddress is that of one pod of a tier.
func podAddress(t *testing.T, stack, tier string) string {
	t.Helper()
	return kubectl(t, stack, "get pods -l app.kubernetes.io/name="+tier+" --field-selector=status.phase=Running -o jsonpath='{.items[0].status.podIP}'")
}

func reachNoOther(t *testing.T) {
	const elsewhere = "previews-elsewhere"
	startProbes(t, elsewhere)
	at := map[string]string{}
	for _, stack := range []string{"dev", "pr-1", "pr-2"} {
		for tier, port := range map[string]int{"nginx": 8080, "backend": 8000, "frontend": 8080} {
			at[stack+" "+tier] = fmt.Sprintf("tcp %s %d", podAddress(t, stack, tier), port)
		}
	}
	for _, stack := range []string{"pr-1", "dev"} {
		others := maps.Clone(at)
		delete(others, stack+" backend") // no policy stands between a pod and itself
		places, err := json.Marshal(others)
		if err != nil {
			t.Fatal(err)
		}
		ask := fmt.Sprintf("exec deployment/%s -- python3 -c '%s' '%s'", deployment(t, stack, "backend"), connectScript, places)
		// As in expectOpen: the policies of a new pod take a moment.
		eventually(t, time.Minute, "the backend of "+stack+" reaches nothing", func() bool {
			reached := kubectl(t, stack, ask)
			if reached != "[]" {
				t.Logf("the backend of %s reaches %s", stack, reached)
			}
			return reached == "[]"
		})
	}
	expectOpen(t, elsewhere, "nginx", at, []string{"dev nginx"})
}

func leavesNothing(t *testing.T) {
	previewDown(t, 1, 2, 3)
	previewDown(t, 1) // also twice
	call(t, http.StatusNotFound, http.MethodGet, dev+"/", nil, ofPreview(1))
	if left := previewsLeft(t); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// previewsLeft are the namespaces, stacks, databases and roles of previews.
func previewsLeft(t *testing.T) string {
	t.Helper()
	left := must(t, ".local/bin/local exec -- kubectl get namespaces -o name | grep -- -pr- || true") +
		must(t, ".local/bin/local exec -- bash -c 'cd %s/project && pulumi stack ls --json' | jq --raw-output '.[].name | select(startswith(\"pr-\"))'", home)
	said, err := psql(t, "dev", "verify-full", "select string_agg(name, ' ') from (select datname as name from pg_database union all select rolname from pg_roles) as names where name like 'pr\\_%'")
	if err != nil {
		t.Fatalf("ask the database: %v: %s", err, said)
	}
	return strings.TrimSpace(left + said)
}
