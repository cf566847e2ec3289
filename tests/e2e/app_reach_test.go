//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What stands around the node of this test: addresses of every kind, of which one listens on three ports.
const (
	public, otherPublic = "203.0.113.7", "203.0.113.8"
	privateNetwork      = "192.168.77.7"
	carrier             = "100.64.7.7"
	nodeMetadata        = "169.254.169.254"
	taskMetadata        = "169.254.170.2"
	identityAgent       = "169.254.170.23"
	privateRegistry     = "10.0.0.10:5000"
)

// TestPodsReachWhatTheConfigOpens has one stack with everything that leads out of it: addresses, AWS, a private registry and
// certain nodes.
func TestPodsReachWhatTheConfigOpens(t *testing.T) {
	t.Parallel()
	image := privateRegistry + "/acme/frontend:" + fmt.Sprint(time.Now().UnixNano()) // never there before
	around := surroundings(t)
	startInside(t, around)
	must(t, ".local/bin/local exec -- kubectl label node ip-10-0-0-10 example.org/pool=apps --overwrite")

	s := newTestStack(t, "reach", "dev")
	s.set(t, "backend", `egress: [{ to: 203.0.113.7/32, ports: [8443] }, { to: 0.0.0.0/0, ports: [9443] }]`)
	s.set(t, "backend", `permissions: [{ actions: [s3:GetObject], resources: ["arn:aws:s3:::acme-uploads/*"] }]`)
	s.set(t, "frontend", `egress: [{ to: internet, ports: [8443] }, { to: backend }]`)
	s.set(t, "frontend", "image: "+image)
	s.write(t, s.read(t)+fmt.Sprintf(`
  threetier:registry: { server: "%s", username: %s, password: %s }
  threetier:placement: { nodeSelector: { example.org/pool: apps }, tolerations: [{ key: dedicated, operator: Exists }] }
`, privateRegistry, around.Username, s.encrypt(t, around.Password)))
	said := s.upAsPlanned(t)

	t.Run("egress opens exactly what it says", func(t *testing.T) { opensWhatItSays(t, s, around) })
	t.Run("credentials come by the service account", func(t *testing.T) { credentialsOfTheRole(t, s) })
	t.Run("a private image is pulled with the stack's credentials alone", func(t *testing.T) { pullsPrivately(t, s, image, around, said) })
	t.Run("pods run on the nodes that the config names", func(t *testing.T) { runsOnLabelledNodes(t, s) })
	s.upChangesNothing(t)
}

func surroundings(t *testing.T) services {
	t.Helper()
	s := services{Registry: privateRegistry, Images: t.TempDir(), Username: "acme-bot", Password: "a token that must not be seen: 61e7a0"}
	for _, address := range []string{public, otherPublic, privateNetwork, carrier, nodeMetadata, taskMetadata} {
		for _, port := range []string{"80", "8443", "9443"} {
			s.Listen = append(s.Listen, address+":"+port)
		}
	}
	must(t, ".local/bin/local exec -- ctr --address %s/run/containerd/containerd.sock --namespace k8s.io images export %s/image.tar ghcr.io/acme/frontend:1.0.0 && "+
		"tar -xf %[2]s/image.tar -C %[2]s", home, s.Images)
	trustRegistry(t, privateRegistry)
	return s
}

