package account

import (
	"crypto/x509"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"threetier/local/internal/account/state"
)

const balancer = "10.0.1.10"

// newNamesFixture is an account with load balancers, of which none uses a certificate until told.
func newNamesFixture(t *testing.T) (f *fixture, used *atomic.Value) {
	t.Helper()
	f, used = newFixture(t), &atomic.Value{}
	used.Store("")
	f.stop()
	f.cfg.LoadBalancers, f.cfg.InUse = []string{balancer, "10.0.1.11"}, func(arn string) bool { return used.Load() == arn }
	f.run()
	return f, used
}

func (f *fixture) certificate(name string) Response {
	f.Helper()
	return f.create(kindCertificate, props{"domainName": name, "validationMethod": "DNS"})
}

// status is a certificate's now.
func (f *fixture) status(id string) any {
	f.Helper()
	return f.call("GET", "/resources/"+kindCertificate+"?id="+id, Request{}).Outputs["status"]
}

// validationOf is the record that ACM wants to see, as inputs of one in the zone example.org.
func validationOf(certificate Response) props {
	option := certificate.Outputs["domainValidationOptions"].([]any)[0].(map[string]any)
	return props{"zoneId": zoneID("example.org"), "name": option["resourceRecordName"], "type": option["resourceRecordType"],
		"records": []any{option["resourceRecordValue"]}, "ttl": 300}
}

func alias(name, kind string) props {
	return props{"zoneId": zoneID("example.org"), "name": name, "type": kind,
		"aliases": []any{props{"name": LoadBalancerName(balancer), "zoneId": balancersZone, "evaluateTargetHealth": false}}}
}

func (f *fixture) hostLines() string {
	f.Helper()
	lines, err := os.ReadFile(f.cfg.HostsFile)
	if err != nil {
		f.Fatal(err)
	}
	return string(lines)
}

// shown is the certificate that a load balancer shows to who asks for a name.
func (f *fixture) shown(arn, name string) *x509.Certificate {
	f.Helper()
	pair, err := Certificate(f.cfg.Dir, arn, name)
	if err != nil {
		f.Fatal(err)
	}
	authority, err := OpenPublicCA(f.cfg.Dir)
	if err != nil {
		f.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
		f.Fatal(err)
	}
	return pair.Leaf
}

func TestCertificateIsIssuedOnceItsRecordIsInTheZone(t *testing.T) {
	f, _ := newNamesFixture(t)
	certificate := f.certificate("shop.example.org")
	if f.status(certificate.ID) != "PENDING_VALIDATION" {
		t.Fatalf("without a record: %v", f.status(certificate.ID))
	}
	lookUp := func(tags props) *state.Error {
		return f.call("POST", "/lookups/acm.getCertificate", Request{Region: region,
			Inputs: props{"domain": "shop.example.org", "statuses": []string{"ISSUED"}, "mostRecent": true, "tags": tags}}).Error
	}
	if err := lookUp(nil); err == nil || !strings.Contains(err.Message, "reading ACM Certificates: empty result") {
		t.Fatalf("the lookup of a pending one: %v", err)
	}
	if _, err := Certificate(f.cfg.Dir, certificate.ID, ""); err == nil {
		t.Error("a pending certificate is served")
	}
	f.refusals([]refusal{
		{kindValidation, props{"certificateArn": certificate.ID}, "Timeout", "last state: 'PENDING_VALIDATION'"},
		{kindValidation, props{"certificateArn": "no"}, "ResourceNotFoundException", "no"},
		{kindCertificate, props{"domainName": "x.org", "validationMethod": "EMAIL"}, "ValidationException", "DNS"},
		{kindCertificate, props{"domainName": strings.Repeat("a", 61) + ".org", "validationMethod": "DNS"}, "ValidationException", "64 characters"},
	})
	wildcard := f.certificate("*.shop.example.org")
	f.create(kindRecordSet, validationOf(certificate))
	for _, id := range []string{certificate.ID, wildcard.ID} { // the name's own record proves both
		if f.status(id) != "ISSUED" {
			t.Fatalf("with its record: %v", f.status(id))
		}
	}
	f.shown(wildcard.ID, "pr-1.shop.example.org")
	f.create(kindValidation, props{"certificateArn": certificate.ID})
	if err := lookUp(nil); err != nil {
		t.Fatal(err)
	}
	if err := lookUp(props{"Stack": "other"}); err == nil || !strings.Contains(err.Message, "no matching ACM Certificate found") {
		t.Fatalf("the lookup of another stack's: %v", err)
	}
	if f.status(f.certificate("shop.example.org").ID) != "ISSUED" {
		t.Error("a second certificate of the name waits, though its record is there")
	}
	first := f.shown(certificate.ID, "shop.example.org")
	if days := time.Until(first.NotAfter).Hours() / 24; days < 394 || days > 395 {
		t.Errorf("it lasts %.0f days", days)
	}
	f.call("POST", "/certificates/shop.example.org/renew", Request{})
	if f.shown(certificate.ID, "shop.example.org").SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("a renewed certificate is the old one")
	}
	f.refused(f.call("POST", "/certificates/other.example.org/renew", Request{}).Error, "ResourceNotFoundException")
}

