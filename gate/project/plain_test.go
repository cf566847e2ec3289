package project

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusedSecrets are the paths that are refused in a stack config.
func refusedSecrets(t *testing.T, config string) (paths []string) {
	t.Helper()
	values, err := ReadValues([]byte("config:\n" + config))
	require.NoError(t, err)
	refused := values.checkSecrets("prod")
	if refused == nil {
		return nil
	}
	for line := range strings.SplitSeq(refused.Error(), "\n") {
		path, rest, _ := strings.Cut(line, " is ")
		assert.Contains(t, rest, "in plain text, want it encrypted: pulumi config set --stack prod --path --secret '"+path+"'")
		assert.NotContains(t, line, "hunter2", "the value stays hidden")
		paths = append(paths, path)
	}
	return paths
}

func TestKeysThatHoldSecretsAreRefusedInPlainText(t *testing.T) {
	for path, config := range map[string]string{
		"threetier:backend.secretEnv.ANY":                 "  threetier:backend: { secretEnv: { ANY: hunter2 } }",
		"threetier:backend.secretEnv.PIN":                 "  threetier:backend: { secretEnv: { PIN: 1234 } }",
		"threetier:jobs.allow.secretEnv.ANY":              "  threetier:jobs: { allow: { secretEnv: { ANY: hunter2 } } }",
		"threetier:backend.secretEnv.from":                "  threetier:backend: { secretEnv: { from: hunter2 } }",
		`threetier:backend.secretEnv["a.b"]`:              "  threetier:backend: { secretEnv: { a.b: hunter2 } }",
		"threetier:frontend.secretEnv.ANY":                "  threetier:frontend: { secretEnv: { ANY: hunter2 } }",
		"threetier:jobs.nightly-report.secretEnv.ANY":     "  threetier:jobs: { nightly-report: { secretEnv: { ANY: hunter2 } } }",
		"threetier:workers.mail.secretEnv.ANY":            "  threetier:workers: { mail: { secretEnv: { ANY: hunter2 } } }",
		"threetier:database.password":                     "  threetier:database: { password: hunter2 }",
		"threetier:registry.password":                     "  threetier:registry: { password: hunter2 }",
		"threetier:cluster.kubeconfig":                    "  threetier:cluster: { kubeconfig: hunter2 }",
		"aws:secretKey":                                   "  aws:secretKey: hunter2",
		"aws:token":                                       "  aws:token: hunter2",
		"threetier:backend.env.DB_PASSWORD":               "  threetier:backend: { env: { DB_PASSWORD: hunter2 } }",
		"threetier:backend.env.DB_PASSWORD_2":             "  threetier:backend: { env: { DB_PASSWORD_2: hunter2 } }",
		"threetier:backend.env.DB_PASSWORD2":              "  threetier:backend: { env: { DB_PASSWORD2: hunter2 } }",
		"threetier:backend.env.API_KEY_2":                 "  threetier:backend: { env: { API_KEY_2: hunter2 } }",
		"threetier:backend.env.PGPASSWORD":                "  threetier:backend: { env: { PGPASSWORD: hunter2 } }",
		"threetier:backend.env.SMTP_PASS":                 "  threetier:backend: { env: { SMTP_PASS: hunter2 } }",
		"threetier:backend.env.clientsecret":              "  threetier:backend: { env: { clientsecret: hunter2 } }",
		"threetier:backend.env.JWT_PRIVATEKEY":            "  threetier:backend: { env: { JWT_PRIVATEKEY: hunter2 } }",
		"threetier:backend.env.stripeApiKey":              "  threetier:backend: { env: { stripeApiKey: hunter2 } }",
		"threetier:backend.env.JWT_SECRET":                "  threetier:backend: { env: { JWT_SECRET: hunter2 } }",
		"threetier:jobs.nightly.env.GITHUB_TOKEN":         "  threetier:jobs: { nightly: { env: { GITHUB_TOKEN: hunter2 } } }",
		"threetier:backend.env.REDIS_URL":                 "  threetier:backend: { env: { REDIS_URL: 'redis://:hunter2@cache.internal:6379/0' } }",
		"threetier:backend.databaseEnv.DATABASE_URL":      "  threetier:backend: { databaseEnv: { DATABASE_URL: 'postgresql://app:hunter2@{host}/app' } }",
		"threetier:backend.env.DSN":                       "  threetier:backend: { env: { DSN: 'Server=db;Password=hunter2;' } }",
		"threetier:backend.env.CERTIFICATE":               "  threetier:backend: { env: { CERTIFICATE: '-----BEGIN RSA PRIVATE KEY-----' } }",
		"threetier:backend.env.ID":                        "  threetier:backend: { env: { ID: AKIAIOSFODNN7EXAMPLE } }",
		"threetier:backend.env.PAYMENTS":                  "  threetier:backend: { env: { PAYMENTS: sk_live_0123456789abcdef } }",
		"threetier:workers.mail.command[1]":               "  threetier:workers: { mail: { command: [send, '--via=smtp://me:hunter2@mail.example'] } }",
		`threetier:nginx.loadBalancer.annotations["a/b"]`: "  threetier:nginx: { loadBalancer: { annotations: { a/b: 'https://me:hunter2@example.org' } } }",
	} {
		assert.Equal(t, []string{path}, refusedSecrets(t, config), config)
	}
}