// trustRegistry has the node pull from a registry without TLS: what a node of AWS does by itself for one with TLS.
func trustRegistry(t *testing.T, place string) {
	t.Helper()
	folder := filepath.Join(home, "node/registries", place)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	hosts := fmt.Sprintf("server = %q\n[host.%[1]q]\n  capabilities = [\"pull\", \"resolve\"]\n", "http://"+place)
	if err := os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startPods starts pods in a stack's namespace that look like those of some tiers to the network policies.
func startPods(t *testing.T, s *testStack, tiers ...string) {
	t.Helper()
	var objects []any
	for _, tier := range tiers {
		objects = append(objects, probe(namespace(s.name), tier))
	}
	apply(t, objects...)
	kubectl(t, s.name, "wait --for=condition=Ready --timeout=90s pod -l probe=yes")
}

func opensWhatItSays(t *testing.T, s *testStack, around services) {
	startPods(t, s, "backend", "backend-migration", "frontend")
	ns := namespace(s.name)
	service := "backend-service." + ns + ".svc.cluster.local"
	host, port, _ := strings.Cut(output(t, s.name, "databaseEndpoint"), ":")
	at := map[string]string{}
	for line := range strings.Lines(must(t, ".local/bin/local exec -- getent ahostsv4 %s %s", host, service)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			at[fields[2]] = fields[0]
		}
	}
	places := map[string]string{
		"database": "tcp " + at[host] + " " + port, "DNS": "tcp 169.254.20.10 53", "backend": "tcp " + at[service] + " 8000",
		"identity agent": "tcp " + identityAgent + " 80", "API server": "tcp 10.0.0.10 6443", "registry": "tcp " + strings.Replace(privateRegistry, ":", " ", 1),
	}
	for _, place := range around.Listen {
		places[place] = "tcp " + strings.Replace(place, ":", " ", 1)
	}
	for name, place := range places {
		if len(strings.Fields(place)) != 3 {
			t.Fatalf("the address of %s isn't known: %q", name, place)
		}
		// The node itself reaches all of them: what is closed below is closed by policy.
		fields := strings.Fields(place)
		must(t, ".local/bin/local exec -- timeout 5 bash -c '</dev/tcp/%s/%s'", fields[1], fields[2])
	}
	backend := []string{
		"100.64.7.7:9443", "192.168.77.7:9443", "203.0.113.7:8443", "203.0.113.7:9443", "203.0.113.8:9443", "DNS", "database", "identity agent",
	}
	expectOpen(t, ns, "backend", places, backend)
	expectOpen(t, ns, "backend-migration", places, backend)
	expectOpen(t, ns, "frontend", places, []string{"203.0.113.7:8443", "203.0.113.8:8443", "DNS", "backend"})
	blocked := kubectl(t, s.name, fmt.Sprintf(`exec probe-backend -- python3 -c 'import time, urllib.request
start = time.time()
try: urllib.request.urlopen("http://%s:8443", timeout=20)
except OSError as error: print(error, "after %%.1f s" %% (time.time() - start))'`, otherPublic))
	t.Logf("a blocked call says: %s", blocked)
}

// askAgent does what AWS's SDKs do.
const askAgent = `import os, urllib.error, urllib.request
request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
request.add_header("Authorization", open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read())
try: print(200, urllib.request.urlopen(request, timeout=10).read().decode())
except urllib.error.HTTPError as refused: print(refused.code, refused.read().decode())`

