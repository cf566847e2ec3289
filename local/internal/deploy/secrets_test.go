package deploy

import (
	"os"
	"strings"
	"testing"

	"threetier/local/internal/home"
)

const (
	ofKMS = `secretsprovider: awskms://alias/pulumi-dev?region=eu-west-1
encryptedkey: AQICAHg=
config:
  # A reason.
  aws:region: eu-west-1
  threetier:backend:
    image: ghcr.io/acme/api@sha256:0a0a
    secretEnv: { KEY: { secure: v1:abc:def }, OTHER: { secure: v1:ghi:jkl } }
`
	ofPassphrase = `encryptionsalt: v1:salt
config:
  threetier:backend: { secretEnv: { KEY: { secure: "v1:abc:def" } } }
`
	ofPulumiCloud = `config:
  threetier:backend: { secretEnv: { KEY: { secure: AAABAKqx } } }
`
)

func TestConfigOfAnotherSecretsProviderIsReadableHere(t *testing.T) {
	for config, want := range map[string]int{ofKMS: 2, ofPassphrase: 0, ofPulumiCloud: 1, "config: {}\n": 0, "config: [": 0} {
		ours, others, err := readable([]byte(config))
		if err != nil || others != want {
			t.Errorf("%s has %d stand-ins and error %v, want %d", config, others, err, want)
		}
		if want == 0 && string(ours) != config {
			t.Errorf("%s becomes %s", config, ours)
		}
		for _, left := range []string{"secretsprovider", "encryptedkey", "secure: AAA"} {
			if strings.Contains(string(ours), left) {
				t.Errorf("%s is still in %s", left, ours)
			}
		}
	}
	ours, _, _ := readable([]byte(ofKMS))
	again, _, _ := readable([]byte(ofKMS))
	if string(ours) != string(again) || strings.Contains(string(ours), "secure:") || !strings.Contains(string(ours), "image: ghcr.io/acme/api@sha256:0a0a") {
		t.Errorf("the config becomes %s, then %s", ours, again)
	}
}

func TestCopyOfAConfigKeepsTheSaltBesideAStandIn(t *testing.T) {
	h := home.Home{Project: t.TempDir()}
	if err := os.MkdirAll(Project(h), 0o700); err != nil {
		t.Fatal(err)
	}
	file := h.Deployed("Pulumi.dev.yaml")
	for name, content := range map[string]string{file: ofKMS, configCopy(h, "", "dev"): "encryptionsalt: v1:salt\nconfig: {}\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyConfig(h, "", "dev", file, true); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(configCopy(h, "", "dev"))
	if err != nil || !strings.HasPrefix(string(have), "encryptionsalt: v1:salt\nconfig:\n") {
		t.Errorf("the copy is %s, %v", have, err)
	}
}