func TestWhatOnlyLooksLikeASecretIsNone(t *testing.T) {
	for _, config := range []string{
		"  threetier:backend: { secretEnv: { ANY: { secure: AAA } }, env: { DB_PASSWORD: { secure: AAA } } }",
		"  threetier:backend: { secretEnv: { EMPTY: '', NONE: } }",
		"  threetier:backend: { env: { TOKEN_SECONDS: 3600, PASSWORD_FILE: /run/secrets/p, PASSWORD_MIN_LENGTH: '8', USE_TOKEN: true, NO_SECRET: 'false', PASSWORD_MIN_LENGTH_2: '8', MAX_TOKENS: 4096, OAUTH2: x, COMPASS: north } }",
		"  threetier:backend: { env: { SECRET_NAME: shop, SORT_KEY: name, PUBLIC_KEY: abc, KEY: abc, MONKEY: abc, DB_SECRET: 'arn:aws:secretsmanager:eu-west-1:1:secret:x', CACHE_TOKEN: /run/token } }",
		"  threetier:backend: { env: { URL: 'https://example.org:8080/@me', AT: 'https://a@example.org/x:y@z', SENTRY_DSN: 'https://0a1b@sentry.example/1' } }",
		"  threetier:backend: { databaseEnv: { PGPASSWORD: '{password}', DATABASE_URL: 'postgresql://{username}:{password}@{host}:{port}/{name}', S: 'host={host} password={password}' } }",
		"  threetier:database: { passwordVersion: 2, extensions: [pgcrypto], parameters: { password_encryption: scram-sha-256 } }",
		"  threetier:allow: {tags: no registry}",
		"  threetier:backend: { secretEnv: { ANY: { from: 'arn:aws:ssm:eu-west-1:1:parameter/x' } } }",
	} {
		assert.Empty(t, refusedSecrets(t, config), config)
	}
}

func TestAValueThatIsNoSecretIsNamed(t *testing.T) {
	const config = "config:\n  threetier:backend: { env: { PUBLIC_TOKEN: hunter2, OTHER_TOKEN: %s } }\n  threetier:allow: { lose x: moved, %s }"
	const allowed, encrypted = "plain text of threetier:backend.env.PUBLIC_TOKEN: public", "{ secure: AAA }"
	for _, test := range []struct{ other, allow, want string }{
		{encrypted, allowed, ""},
		{encrypted, allowed + ", plain text of threetier:backend.env.GONE: public",
			`threetier:allow.plain text of threetier:backend.env.GONE is "public", want none: no value there looks like a secret in plain text`},
		{"hunter3", allowed, "threetier:backend.env.OTHER_TOKEN is in plain text, want it encrypted: pulumi config set --stack prod --path --secret 'threetier:backend.env.OTHER_TOKEN'. " +
			"Who has seen it knows it: replace it. If it is no secret, add to threetier:allow: { 'plain text of threetier:backend.env.OTHER_TOKEN': the reason }"},
	} {
		values, err := ReadValues(fmt.Appendf(nil, config, test.other, test.allow))
		require.NoError(t, err)
		if err := values.checkSecrets("prod"); test.want != "" {
			assert.EqualError(t, err, test.want)
		} else {
			assert.NoError(t, err)
		}
	}
}

func TestAStackConfigWithASecretInPlainTextIsNotRead(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.prod.yaml"), []byte("config: { threetier:backend: { secretEnv: { A: b } } }"), 0o600))
	_, err := Read(root, "prod")
	require.ErrorContains(t, err, "read the stack config prod: threetier:backend.secretEnv.A is in plain text, want it encrypted: ")
}
