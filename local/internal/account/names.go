package account

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

// validation is the record that proves to ACM whose a name is: it is the same for all certificates of the name.
func validation(name string) (record, value string) {
	return "_" + hashed(name, 32) + "." + name + ".", "_" + hashed(name+"value", 32) + "." + hashed(name+"zone", 10) + ".acm-validations.aws."
}

// plainName is a DNS name as it is compared.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func createCertificate(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "domainName")
	if text(c.inputs, "validationMethod") != "DNS" {
		return nil, refuse("ValidationException", "validationMethod is %q, want DNS: the stand-in for AWS knows no other", text(c.inputs, "validationMethod"))
	}
	if len(name) > 64 {
		return nil, refuse("ValidationException", "The first domain name can be no longer than 64 characters: %s", name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	rec := c.record(kindCertificate, arn("acm", c.region, "certificate/"+randomUUID()))
	recordName, value := validation(name)
	rec.Outputs = map[string]any{
		"arn": rec.ID, "status": "PENDING_VALIDATION", "type": "AMAZON_ISSUED", "keyAlgorithm": "RSA_2048", "subjectAlternativeNames": []string{name},
		"domainValidationOptions": []any{map[string]any{
			"domainName": name, "resourceRecordName": recordName, "resourceRecordType": "CNAME", "resourceRecordValue": value,
		}},
		"notAfter": "", "notBefore": "", "pendingRenewal": false, "renewalEligibility": "INELIGIBLE", "renewalSummaries": []any{}, "validationEmails": []string{},
	}
	if err := a.store.put(rec); err != nil {
		return nil, err
	}
	return rec, a.namesChanged()
}

func updateCertificate(a *Account, c *call, rec *record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	rec.Inputs = c.inputs
	return a.store.put(rec)
}

// removeCertificate waits as the provider does, since a load balancer's controller takes its time.
func removeCertificate(a *Account, c *call, rec *record) error {
	for deadline := time.Now().Add(inUseLimit); a.cfg.InUse != nil && a.cfg.InUse(rec.ID); {
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return refuse("ResourceInUseException", "Certificate %s in account %s is in use.", rec.ID, ID)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := os.Remove(certificateFile(a.cfg.Dir, rec.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return a.store.remove(rec)
}

// createValidation is there once the certificate is issued. All that it waits for comes before it.
func createValidation(a *Account, c *call) (*record, error) {
	id := text(c.inputs, "certificateArn")
	certificate := a.store.get(kindCertificate, id)
	switch {
	case certificate == nil:
		return nil, refuse("ResourceNotFoundException", "Could not find certificate %s.", id)
	case certificate.Outputs["status"] != "ISSUED":
		return nil, refuse("Timeout", "timeout while waiting for state to become 'ISSUED' (last state: '%s')", certificate.Outputs["status"])
	}
	return c.record(kindValidation, certificate.Created.Format(time.RFC3339)+" "+randomHex(4)), nil
}

// namesChanged issues the certificates whose validation can be seen by now, and tells the DNS server. The caller holds a.mu.
func (a *Account) namesChanged() error {
	for _, rec := range a.store.all(kindCertificate) {
		name, value := validation(text(rec.Inputs, "domainName"))
		if rec.Outputs["status"] != "ISSUED" && slices.Contains(a.values(name, "CNAME"), plainName(value)) {
			if err := a.issue(rec); err != nil {
				return err
			}
		}
	}
	return a.writeHosts()
}

// issue writes a certificate and its key where the load balancers find them, at first and at each renewal.
func (a *Account) issue(rec *record) error {
	authority, err := OpenPublicCA(a.cfg.Dir)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	template := publicCertificate(text(rec.Inputs, "domainName"), now)
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
	return a.store.put(rec)
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
func (a *Account) renew(r *http.Request, _ *call) (*Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	renewed := false
	for _, rec := range a.store.all(kindCertificate) {
		if text(rec.Inputs, "domainName") == r.PathValue("name") && rec.Outputs["status"] == "ISSUED" {
			if err := a.issue(rec); err != nil {
				return nil, err
			}
			renewed = true
		}
	}
	if !renewed {
		return nil, refuse("ResourceNotFoundException", "no issued certificate of %s", r.PathValue("name"))
	}
	return nil, nil
}

func getCertificate(a *Account, c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, statuses := text(c.inputs, "domain"), list(c.inputs, "statuses")
	if len(statuses) == 0 {
		statuses = []string{"ISSUED"}
	}
	var found []*record
	for _, rec := range a.store.all(kindCertificate) {
		if text(rec.Inputs, "domainName") == name && slices.Contains(statuses, text(rec.Outputs, "status")) && rec.Region == c.region {
			found = append(found, rec)
		}
	}
	switch {
	case len(found) == 0:
		return nil, refuse("NotFound", "no ACM Certificate matching domain (%s)", name)
	case len(found) > 1 && !truth(c.inputs, "mostRecent"):
		return nil, refuse("NotFound", "multiple ACM Certificates matching domain (%s)", name)
	}
	newest := found[len(found)-1]
	return map[string]any{"id": newest.ID, "arn": newest.ID, "domain": name, "status": newest.Outputs["status"], "statuses": statuses,
		"certificate": "", "certificateChain": "", "tags": tagsOf(newest.Inputs)}, nil
}

// zoneID is that of a public hosted zone. The account has one for every name that is asked for.
func zoneID(name string) string { return "Z" + strings.ToUpper(hashed(plainName(name), 20)) }

func getZone(_ *Account, c *call) (map[string]any, error) {
	name := plainName(text(c.inputs, "name"))
	if name == "" || truth(c.inputs, "privateZone") {
		return nil, refuse("NotFound", "no matching Route 53 Hosted Zone found")
	}
	id := zoneID(name)
	return map[string]any{
		"id": id, "zoneId": id, "arn": "arn:aws:route53:::hostedzone/" + id, "name": name, "privateZone": false, "callerReference": id, "comment": "",
		"nameServers": []string{"ns-1.awsdns-01.org"}, "primaryNameServer": "ns-1.awsdns-01.org", "resourceRecordSetCount": 2,
		"linkedServiceDescription": "", "linkedServicePrincipal": "", "vpcId": "", "tags": map[string]any{},
	}, nil
}

func getBalancersZone(c *call) map[string]any {
	kind, _ := fallback(c.inputs, "loadBalancerType", "application").(string)
	id := balancersZone
	if kind != "network" {
		id = "Z32O12XQLNTSW2"
	}
	return map[string]any{"id": id, "loadBalancerType": kind, "region": text(c.inputs, "region")}
}

// names are the kinds that concern names in DNS.
func (a *Account) names() map[string]kind {
	return map[string]kind{
		kindCertificate: newKind(a, "", createCertificate, updateCertificate, removeCertificate).locksItself(),
		kindValidation:  newKind(a, "", createValidation),
		kindRecordSet:   newKind(a, "", createRecordSet, updateRecordSet),
	}
}
