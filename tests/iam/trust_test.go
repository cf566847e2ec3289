package iam

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// subjects are what each role trusts: what GitHub says a job is for.
var subjects = map[string]string{
	"preview-dev": "pull_request", "preview-prod": "environment:preview-prod",
	"deploy-dev": "environment:dev", "deploy-prod": "environment:prod",
	"drill-prod": "environment:drill-prod", "images": "environment:images", "previews-dev": "environment:previews-dev",
}

// The subject begins with the repository, whose numbers make names fills in. A branch's own workflow may name any
// environment: the ref keeps it out, also where the environment isn't restricted to main.
func TestEachRoleTrustsOnlyItsOwnSubject(t *testing.T) {
	const audience, repository, main = "sts.amazonaws.com", "repo:acme@OWNER_ID/shop@REPO_ID:", "refs/heads/main"
	files, err := filepath.Glob(file("trust-*.json"))
	require.NoError(t, err)
	require.Len(t, files, len(subjects))
	for name, own := range subjects {
		policy := parse(t, read(t, "trust-"+name+".json"))
		require.Len(t, policy, 1, name)
		provider := map[string]any{"Federated": "arn:aws:iam::" + account + ":oidc-provider/token.actions.githubusercontent.com"}
		assert.Equal(t, provider, policy[0].Principal, name)
		assumes := func(action, audience, ref string, subject ...string) bool {
			return allows(t, policy, request{action: action, keys: keys{
				"token.actions.githubusercontent.com:aud": {audience}, "token.actions.githubusercontent.com:sub": subject,
				"token.actions.githubusercontent.com:ref": {ref},
			}})
		}
		const assume = "sts:AssumeRoleWithWebIdentity"
		ofPullRequest := name == "preview-dev"
		assert.True(t, assumes(assume, audience, main, repository+own), name)
		assert.Equal(t, ofPullRequest, assumes(assume, audience, "refs/heads/branch", repository+own), name)
		assert.Equal(t, ofPullRequest, assumes(assume, audience, "refs/pull/1/merge", repository+own), name)
		assert.False(t, assumes(assume, "other", main, repository+own), name)
		assert.False(t, assumes(assume, audience, main), name)
		assert.False(t, assumes("sts:AssumeRole", audience, main, repository+own), name)
		strangers := []string{
			"repo:acme/shop:" + own, "repo:other@OWNER_ID/shop@REPO_ID:" + own, repository + own + "2", repository + "x:" + own, repository + "ref:" + main,
		}
		for other, subject := range subjects {
			if other != name {
				strangers = append(strangers, repository+subject)
			}
		}
		for _, stranger := range strangers {
			assert.False(t, assumes(assume, audience, main, stranger), "%s trusts %s", name, stranger)
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