func credentialsOfTheRole(t *testing.T, s *testStack) {
	said := kubectl(t, s.name, "exec deployment/"+deployment(t, s.name, "backend")+" -- python3 -c '"+askAgent+"'")
	answer, granted := strings.CutPrefix(said, "200 ")
	var credentials struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      time.Time
	}
	if err := json.Unmarshal([]byte(answer), &credentials); !granted || err != nil {
		t.Fatalf("the agent says %q: %v", said, err)
	}
	if credentials.AccessKeyID == "" || credentials.SecretAccessKey == "" || !credentials.Expiration.After(time.Now()) {
		t.Errorf("the credentials are %+v", credentials)
	}
	token, err := base64.StdEncoding.DecodeString(credentials.Token)
	if err != nil {
		t.Fatal(err)
	}
	var session struct {
		Role string
		Tags map[string]string
	}
	if err := json.Unmarshal(token, &session); err != nil {
		t.Fatal(err)
	}
	if session.Tags["kubernetes-namespace"] != namespace(s.name) || session.Tags["kubernetes-service-account"] != "backend" {
		t.Errorf("the session's tags are %v", session.Tags)
	}
	_, role, _ := strings.Cut(session.Role, ":role/")
	document := recorded(t, "iam/rolePolicy", policyOf(t, s, role))["policy"].(string)
	if !strings.Contains(document, "arn:aws:s3:::acme-uploads/*") {
		t.Errorf("the role %s has the policy %s", role, document)
	}

	// Another service account, in a pod that reaches the agent.
	stranger := probe(namespace(s.name), "backend").(map[string]any)
	stranger["metadata"].(map[string]any)["name"] = "stranger"
	spec := stranger["spec"].(map[string]any)
	spec["volumes"] = []any{map[string]any{"name": "token", "projected": map[string]any{"sources": []any{map[string]any{
		"serviceAccountToken": map[string]any{"audience": "pods.eks.amazonaws.com", "path": "token"},
	}}}}}
	container := spec["containers"].([]any)[0].(map[string]any)
	container["volumeMounts"] = []any{map[string]any{"name": "token", "mountPath": "/token"}}
	container["env"] = []any{
		map[string]any{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://" + identityAgent + "/v1/credentials"},
		map[string]any{"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "value": "/token/token"},
	}
	spec["securityContext"] = map[string]any{"fsGroup": 10001}
	apply(t, stranger)
	kubectl(t, s.name, "wait --for=condition=Ready --timeout=90s pod/stranger")
	eventually(t, time.Minute, "refused by the agent", func() bool {
		said, err := shell(".local/bin/local exec -- kubectl --namespace " + namespace(s.name) + " exec stranger -- python3 -c '" + askAgent + "'")
		return err == nil && strings.HasPrefix(said, "404 ResourceNotFoundException: No association found for service account default")
	})
}

// policyOf is the id of the policy in a role.
func policyOf(t *testing.T, s *testStack, role string) string {
	t.Helper()
	for _, r := range state(t, s.name) {
		if r.Type == "aws:iam/rolePolicy:RolePolicy" && strings.HasPrefix(r.ID, role+":") {
			return r.ID
		}
	}
	t.Fatalf("the stack has no policy in the role %s", role)
	return ""
}

func apply(t *testing.T, objects ...any) {
	t.Helper()
	must(t, ".local/bin/local exec -- kubectl apply -f %s", manifest(t, objects))
}

func pullsPrivately(t *testing.T, s *testStack, image string, around services, said string) {
	if events := kubectl(t, s.name, "get events --field-selector reason=Pulled"); !strings.Contains(events, "Successfully pulled image \""+image) {
		t.Errorf("the image wasn't pulled:\n%s", events)
	}
	call(t, http.StatusOK, http.MethodGet, s.site+"/", nil, nil)
	without := probe(namespace(s.name), "frontend").(map[string]any)
	without["metadata"].(map[string]any)["name"] = "without"
	container := without["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	// A node hands out what it has already pulled; so that this asks the registry, it asks always.
	container["image"], container["imagePullPolicy"] = image, "Always"
	apply(t, without)
	eventually(t, time.Minute, "refused by the registry", func() bool {
		return strings.Contains(kubectl(t, s.name, "get events --field-selector involvedObject.name=without,reason=Failed"), "401 Unauthorized")
	})
	kubectl(t, s.name, "delete pod without --wait=false")
	places := map[string]string{
		"the output of up": said, "Kubernetes": kubectl(t, s.name, "get pods,deployments,replicasets,jobs,configmaps,services -o yaml"),
	}
	for _, file := range []string{"state/.pulumi/stacks/" + projectName + "/reach.json", "logs/reach-up.events.jsonl", "project/Pulumi.reach.yaml"} {
		data, err := os.ReadFile(filepath.Join(home, file))
		if err != nil {
			t.Fatal(err)
		}
		places[file] = string(data)
	}
	for place, text := range places {
		for _, written := range forms(t, around.Password) {
			if strings.Contains(text, string(written)) {
				t.Errorf("%s shows the registry's password as %q", place, written)
			}
		}
	}
}

func runsOnLabelledNodes(t *testing.T, s *testStack) {
	const label = ".local/bin/local exec -- kubectl label node ip-10-0-0-10 example.org/pool"
	must(t, label+"-")
	defer must(t, label+"=apps --overwrite")
	old := runningPods(t, s.name, "frontend")
	kubectl(t, s.name, "delete pod --wait=false "+strings.Join(old, " "))
	eventually(t, time.Minute, "refused by the scheduler", func() bool {
		return strings.Contains(kubectl(t, s.name, "get events --field-selector reason=FailedScheduling"), "didn't match Pod's node affinity/selector")
	})
	must(t, label+"=apps --overwrite")
	eventually(t, time.Minute, "running on the node with the label", func() bool {
		now := runningPods(t, s.name, "frontend")
		return len(now) == 1 && !slices.Contains(old, now[0])
	})
	tiers := map[string]bool{}
	for line := range strings.Lines(kubectl(t, s.name, `get pods -l probe!=yes -o jsonpath='{range .items[*]}{.metadata.labels.app\.kubernetes\.io/name} {.spec.nodeSelector} {.spec.tolerations}{"\n"}{end}'`)) {
		tier, rest, _ := strings.Cut(line, " ")
		tiers[tier] = true
		if !strings.Contains(rest, `{"example.org/pool":"apps"}`) || !strings.Contains(rest, `{"key":"dedicated","operator":"Exists"}`) {
			t.Errorf("%s has %s", tier, rest)
		}
	}
	if want := []string{"backend", "backend-migration", "database-roles", "frontend", "nginx"}; !slices.Equal(slices.Sorted(maps.Keys(tiers)), want) {
		t.Errorf("the pods are of %v, want %v", slices.Sorted(maps.Keys(tiers)), want)
	}
}
