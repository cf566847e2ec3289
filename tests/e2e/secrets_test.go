//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the search looks for, with characters that JSON, URLs and shells write in another way.
const (
	ownPassword  = "Own%p+ss<w>rd&'of{us}=31"
	secretValue  = "a%secret+of<the>app&'s"
	secretConfig = `{ JWT_SECRET_KEY: %s }`
)

func TestNoSecretIsFoundOutsideOfKubernetesSecrets(t *testing.T) {
	t.Parallel()
	s := newTestStack(t, "secrets", "dev")
	s.set(t, "database", "password: "+s.encrypt(t, ownPassword))
	s.set(t, "backend", "secretEnv: "+fmt.Sprintf(secretConfig, s.encrypt(t, secretValue)))
	out := s.preview(t) + s.up(t)
	s.set(t, "backend", "env: { LOG_LEVEL: info }")
	out += s.breaksItsPlan(t)
	out += s.preview(t)
	out += must(t, "make preview")

	_, generated := login(t, "dev")
	if got := administratorsPassword(t, s.name); got != ownPassword {
		t.Fatalf("the administrator's password isn't the config's own")
	}
	if len(generated) != 32 {
		t.Fatalf("the generated password has %d characters, want 32", len(generated))
	}
	secrets := map[string][][]byte{
		"the generated password": forms(t, generated),
		"the own password":       forms(t, ownPassword),
		"the secretEnv value":    forms(t, secretValue),
	}

	places := map[string][]byte{"the output of up and preview": []byte(out)}
	for _, stack := range []string{"dev", s.name} {
		inData, elsewhere := cluster(t, stack)
		places["the resources of "+stack] = elsewhere
		for what, of := range map[string]string{"the generated password": "dev", "the own password": s.name, "the secretEnv value": s.name} {
			if of == stack && !containsAny(inData, secrets[what]) {
				t.Errorf("%s isn't in the Kubernetes Secrets of %s: the search can't find it", what, stack)
			}
		}
	}
	addFiles(t, places)
	for place, content := range places {
		for what, written := range secrets {
			if containsAny(content, written) {
				t.Errorf("%s is in %s", what, place)
			}
		}
	}
	t.Logf("searched %d places", len(places))
}

// breaksItsPlan is an up that would do something else than its plan: what differs is a secret.
func (s *testStack) breaksItsPlan(t *testing.T) string {
	t.Helper()
	config, plan := s.read(t), filepath.Join(t.TempDir(), "plan.json")
	s.set(t, "backend", "secretEnv: "+fmt.Sprintf(secretConfig, s.encrypt(t, "another value")))
	must(t, "%s --save-plan %s", s.command("preview"), plan)
	s.write(t, config)
	said := refused(t, "%s --plan %s", s.command("up"), plan)
	if !strings.Contains(said, "violates plan: properties changed") {
		t.Errorf("the refused up doesn't say what broke the plan:\n%s", said)
	}
	return said
}

// encrypt is a value as a stack's config holds a secret.
func (s *testStack) encrypt(t *testing.T, value string) string {
	t.Helper()
	input := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(input, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	// The rest of what it says is for people: that it waits for another command, say.
	said := must(t, "%s < %s", s.command("encrypt"), input)
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "secure: ") {
			return "{ " + strings.TrimSpace(line) + " }"
		}
	}
	t.Fatalf("encrypt says no secret:\n%s", said)
	return ""
}

// forms are the ways in which a value may be written down.
func forms(t *testing.T, value string) [][]byte {
	t.Helper()
	quoted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{
		value, url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`),
		strings.ReplaceAll(value, "'", "''"), // within YAML's quotes
	}
	// Within a longer text, base64 depends on what stands before: three ways, without the ends that neighbours share.
	for before := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
		from := []int{0, 2, 3}[before]
		to := len(encoded) - 4
		all = append(all, encoded[from:to], strings.NewReplacer("+", "-", "/", "_").Replace(encoded[from:to]))
	}
	written := make([][]byte, len(all))
	for i, form := range all {
		written[i] = []byte(form)
	}
	return written
}

func containsAny(content []byte, written [][]byte) bool {
	for _, form := range written {
		if bytes.Contains(content, form) {
			return true
		}
	}
	return false
}

// cluster is all of a stack's namespace: the data of its Secrets, and everything else, with the pods' logs.
func cluster(t *testing.T, stack string) (secretData, rest []byte) {
	t.Helper()
	var secrets struct {
		Items []map[string]json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal([]byte(kubectl(t, stack, "get secrets -o json")), &secrets); err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets.Items {
		secretData = append(secretData, secret["data"]...)
		delete(secret, "data")
	}
	bare, err := json.Marshal(secrets.Items)
	if err != nil {
		t.Fatal(err)
	}
	kinds := "$(.local/bin/local exec -- kubectl api-resources --namespaced --verbs=list -o name | grep -vx secrets | paste -sd,)"
	all := kubectl(t, stack, "get "+kinds+" -o yaml --show-managed-fields")
	logs := kubectl(t, stack, "logs --all-containers --ignore-errors --tail=-1 --prefix -l app.kubernetes.io/managed-by=pulumi")
	if !strings.Contains(all, "kind: ConfigMap") || !strings.Contains(all, "kind: Pod") || logs == "" {
		t.Errorf("the search of %s misses its config maps, pods or logs", stack)
	}
	return secretData, []byte(string(bare) + all + logs)
}

// addFiles reads everything that the node and the engine keep, except the cluster's own store and the containers, which hold
// Kubernetes' Secrets as they are by design.
func addFiles(t *testing.T, places map[string][]byte) {
	t.Helper()
	for _, dir := range []string{"state", "logs", "project", "account"} {
		before := len(places)
		err := filepath.WalkDir(filepath.Join(home, dir), func(path string, entry fs.DirEntry, err error) error {
			if os.IsNotExist(err) { // PostgreSQL removes files all the time
				return nil
			}
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				return nil
			}
			places[path] = data
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(places) == before {
			t.Errorf("the search found no files in %s", dir)
		}
	}
}
