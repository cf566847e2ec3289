//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"threetier/components/app/images"

	"threetier/gate/load"
)

// The images of dev, each under a second tag: to Kubernetes a new version.
var secondTags = map[string]string{
	"ghcr.io/acme/backend:1.0.0":  "ghcr.io/acme/backend:1.0.1",
	"ghcr.io/acme/frontend:1.0.0": "ghcr.io/acme/frontend:1.0.1",
	withoutTag(images.Nginx):      secondNginx,
}

// withoutTag is how containerd names an image that is given with tag and digest.
func withoutTag(image string) string {
	return regexp.MustCompile(`:[^/@]+@`).ReplaceAllString(image, "@")
}

const (
	secondNginx     = "docker.io/acme/nginx:2"
	backendReplicas = "replicas: { min: 2, max: 4 } # two, so that a pod can go"
	nginxKey        = "threetier:nginx:\n"
	frontendImage   = "image: ghcr.io/acme/frontend:1.0.0"
	backendImage    = "image: ghcr.io/acme/backend:1.0.0"
)

// Dev is changed in every way that replaces pods, and then its pods are deleted, all under one load.
func TestNoRequestIsLost(t *testing.T) {
	t.Parallel()
	most := capacity(t, dev)
	rate := max(20, min(100, most/2))
	l := startLoad(dev, rate)
	defer l.end()
	deadline := time.Now().Add(6 * time.Minute)
	changesUnderLoad(t, l)
	deletesPodsUnderLoad(t, l)
	for l.sent() < 20_000 && time.Now().Before(deadline) {
		time.Sleep(time.Second)
	}
	enough := l.End(20_000)
	reportLost(t, "after the last deletion", lost(l.failed()))
	repeated := slices.DeleteFunc(l.Hits(), func(h load.Hit) bool { return !h.Repeated })
	t.Logf("the site can do %d requests/s; %d were sent at %d/s, %d of them twice by the client", most, l.sent(), rate, len(repeated))
	if enough != nil {
		t.Error(enough)
	}
	stored := allTitles(t, "dev", "load ")
	for _, title := range l.added() {
		if !stored[title] {
			t.Errorf("%q isn't in the table, though the site said that it is stored", title)
		}
	}
	if len(l.added()) < 500 {
		t.Errorf("%d writes were acknowledged, want 500 or more of 20,000 requests", len(l.added()))
	}
}

func changesUnderLoad(t *testing.T, l *traffic) {
	t.Helper()
	for image, tag := range secondTags {
		retag(t, image, tag)
	}
	// An autoscaler would change the number of pods in between.
	fixed := []string{backendReplicas, "replicas: { min: 2, max: 2 } # two, so that a pod can go"}
	images := slices.Concat(fixed, []string{
		backendImage, "image: ghcr.io/acme/backend:1.0.1",
		frontendImage, "image: ghcr.io/acme/frontend:1.0.1",
		nginxKey, nginxKey + "    image: " + secondNginx + "\n",
	})
	config := slices.Concat(fixed, []string{nginxKey, nginxKey + "    maxBodySize: 11m\n"})
	for _, step := range []struct {
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
	} {
		sent := l.sent()
		must(t, "%s", upVariant(variant(t, step.pairs...)))
		t.Logf("%s: %d requests meanwhile", step.what, l.sent()-sent)
		reportLost(t, step.what, l.failed())
	}
	upDev(t)
	reportLost(t, "dev as it was", l.failed())
	// Pods that are stopping serve on for a while after the last up has ended.
	time.Sleep(20 * time.Second)
	reportLost(t, "after the last up", l.failed())
}

// reportLost fails the test for every request that has failed.
func reportLost(t *testing.T, when string, failures []load.Hit) {
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

func deletesPodsUnderLoad(t *testing.T, l *traffic) {
	t.Helper()
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
}
