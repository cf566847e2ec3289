package images

import "testing"

func TestAnImageByDigestIsFoundByItAndBuiltUnderATag(t *testing.T) {
	const digest = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	for given, want := range map[string]struct{ name, tag string }{
		"nginx":                              {"docker.io/library/nginx:latest", "docker.io/library/nginx:latest"},
		"ghcr.io/acme/api:1":                 {"ghcr.io/acme/api:1", "ghcr.io/acme/api:1"},
		"ghcr.io/acme/api@" + digest:         {"ghcr.io/acme/api@" + digest, "ghcr.io/acme/api:sha256-" + digest[7:]},
		"localhost:5000/api:1@" + digest:     {"localhost:5000/api@" + digest, "localhost:5000/api:sha256-" + digest[7:]},
		"ghcr.io/acme/api:1.0-rc1@" + digest: {"ghcr.io/acme/api@" + digest, "ghcr.io/acme/api:sha256-" + digest[7:]},
	} {
		name, err := Normal(given)
		if err != nil || name != want.name {
			t.Errorf("%s is looked up as %s, want %s (%v)", given, name, want.name, err)
		}
		if tag := tagged(name); tag != want.tag {
			t.Errorf("%s is built as %s, want %s", given, tag, want.tag)
		}
	}
}
