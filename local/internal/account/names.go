package account

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"threetier/local/internal/account/state"
	"threetier/local/internal/certificates"
	"threetier/local/internal/files"
)

const (
	kindCertificate = "acm/certificate"
	kindValidation  = "acm/certificateValidation"
	kindRecordSet   = "route53/record"
	// kindElsewhere are records that somebody made by hand, at another provider of DNS.
	kindElsewhere = "elsewhere/record"

	// publicCAName is the authority of what ACM issues.
	publicCAName = "threetier local ACM root CA"
	// certificateDays is how long ACM's certificates last.
	certificateDays = 395
	// balancersZone is the hosted zone of the region's network load balancers.
	balancersZone = "Z2IFOLAFXWLO4F"
	// inUseLimit is how long the provider waits for a certificate that is to be deleted to be out of use; AWS's has 20 minutes.
	inUseLimit = time.Minute
)

// LoadBalancerName is the DNS name of the load balancer with that address: its name, and the end of its ARN.
func LoadBalancerName(address string) string {
	return "k8s-" + strings.ReplaceAll(address, ".", "-") + "-" + hashed(address, 16) + ".elb.eu-west-1.amazonaws.com"
}

// PublicCA is the folder of the authority that ACM issues by, below the account's: ca.pem is the root to trust.
func PublicCA(dir string) string { return filepath.Join(dir, "acm") }

// OpenPublicCA is that authority.
func OpenPublicCA(dir string) (*certificates.Authority, error) {
	return certificates.Open(PublicCA(dir), publicCAName)
}

// hashed is a text like the ones that AWS makes of a name, the same each time.
func hashed(name string, length int) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])[:length]
}

// validation is the record that proves to ACM whose a name is: it is the same for all certificates of the name, and for its wildcard.
func validation(name string) (record, value string) {
	name = strings.TrimPrefix(name, "*.")
	return "_" + hashed(name, 32) + "." + name + ".", "_" + hashed(name+"value", 32) + "." + hashed(name+"zone", 10) + ".acm-validations.aws."
}

// plainName is a DNS name as it is compared.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func createCertificate(a *Account, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "domainName")
	if state.Text(c.Inputs, "validationMethod") != "DNS" {
		return nil, state.Refuse("ValidationException", "validationMethod is %q, want DNS: the stand-in for AWS knows no other", state.Text(c.Inputs, "validationMethod"))
	}
	if len(name) > 64 {
		return nil, state.Refuse("ValidationException", "The first domain name can be no longer than 64 characters: %s", name)
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec := c.Record(kindCertificate, state.ARN("acm", c.Region, "certificate/"+state.RandomUUID()))
	recordName, value := validation(name)
	rec.Outputs = map[string]any{
		"arn": rec.ID, "status": "PENDING_VALIDATION", "type": "AMAZON_ISSUED", "keyAlgorithm": "RSA_2048", "subjectAlternativeNames": []string{name},
		"domainValidationOptions": []any{map[string]any{
			"domainName": name, "resourceRecordName": recordName, "resourceRecordType": "CNAME", "resourceRecordValue": value,
		}},
		"notAfter": "", "notBefore": "", "pendingRenewal": false, "renewalEligibility": "INELIGIBLE", "renewalSummaries": []any{}, "validationEmails": []string{},
	}
	if err := a.Store.Put(rec); err != nil {
		return nil, err
	}
	return rec, a.namesChanged()
}

func updateCertificate(a *Account, c *state.Call, rec *state.Record) error {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec.Inputs = c.Inputs
	return a.Store.Put(rec)
}

