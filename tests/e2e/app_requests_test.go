//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The images of dev, each under a second tag: to Kubernetes a new version.
var secondTags = map[string]string{
	"ghcr.io/acme/backend:1.0.0":                     "ghcr.io/acme/backend:1.0.1",
	"ghcr.io/acme/frontend:1.0.0":                    "ghcr.io/acme/frontend:1.0.1",
	"public.ecr.aws/nginx/nginx-unprivileged:1.28.0": "public.ecr.aws/nginx/nginx-unprivileged:1.28.1",
}

const (
	backendReplicas = "replicas: { min: 2, max: 4 } # two, so that a pod can go"
	nginxKey        = "threetier:nginx:\n"
	frontendImage   = "image: ghcr.io/acme/frontend:1.0.0"
	backendImage    = "image: ghcr.io/acme/backend:1.0.0"
)

// One after the other, since all three are about dev; tests with stacks of their own run beside them.
func TestNoRequestIsLost(t *testing.T) {
	t.Parallel()
	t.Run("WhileDevChanges", changesUnderLoad)
	t.Run("WithAPod", deletesPodsUnderLoad)
	t.Run("WithTheDatabase", restartsTheDatabaseUnderLoad)
}

func changesUnderLoad(t *testing.T) {
	for image, tag := range secondTags {
		retag(t, image, tag)
	}
	// An autoscaler would change the number of pods in between.
	fixed := []string{backendReplicas, "replicas: { min: 2, max: 2 } # two, so that a pod can go"}
	images := slices.Concat(fixed, []string{
		backendImage, "image: ghcr.io/acme/backend:1.0.1",
		frontendImage, "image: ghcr.io/acme/frontend:1.0.1",
		nginxKey, nginxKey + "    image: public.ecr.aws/nginx/nginx-unprivileged:1.28.1\n",
	})
	config := slices.Concat(fixed, []string{nginxKey, nginxKey + "    maxBodySize: 11m\n"})
	steps := []struct {
		what  string
		pairs []string
	}{
		{"a new image of each tier", images},
		{"back to the old images, one pod more of each tier", []string{
			backendReplicas, "replicas: { min: 3, max: 3 } # two, so that a pod can go",
			"replicas: { min: 2, max: 2 } # static", "replicas: { min: 3, max: 3 } # static",
			"replicas: { min: 2, max: 2 } # as the", "replicas: { min: 3, max: 3 } # as the"}},
		{"one pod less", fixed},
		{"another config of nginx", config},
		{"another secret", slices.Concat(config, []string{"env: { LOG_LEVEL: debug }", "env: { LOG_LEVEL: debug }\n    secretEnv: { TOKEN: changed }"})},
	}

	most := capacity(t, dev)
	rate := max(20, min(100, most/2))
	l := startLoad(dev, rate)
	defer l.end()
	deadline := time.Now().Add(6 * time.Minute)
	for i := 0; i < len(steps) || l.sent.Load() < 20_000 && time.Now().Before(deadline); i++ {
		step, sent := steps[i%len(steps)], l.sent.Load()
		must(t, "%s", upVariant(variant(t, step.pairs...)))
		t.Logf("%s: %d requests meanwhile", step.what, l.sent.Load()-sent)
		reportLost(t, step.what, l.failed())
	}
	upDev(t)
	reportLost(t, "dev as it was", l.failed())
	// Pods that were told to stop serve on for a while after the last up has ended.
	time.Sleep(20 * time.Second)
	l.end()
	reportLost(t, "after the last up", l.failed())
	t.Logf("the site can do %d requests/s; %d were sent at %d/s, %d of them twice by the client", most, l.sent.Load(), rate, l.repeated.Load())
	if l.sent.Load() < 20_000 {
		t.Errorf("%d requests were sent, want 20000", l.sent.Load())
	}
}

// reportLost fails the test for every request that has failed.
func reportLost(t *testing.T, when string, failures []failure) {
	t.Helper()
	if len(failures) == 0 {
		return
	}
	var lines []string
	for _, f := range failures[:min(len(failures), 10)] {
		lines = append(lines, f.String())
	}
	t.Errorf("%s: %d requests failed:\n%s", when, len(failures), strings.Join(lines, "\n"))
}

func deletesPodsUnderLoad(t *testing.T) {
	rate := max(20, min(100, capacity(t, dev)/2))
	l := startLoad(dev, rate)
	defer l.end()
	const gently, now, byForce = "--wait=false", "--wait=false --now", "--grace-period=0 --force"
	for _, deletion := range []struct{ tier, how string }{
		// Not by force: forgotten before it has ended, nginx would be cut off by the network policies in its last seconds.
		{"nginx", gently}, {"nginx", now},
		{"backend", gently}, {"backend", byForce},
		{"frontend", gently}, {"frontend", byForce},
	} {
		tier, how := deletion.tier, deletion.how
		kubectl(t, "dev", fmt.Sprintf("delete pod %s %s", runningPods(t, "dev", tier)[0], how))
		kubectl(t, "dev", "rollout status --timeout=120s deployment/"+deployment(t, "dev", tier))
		// The one that stops may still be serving: its last seconds count too.
		time.Sleep(5 * time.Second)
		failures := l.failed()
		t.Logf("delete pod %s of %s: %d writes failed", how, tier, len(failures)-len(lost(failures)))
		reportLost(t, "delete pod "+how+" of "+tier, lost(failures))
	}
	t.Logf("%d requests at %d/s, %d of them sent twice by the client", l.sent.Load(), rate, l.repeated.Load())
}

func restartsTheDatabaseUnderLoad(t *testing.T) {
	database := output(t, "dev", "databaseIdentifier")
	l := startLoad(dev, 50)
	defer l.end()
	time.Sleep(2 * time.Second)
	account(t, http.MethodPost, "/instances/"+database+"/stop", "", nil)
	eventually(t, 20*time.Second, "a request that fails without its database", func() bool { return len(l.failed()) > 0 })
	time.Sleep(5 * time.Second)
	account(t, http.MethodPost, "/instances/"+database+"/start", "", nil)
	back := time.Now()
	healthy := time.Time{}
	eventually(t, 10*time.Second, "writes are answered well again", func() bool {
		a, err := request(http.MethodPost, dev+"/api/items", map[string]string{"title": "after the restart"}, nil)
		healthy = time.Now()
		return err == nil && a.status == http.StatusCreated
	})
	time.Sleep(time.Until(back.Add(10 * time.Second)))
	l.failed()
	time.Sleep(5 * time.Second)
	reportLost(t, "10 s after the database's return", l.failed())
	l.end()
	t.Logf("healthy %s after the database's return", healthy.Sub(back).Round(time.Millisecond))

	stored := allTitles(t, "dev", "load ")
	for _, title := range l.added {
		if !stored[title] {
			t.Errorf("%q was acknowledged, and isn't stored", title)
		}
	}
	t.Logf("%d writes were acknowledged", len(l.added))
	if len(l.added) == 0 {
		t.Error("no write was acknowledged")
	}
}
