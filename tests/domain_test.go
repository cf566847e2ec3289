package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/domain"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

const (
	certificateType = "aws:acm/certificate:Certificate"
	validationType  = "aws:acm/certificateValidation:CertificateValidation"
	recordType      = "aws:route53/record:Record"
	balancer        = "k8s-shop-nginx-0a1b2c3d4e-0123456789abcdef.elb.eu-west-1.amazonaws.com"
	shop, www       = "shop.example.org", "www.shop.example.org"
)

// withNames is dev's stack config with public names.
func withNames(t *testing.T, names map[string]any) *project.Config {
	t.Helper()
	return project.StackConfig(t, "dev").Set(t, "threetier:domain", names)
}

// inZone are names in a zone of Route 53.
func inZone(t *testing.T) *project.Config {
	return withNames(t, map[string]any{"name": shop, "zone": "example.org", "redirectFrom": []string{www}})
}

// annotation is one of the load balancer's, without the prefix that all have.
func annotation(t *testing.T, r *recorder.Recording, name string) any {
	t.Helper()
	annotations := r.Named(t, serviceType, "app-nginx").Input(t, "metadata.annotations").(map[string]any)
	return annotations[awsPrefix+name]
}

func nginxConfigOf(t *testing.T, r *recorder.Recording) string {
	t.Helper()
	return r.Named(t, "kubernetes:core/v1:ConfigMap", "app-nginx-config").Input(t, `data["nginx.conf"]`).(string)
}

func TestDomainHasACertificateOfEachNameWhichIsValidatedInTheZone(t *testing.T) {
	r := deploy(t, "dev", inZone(t))
	assert.Equal(t, []string{
		certificateType + " domain-" + shop, certificateType + " domain-" + www,
		validationType + " domain-" + shop, validationType + " domain-" + www,
		recordType + " domain-" + shop + "-validation", recordType + " domain-" + www + "-validation",
	}, r.Children(r.One(t, domain.DomainType)))
	for _, name := range []string{shop, www} {
		certificate := r.Named(t, certificateType, "domain-"+name)
		assert.Equal(t, name, certificate.Input(t, "domainName"))
		assert.Equal(t, "DNS", certificate.Input(t, "validationMethod"))
		assert.Equal(t, map[string]any{"Project": "threetier", "Stack": "dev", "ManagedBy": "pulumi"}, certificate.Input(t, "tags"))
		record := r.Named(t, recordType, "domain-"+name+"-validation")
		assert.Equal(t, "CNAME", record.Input(t, "type"))
		assert.Contains(t, record.Input(t, "name"), "."+name)
		assert.Equal(t, true, record.Input(t, "allowOverwrite"), "certificates of one name share it")
		assertBetween(t, 60, 300, record.Input(t, "ttl").(float64), "%s: resolvers forget a wrong one within minutes", name)
		validation := r.Named(t, validationType, "domain-"+name)
		assert.Equal(t, []any{strings.TrimSuffix(record.Input(t, "name").(string), ".")}, validation.Input(t, "validationRecordFqdns"))
	}
}

func TestLoadBalancerServesTheValidatedCertificatesTheAppsOwnFirst(t *testing.T) {
	r := deploy(t, "dev", inZone(t))
	arn := func(name string) any { return r.Named(t, validationType, "domain-"+name).Input(t, "certificateArn") }
	assert.Equal(t, fmt.Sprintf("%s,%[1]s,%s", arn(shop), arn(www)), annotation(t, r, "ssl-cert"), "the default is among the others too")
	service := r.Named(t, serviceType, "app-nginx")
	for _, name := range []string{shop, www} {
		assert.Contains(t, service.DependsOn, r.Named(t, validationType, "domain-"+name).URN, "no certificate is served before it is valid")
	}
	assert.EqualValues(t, 443, service.Input(t, "spec.ports[1].port"))
}

