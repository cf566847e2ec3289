package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// A stack that is restored beside the broken one has the same name, and no zone yet.
func TestWithoutAZoneAnotherStacksCertificateIsNotUsed(t *testing.T) {
	served := func(stacks ...string) any {
		r := recorder.MustRun(t, stack.Deploy, recorder.Options{
			Config: withNames(t, map[string]any{"name": shop}), Names: recorder.Names{Issued: map[string][]string{shop: stacks}},
		})
		arns, _ := annotation(t, r, "ssl-cert").(string)
		first, _, _ := strings.Cut(arns, ",")
		return first
	}
	own, byHand := served("dev"), served("")
	assert.NotEmpty(t, own)
	assert.NotEmpty(t, byHand)
	assert.NotEqual(t, own, byHand)
	assert.Empty(t, served("prod"), "it goes with its stack")
	assert.Equal(t, own, served("dev", "prod"), "the other stack's is newer")
	assert.Equal(t, own, served("", "dev"))
}

func TestALookupOfCertificatesThatIsRefusedIsNoAnswer(t *testing.T) {
	_, err := recorder.Run(stack.Deploy, recorder.Options{Config: withNames(t, map[string]any{"name": shop}), Names: recorder.Names{Denied: true}})
	require.ErrorContains(t, err, "look up the certificate of shop.example.org: ")
	require.ErrorContains(t, err, "AccessDeniedException")
}

// Else the alarm would wake somebody for a site that was never there: at the first up, or when it gets a name.
func TestTheCheckFromOutsideBeginsOnceTheSiteCanAnswer(t *testing.T) {
	for of, config := range map[string]*project.Config{
		"named": project.StackConfig(t, "full"), "unnamed": project.StackConfig(t, "full").Remove(t, "threetier:domain"),
	} {
		r := deploy(t, "full", config)
		check := r.One(t, healthCheckType)
		for _, record := range r.All(recordType) {
			if strings.HasPrefix(record.Name, "domain-records-") {
				assert.Contains(t, check.DependsOn, record.URN, of)
			}
		}
		assert.Equal(t, of == "named", len(r.All(recordType)) > 0)
		for typ, name := range map[string]string{serviceType: "app-nginx", "kubernetes:apps/v1:DeploymentPatch": "app-nginx"} {
			assert.Contains(t, check.DependsOn, r.Named(t, typ, name).URN, of)
		}
	}
}
