//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// buildSample makes an image as anyone would who has only buildah, and loads its archive.
func buildSample(t *testing.T, dir, name string) {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	buildah := fmt.Sprintf("buildah --root %[1]s/.local/buildah --runroot %[1]s/.local/run/buildah --storage-driver overlay", root)
	must(t, "%s bud --layers --isolation chroot --pull-never --tag %s tests/e2e/sample/%s", buildah, name, dir)
	must(t, "%s push %s docker-archive:%s:%s", buildah, name, archive, name)
	must(t, "bin/local load %s", archive)
}

func TestForeignAppRunsByConfigAlone(t *testing.T) {
	t.Parallel()
	const key = "a key that must not be seen: 5f0c61"
	buildSample(t, "backend", "registry.example.com/shop/api:7")
	buildSample(t, "frontend", "registry.example.com/shop/page:7")

	s := newStack(t, "shop", "tests/e2e/sample/Pulumi.shop.yaml")
	edit(t, s.config, "    env: { SHOP_CURRENCY: EUR }\n", "    env: { SHOP_CURRENCY: EUR }\n    secretEnv: { SIGNING_KEY: "+s.encrypt(t, key)+" }\n")
	start := time.Now()
	said := s.up(t)
	t.Logf("the foreign app is up after %.0f s", time.Since(start).Seconds())

	for _, path := range []string{"/", "/orders/17"} {
		if page := call(t, http.StatusOK, http.MethodGet, s.site+path, nil, nil); !strings.Contains(page.body, `<main id="shop">`) {
			t.Errorf("%s is %q, want the page", path, page.body)
		}
	}
	order := call(t, http.StatusCreated, http.MethodPost, s.site+"/shop/v1/orders", "two of them", nil)
	if got := order.header.Get("Location"); !regexp.MustCompile(`^/shop/v1/orders/[0-9]+$`).MatchString(got) {
		t.Errorf("the order's place is %q, want the prefix before what the app says", got)
	}
	var answer struct{ Signature, Currency string }
	if err := json.Unmarshal([]byte(order.body), &answer); err != nil {
		t.Fatalf("read the answer: %v: %s", err, order.body)
	}
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(`"two of them"`))
	if answer.Signature != hex.EncodeToString(sum.Sum(nil)) || answer.Currency != "EUR" {
		t.Errorf("the app's answer is %s, want it signed with the key, in EUR", order.body)
	}
	if orders := call(t, http.StatusOK, http.MethodGet, s.site+"/shop/v1/orders", nil, nil).body; !strings.Contains(orders, "two of them") {
		t.Errorf("the orders are %s", orders)
	}

	s.upChangesNothing(t)
	places := map[string]string{
		"the output of up": said,
		"Kubernetes":       kubectl(t, "shop", "get pods,deployments,replicasets,jobs,configmaps,services -o yaml"),
		"nginx's log":      kubectl(t, "shop", "logs --tail=-1 -l app.kubernetes.io/name=nginx"),
	}
	for _, file := range []string{"state/.pulumi/stacks/" + projectName + "/shop.json", "logs/shop-up.events.jsonl", "project/Pulumi.shop.yaml"} {
		data, err := os.ReadFile(filepath.Join(home, file))
		if err != nil {
			t.Fatal(err)
		}
		places[file] = string(data)
	}
	for place, text := range places {
		if strings.Contains(text, "5f0c61") {
			t.Errorf("%s shows the key", place)
		}
	}
	t.Run("KilledMigrationFreesItsLocks", func(t *testing.T) { killsMigration(t, s) })
}

// killsMigration lets a Job end in the middle of a statement; its command ignores SIGTERM. The old version serves on, so it
// must be able to write.
func killsMigration(t *testing.T, s *testStack) {
	const limit = 30 * time.Second
	s.set(t, "backend", "migrate: [python3, /srv/shop/stuck.py]")
	s.set(t, "backend", "migrateSeconds: 15")
	said := make(chan string, 1)
	go func() {
		out, err := shell(s.command("up"))
		said <- fmt.Sprint(out, err)
	}()
	impatient := http.Client{Timeout: 2 * time.Second}
	eventually(t, time.Minute, "the orders locked by the migration", func() bool {
		answer, err := impatient.Get(s.site + "/shop/v1/orders")
		if err == nil {
			answer.Body.Close()
		}
		return err != nil
	})
	out := <-said
	// Not the time of Failed, which comes when the pod is gone.
	failing := kubectl(t, s.name, `get jobs -o jsonpath='{.items[*].status.conditions[?(@.type=="FailureTarget")].lastTransitionTime}'`)
	ended, err := time.Parse(time.RFC3339, failing)
	if err != nil || !strings.Contains(out, "app-backend-migrate") || !strings.Contains(out, "DeadlineExceeded") {
		t.Fatalf("the Job's deadline was %q: %v; the up says:\n%s", failing, err, out)
	}
	eventually(t, time.Until(ended.Add(limit)), "an order taken after the migration's deadline", func() bool {
		a, err := request(http.MethodPost, s.site+"/shop/v1/orders", "after the migration", nil)
		return err == nil && a.status == http.StatusCreated
	})
	t.Logf("an order was taken %s after the Job's deadline", time.Since(ended).Round(time.Second))
}