// removeCertificate waits as the provider does, since a load balancer's controller takes its time.
func removeCertificate(a *Account, c *state.Call, rec *state.Record) error {
	for deadline := time.Now().Add(inUseLimit); a.cfg.InUse != nil && a.cfg.InUse(rec.ID); {
		select {
		case <-c.Ctx.Done():
			return c.Ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return state.Refuse("ResourceInUseException", "Certificate %s in account %s is in use.", rec.ID, state.ID)
		}
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if err := os.Remove(certificateFile(a.cfg.Dir, rec.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return a.Store.Remove(rec)
}

// createValidation is there once the certificate is issued. Everything that it waits for comes before it.
func createValidation(a *Account, c *state.Call) (*state.Record, error) {
	id := state.Text(c.Inputs, "certificateArn")
	certificate := a.Store.Get(kindCertificate, id)
	switch {
	case certificate == nil:
		return nil, state.Refuse("ResourceNotFoundException", "Could not find certificate %s.", id)
	case certificate.Outputs["status"] != "ISSUED":
		return nil, state.Refuse("Timeout", "timeout while waiting for state to become 'ISSUED' (last state: '%s')", certificate.Outputs["status"])
	}
	return c.Record(kindValidation, certificate.Created.Format(time.RFC3339)+" "+state.RandomHex(4)), nil
}

// namesChanged issues the certificates whose validation can be seen by now, and tells the DNS server. The caller holds a.Mu.
func (a *Account) namesChanged() error {
	for _, rec := range a.Store.All(kindCertificate) {
		name, value := validation(state.Text(rec.Inputs, "domainName"))
		if rec.Outputs["status"] != "ISSUED" && slices.Contains(a.values(name, "CNAME"), plainName(value)) {
			if err := a.issue(rec); err != nil {
				return err
			}
		}
	}
	return a.writeHosts()
}

// issue writes a certificate and its key where the load balancers find them, at first and at each renewal.
func (a *Account) issue(rec *state.Record) error {
	authority, err := OpenPublicCA(a.cfg.Dir)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	template := publicCertificate(state.Text(rec.Inputs, "domainName"), now)
	both, err := issueBoth(authority, template)
	if err != nil {
		return err
	}
	file := certificateFile(a.cfg.Dir, rec.ID)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := files.Write(file, both, 0o600); err != nil {
		return err
	}
	rec.Outputs["status"], rec.Outputs["renewalEligibility"] = "ISSUED", "ELIGIBLE"
	rec.Outputs["notBefore"], rec.Outputs["notAfter"] = now.Format(time.RFC3339), template.NotAfter.Format(time.RFC3339)
	return a.Store.Put(rec)
}

func publicCertificate(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: now.AddDate(0, 0, certificateDays),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

func issueBoth(authority *certificates.Authority, template *x509.Certificate) ([]byte, error) {
	certificate, key, err := authority.Issue(template)
	return slices.Concat(certificate, key), err
}

func certificateFile(dir, arn string) string {
	return filepath.Join(PublicCA(dir), "certificates", filepath.Base(arn)+".pem")
}

// Certificate is what a load balancer of this account, whose folder is given, shows for an ARN. A certificate that a stack
// config names is in somebody's real account: here it is for whatever name the client asks for.
func Certificate(dir, arn, name string) (*tls.Certificate, error) {
	both, err := os.ReadFile(certificateFile(dir, arn))
	if errors.Is(err, os.ErrNotExist) && name != "" {
		authority, opened := OpenPublicCA(dir)
		if opened != nil {
			return nil, opened
		}
		both, err = issueBoth(authority, publicCertificate(name, time.Now()))
	}
	if err != nil {
		return nil, fmt.Errorf("find the certificate %s: %w", arn, err)
	}
	pair, err := tls.X509KeyPair(both, both)
	return &pair, err
}

// renew does what ACM does some weeks before a certificate ends: the ARN stays.
func (a *Account) renew(r *http.Request, _ *state.Call) (*Response, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	renewed := false
	for _, rec := range a.Store.All(kindCertificate) {
		if state.Text(rec.Inputs, "domainName") == r.PathValue("name") && rec.Outputs["status"] == "ISSUED" {
			if err := a.issue(rec); err != nil {
				return nil, err
			}
			renewed = true
		}
	}
	if !renewed {
		return nil, state.Refuse("ResourceNotFoundException", "no issued certificate of %s", r.PathValue("name"))
	}
	return nil, nil
}

func getCertificate(a *Account, c *state.Call) (map[string]any, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	name, statuses := state.Text(c.Inputs, "domain"), state.List(c.Inputs, "statuses")
	if len(statuses) == 0 {
		statuses = []string{"ISSUED"}
	}
	want := state.TagsOf(c.Inputs)
	var named, found []*state.Record
	for _, rec := range a.Store.All(kindCertificate) {
		if state.Text(rec.Inputs, "domainName") == name && slices.Contains(statuses, state.Text(rec.Outputs, "status")) && rec.Region == c.Region {
			named = append(named, rec)
		}
	}
	for _, rec := range named {
		have := state.TagsOf(rec.Inputs)
		maps.DeleteFunc(have, func(key, _ string) bool { _, wanted := want[key]; return !wanted })
		if maps.Equal(have, want) {
			found = append(found, rec)
		}
	}
	// The provider's own words.
	switch {
	case len(named) == 0:
		return nil, state.Refuse("NotFound", "reading ACM Certificates: empty result")
	case len(found) == 0:
		return nil, state.Refuse("NotFound", "no matching ACM Certificate found")
	case len(found) > 1 && !state.Truth(c.Inputs, "mostRecent"):
		return nil, state.Refuse("NotFound", "%d matching ACM Certificates found", len(found))
	}
	newest := found[len(found)-1]
	return map[string]any{"id": newest.ID, "arn": newest.ID, "domain": name, "status": newest.Outputs["status"], "statuses": statuses,
		"certificate": "", "certificateChain": "", "tags": state.TagsOf(newest.Inputs)}, nil
}

// zoneID is that of a public hosted zone. The account has one for every name that is asked for.
func zoneID(name string) string { return "Z" + strings.ToUpper(hashed(plainName(name), 20)) }

func getZone(_ *Account, c *state.Call) (map[string]any, error) {
	name := plainName(state.Text(c.Inputs, "name"))
	if name == "" || state.Truth(c.Inputs, "privateZone") {
		return nil, state.Refuse("NotFound", "no matching Route 53 Hosted Zone found")
	}
	id := zoneID(name)
	return map[string]any{
		"id": id, "zoneId": id, "arn": "arn:aws:route53:::hostedzone/" + id, "name": name, "privateZone": false, "callerReference": id, "comment": "",
		"nameServers": []string{"ns-1.awsdns-01.org"}, "primaryNameServer": "ns-1.awsdns-01.org", "resourceRecordSetCount": 2,
		"linkedServiceDescription": "", "linkedServicePrincipal": "", "vpcId": "", "tags": map[string]any{},
	}, nil
}

func getBalancersZone(c *state.Call) map[string]any {
	kind, _ := state.Fallback(c.Inputs, "loadBalancerType", "application").(string)
	id := balancersZone
	if kind != "network" {
		id = "Z32O12XQLNTSW2"
	}
	return map[string]any{"id": id, "loadBalancerType": kind, "region": state.Text(c.Inputs, "region")}
}

// names are the kinds that concern names in DNS.
func (a *Account) names() map[string]state.Kind {
	return map[string]state.Kind{
		kindCertificate: state.NewKind(a, "", createCertificate, updateCertificate, removeCertificate).LocksItself(),
		kindValidation:  state.NewKind(a, "", createValidation),
		kindRecordSet:   state.NewKind(a, "", createRecordSet, updateRecordSet),
	}
}