func TestNamesLeadToTheLoadBalancer(t *testing.T) {
	r := deploy(t, "dev", inZone(t))
	assert.Equal(t, []string{recordType + " domain-records-" + shop, recordType + " domain-records-" + www}, r.Children(r.One(t, domain.RecordsType)))
	for _, name := range []string{shop, www} {
		record := r.Named(t, recordType, "domain-records-"+name)
		assert.Equal(t, name, record.Input(t, "name"))
		assert.Equal(t, "A", record.Input(t, "type"))
		assert.Equal(t, []any{map[string]any{"name": balancer, "zoneId": recorder.BalancersZone, "evaluateTargetHealth": false}}, record.Input(t, "aliases"))
		assert.Nil(t, record.Input(t, "allowOverwrite"), "a name that leads elsewhere isn't taken over")
	}
	for _, lookup := range r.Lookups {
		assert.NotEqual(t, "aws:acm/getCertificate:getCertificate", lookup.Token, "the validation itself waits")
	}
	dual := deploy(t, "dev", inZone(t).Set(t, `threetier:nginx.loadBalancer.annotations["service.beta.kubernetes.io/aws-load-balancer-ip-address-type"]`, "dualstack"))
	assert.Equal(t, "AAAA", dual.Named(t, recordType, "domain-records-"+shop+"-ipv6").Input(t, "type"))
}

func TestNamesThatLeadToTheAppsOwnAreRedirectedWithTheirPath(t *testing.T) {
	config := nginxConfigOf(t, deploy(t, "dev", inZone(t)))
	assert.Contains(t, config, "server_name "+www+";")
	assert.Contains(t, config, "return 308 $client_scheme://"+shop+"$request_uri;")
	assert.NotContains(t, nginxConfigOf(t, deploy(t, "dev", withNames(t, map[string]any{"name": shop, "zone": "example.org"}))), "server_name "+www)
}

func TestNginxsHostsHaveTheDomainsNames(t *testing.T) {
	names := map[string]any{"name": shop, "zone": "example.org", "aliases": []string{"store.example.org"}, "redirectFrom": []string{www}}
	config := nginxConfigOf(t, deploy(t, "dev", withNames(t, names).Set(t, "threetier:nginx.hosts", []string{"internal.example.org"})))
	for _, host := range []string{"internal.example.org", shop, "store.example.org", www} {
		assert.Contains(t, config, "\n        "+host+" 1;")
	}
}

// outputs are the stack's, by name.
func outputs(t *testing.T, options recorder.Options) map[string]any {
	t.Helper()
	found, _, err := recorder.Outputs(stack.Deploy, options)
	require.NoError(t, err)
	return found
}

func TestURLIsTheNameOnceItHasACertificate(t *testing.T) {
	assert.Equal(t, "https://"+shop, outputs(t, recorder.Options{Config: inZone(t)})["url"])
	byHand := recorder.Options{Config: withNames(t, map[string]any{"name": shop})}
	assert.Equal(t, "https://"+shop, outputs(t, byHand)["url"])
	byHand.Names.Pending = []string{shop}
	assert.Equal(t, "http://"+balancer, outputs(t, byHand)["url"])
}

func TestWithoutAZoneTheRecordsAreAnOutputAndNothingWaits(t *testing.T) {
	names := map[string]any{"name": shop, "redirectFrom": []string{www}}
	options := recorder.Options{Config: withNames(t, names), Names: recorder.Names{Pending: []string{shop, www}}}
	r := recorder.MustRun(t, stack.Deploy, options)
	assert.Empty(t, r.All(recordType))
	assert.Empty(t, r.All(validationType))
	assert.Nil(t, annotation(t, r, "ssl-cert"))
	assert.NotContains(t, nginxConfigOf(t, r), "Strict-Transport-Security")
	var records []string
	for _, each := range outputs(t, options)["dnsRecords"].([]any) {
		record := each.(map[string]any)
		records = append(records, fmt.Sprintf("%v %v", record["type"], record["name"]))
		if record["name"] == shop {
			assert.Equal(t, balancer, record["value"])
		}
	}
	require.Len(t, records, 4)
	assert.True(t, strings.HasSuffix(records[0], "."+shop+"."), records[0])
	assert.Equal(t, "CNAME "+shop, records[1])
	assert.True(t, strings.HasSuffix(records[2], "."+www+"."), records[2])
	assert.Equal(t, "CNAME "+www, records[3])
	assert.NotContains(t, outputs(t, recorder.Options{Config: inZone(t)}), "dnsRecords")
	assert.NotContains(t, outputs(t, recorder.Options{Config: project.StackConfig(t, "dev")}), "dnsRecords")
}

