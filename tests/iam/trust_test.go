package iam

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// subjects are what each role trusts: what GitHub says a job is for.
var subjects = map[string]string{
	"trust-preview-dev.json": "pull_request", "trust-preview-prod.json": "ref:refs/heads/main",
	"trust-deploy-dev.json": "environment:dev", "trust-deploy-prod.json": "environment:prod",
}

// GitHub has two forms of a subject: with the numbers of owner and repository since July 2026, without them before.
func TestEachRoleTrustsOnlyItsOwnSubject(t *testing.T) {
	const audience = "sts.amazonaws.com"
	for name, own := range subjects {
		policy := parse(t, read(t, name))
		require.Len(t, policy, 1, name)
		provider := map[string]any{"Federated": "arn:aws:iam::" + account + ":oidc-provider/token.actions.githubusercontent.com"}
		assert.Equal(t, provider, policy[0].Principal, name)
		assumes := func(action, audience string, subject ...string) bool {
			return allows(t, policy, request{action: action, keys: keys{
				"token.actions.githubusercontent.com:aud": {audience}, "token.actions.githubusercontent.com:sub": subject,
			}})
		}
		const assume = "sts:AssumeRoleWithWebIdentity"
		assert.True(t, assumes(assume, audience, "repo:acme/shop:"+own), name)
		assert.True(t, assumes(assume, audience, "repo:acme@OWNER_ID/shop@REPO_ID:"+own), name)
		assert.False(t, assumes(assume, "other", "repo:acme/shop:"+own), name)
		assert.False(t, assumes(assume, audience), name)
		assert.False(t, assumes("sts:AssumeRole", audience, "repo:acme/shop:"+own), name)
		strangers := []string{"repo:other/shop:" + own, "repo:acme/other:" + own, "repo:acme/shop:" + own + "2", "repo:acme/shop:x:" + own, "repo:acme/shop:ref:refs/heads/other"}
		for other, subject := range subjects {
			if other != name {
				strangers = append(strangers, "repo:acme/shop:"+subject, "repo:acme@OWNER_ID/shop@REPO_ID:"+subject)
			}
		}
		for _, stranger := range strangers {
			assert.False(t, assumes(assume, audience, stranger), "%s trusts %s", name, stranger)
		}
	}
}

// The bucket's own policy stands beside a role's: it takes nothing away but requests without TLS.
func TestStateBucketRefusesRequestsWithoutTLS(t *testing.T) {
	bucketPolicy := parse(t, read(t, "state-bucket.json"))
	for _, each := range bucketPolicy {
		assert.Equal(t, "*", each.Principal)
	}
	stack := recordings(t)[0]
	policy := append(stack.role(t, base), bucketPolicy...)
	for _, call := range toDeploy(stack.owner) {
		for _, on := range call.targets {
			for secure, want := range map[string]bool{"true": true, "false": call.action == "kms:Decrypt"} {
				on.keys["aws:securetransport"] = []string{secure}
				assert.Equal(t, want, allows(t, policy, request{call.action, on.arn, on.keys}), "%s with SecureTransport %s", call, secure)
			}
		}
	}
	assert.False(t, allows(t, bucketPolicy, request{"s3:GetObject", bucket + "/x", keys{"aws:securetransport": {"true"}}}), "the bucket gives nothing to anybody")
}