func TestCertificateOfAnotherAccountIsForTheNameThatIsAskedFor(t *testing.T) {
	f, _ := newNamesFixture(t)
	f.shown("arn:aws:acm:eu-west-1:210987654321:certificate/0a1b", "any.example.com")
}

func TestCertificateInUseIsNotDeletedUntilItIsOutOfUse(t *testing.T) {
	f, used := newNamesFixture(t)
	certificate := f.certificate("shop.example.org")
	used.Store(certificate.ID)
	gone := make(chan *state.Error)
	go func() { gone <- f.remove(kindCertificate, certificate.ID, nil) }()
	select {
	case err := <-gone:
		t.Fatalf("it was deleted in use: %v", err)
	case <-time.After(600 * time.Millisecond):
	}
	used.Store("")
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	if f.status(certificate.ID) != nil {
		t.Error("it is still there")
	}
}

func TestNamesLeadToLoadBalancersInDNS(t *testing.T) {
	f, _ := newNamesFixture(t)
	if !regexp.MustCompile(`(?m)^10\.0\.1\.10 k8s-10-0-1-10-[0-9a-f]{16}\.elb\.eu-west-1\.amazonaws\.com$`).MatchString(f.hostLines()) {
		t.Errorf("the load balancer's own name isn't known: %s", f.hostLines())
	}
	record := f.create(kindRecordSet, alias("shop.example.org", "A"))
	f.create(kindRecordSet, alias("shop.example.org", "AAAA"))
	if strings.Count(f.hostLines(), balancer+" shop.example.org\n") != 1 {
		t.Errorf("the name isn't known once: %s", f.hostLines())
	}
	f.refusals([]refusal{
		{kindRecordSet, alias("shop.example.org", "A"), "InvalidChangeBatch", "already exists"},
		{kindRecordSet, state.Merge(alias("shop.example.org", "CNAME"), props{"aliases": nil, "records": []any{"x.example.org"}, "ttl": 60}), "InvalidChangeBatch", "conflicting RRSet"},
		{kindRecordSet, alias("shop.example.com", "A"), "InvalidChangeBatch", "is not permitted in zone"},
		{kindRecordSet, state.Merge(alias("b.example.org", "A"), props{"aliases": []any{props{"name": "x", "zoneId": "Z0"}}}), "InvalidChangeBatch", "does not lie"},
		{kindRecordSet, state.Merge(alias("b.example.org", "A"), props{"aliases": nil, "records": []any{"192.0.2.1"}}), "InvalidChangeBatch", "TTL"},
		{kindRecordSet, state.Merge(alias("b.example.org", "A"), props{"aliases": nil}), "InvalidConfiguration", "exactly one"},
	})
	f.create(kindRecordSet, state.Merge(alias("shop.example.org", "A"), props{"allowOverwrite": true}))
	if err := f.remove(kindRecordSet, record.ID, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(f.hostLines(), "shop.example.org") {
		t.Errorf("a deleted name is known: %s", f.hostLines())
	}
}

func TestRecordsOfAnotherProviderOfDNSCountToo(t *testing.T) {
	f, _ := newNamesFixture(t)
	certificate := f.certificate("shop.example.org")
	validation := validationOf(certificate)
	put := func(name, kind, value any) {
		if out := f.call(http.MethodPost, "/dns", Request{Inputs: props{"name": name, "type": kind, "value": value}}); out.Error != nil {
			t.Fatal(out.Error)
		}
	}
	put(validation["name"], "CNAME", "wrong.example.org")
	if f.status(certificate.ID) == "ISSUED" {
		t.Error("a wrong record is good enough")
	}
	put(validation["name"], "CNAME", validation["records"].([]any)[0])
	put("shop.example.org", "CNAME", LoadBalancerName(balancer))
	if f.status(certificate.ID) != "ISSUED" || !strings.Contains(f.hostLines(), balancer+" shop.example.org\n") {
		t.Errorf("the records don't count: %v, %s", f.status(certificate.ID), f.hostLines())
	}
	put("shop.example.org", "CNAME", "")
	if slices.Contains(strings.Fields(f.hostLines()), "shop.example.org") {
		t.Error("a deleted record is known")
	}
}