func TestWithoutAZoneHTTPSBeginsOnceTheNamesCertificateIsIssued(t *testing.T) {
	names := map[string]any{"name": shop, "aliases": []string{"store.example.org"}, "redirectFrom": []string{www}}
	served := func(pending ...string) string {
		r := recorder.MustRun(t, stack.Deploy, recorder.Options{Config: withNames(t, names), Names: recorder.Names{Pending: pending}})
		arns, _ := annotation(t, r, "ssl-cert").(string)
		return arns
	}
	assert.Empty(t, served(shop), "without the app's own name")
	all := strings.Split(served(), ",")
	assert.Len(t, all, 4)
	assert.Equal(t, all[0]+","+all[0], served("store.example.org", www), "what is pending holds up no other, and the app's own is the default")
}

func TestDomainsMistakesAreNamed(t *testing.T) {
	many := make([]string, 25)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.example.org", i)
	}
	for want, names := range map[string]map[string]any{
		`threetier:domain.name is missing, want a DNS name`:                                                  {"zone": "example.org"},
		`threetier:domain.name is "Shop.example.org", want a DNS name in lowercase letters`:                  {"name": "Shop.example.org"},
		`threetier:domain.name is "` + strings.Repeat("a", 60) + `.example.org", want at most 64 characters`: {"name": strings.Repeat("a", 60) + ".example.org"},
		`threetier:domain.name is "shop.example.org", want a name in the zone example.com`:                   {"name": shop, "zone": "example.com"},
		`threetier:domain.name is "shop.badexample.org", want a name in the zone example.org`:                {"name": "shop.badexample.org", "zone": "example.org"},
		`threetier:domain.zone is "org", want the name of a public hosted zone`:                              {"name": shop, "zone": "org"},
		`threetier:domain.aliases[0] is "shop.example.org", want each name in one place`:                     {"name": shop, "aliases": []string{shop}},
		`threetier:domain.redirectFrom[0] is "a.example.org", want each name in one place`:                   {"name": shop, "aliases": []string{"a.example.org"}, "redirectFrom": []string{"a.example.org"}},
		`threetier:domain.redirectFrom[1] is "www.shop.example.org", want each name once`:                    {"name": shop, "redirectFrom": []string{www, www}},
		`threetier:domain.aliases is part of 26 names, want at most 25 names`:                                {"name": shop, "aliases": many},
	} {
		lines := refusals(t, withNames(t, names))
		assert.True(t, slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }), "%s: %v", want, lines)
	}
	const arn = "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"
	assert.Equal(t, []string{"threetier:nginx.certificateArn is given beside the domain shop.example.org, want one of the two"},
		refusals(t, inZone(t).Set(t, "threetier:nginx.certificateArn", arn)))
	assert.Len(t, refusals(t, inZone(t).Set(t, "threetier:nginx.timeoutSeconds", 351)), 1)
}

func TestAZoneThatIsNotThereIsNamedBeforeAnythingOfTheDomainIsRegistered(t *testing.T) {
	r, err := recorder.Run(stack.Deploy, recorder.Options{Config: inZone(t), Names: recorder.Names{NoZones: []string{"example.org"}}})
	require.ErrorContains(t, err, "create domain domain: look up the hosted zone example.org: no matching Route 53 Hosted Zone found")
	assert.Empty(t, r.All(domain.DomainType))
}

func TestAliasLeadsToNetworkLoadBalancersOnly(t *testing.T) {
	_, err := recorder.Run(stack.Deploy, recorder.Options{Config: inZone(t), Answer: func(res recorder.Resource) resource.PropertyMap {
		if res.Type != serviceType || res.Name != "app-nginx" {
			return nil
		}
		ingress := []any{map[string]any{"ip": "203.0.113.7"}}
		return resource.NewPropertyMapFromMap(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": ingress}}})
	}})
	require.ErrorContains(t, err, "the load balancer's address is 203.0.113.7, want the DNS name of a network load balancer")
}
