package domain

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/lookup"
	"threetier/internal/tags"
)

// DomainType is the type token of Domain.
const DomainType = "threetier:index:Domain"

// validationTimeout is what ACM may take to see the records: it says 30 minutes itself. Where it takes longer, the zone is
// not the one that the internet asks.
const validationTimeout = "30m"

// Domain has the certificates of an app's names.
type Domain struct {
	pulumi.ResourceState

	Name              pulumi.StringOutput      `pulumi:"name" doc:"The app's own name."`
	CertificateARNs   pulumi.StringArrayOutput `pulumi:"certificateArns" doc:"The certificates that are issued, that of the app's own name first. Without that one there is none: the app is to be served by plain HTTP."`
	ValidationRecords pulumi.MapArrayOutput    `pulumi:"validationRecords" doc:"The records that prove to ACM whose the names are, in the order of the names."`

	// Certificates are CertificateARNs, whose number is known without waiting.
	Certificates []pulumi.StringInput

	args   DomainArgs
	zoneID string
	// proofs are the records in the zone that prove a name, by name.
	proofs map[string]*route53.Record
	// validations are the records that prove to ACM whose the names are, in the order of the names.
	validations []pulumi.MapInput
}

// NewDomain creates the certificates. In a zone of Route 53 they are validated, and whoever uses them waits for that. What
// is to be issued by somebody's own records is used once ACM has issued it: a lookup tells, so that preview and up see the
// same, whatever the state remembers.
func NewDomain(ctx *pulumi.Context, name string, args *DomainArgs, opts ...pulumi.ResourceOption) (*Domain, error) {
	domain := &Domain{proofs: map[string]*route53.Record{}}
	issued, err := domain.find(ctx, args, opts...)
	if err != nil {
		return nil, component.Wrap(domain, name, err)
	}
	return component.New(ctx, DomainType, name, domain, opts, func() error {
		for _, host := range args.Names() {
			if err := domain.certify(ctx, name, host, issued[host]); err != nil {
				return err
			}
		}
		if args.Zone == "" && issued[args.Name] == "" {
			domain.Certificates = nil
		}
		domain.Name = pulumi.String(args.Name).ToStringOutput()
		domain.ValidationRecords = pulumi.MapArray(domain.validations).ToMapArrayOutput()
		domain.CertificateARNs = pulumi.StringArray(domain.Certificates).ToStringArrayOutput()
		return nil
	})
}

// find looks up the zone, or without one the certificates that are issued already, by name.
func (d *Domain) find(ctx *pulumi.Context, args *DomainArgs, opts ...pulumi.ResourceOption) (issued map[string]string, err error) {
	if args == nil {
		return nil, errors.New("args are missing")
	}
	if err := args.Complete().Err(); err != nil {
		return nil, err
	}
	lookups, err := lookup.AWS(opts...)
	if err != nil {
		return nil, err
	}
	d.args = *args
	if args.Zone == "" {
		return issuedCertificates(ctx, args.Names(), lookups...)
	}
	d.zoneID, err = findZone(ctx, args.Zone, lookups...)
	return nil, err
}

func findZone(ctx *pulumi.Context, zone string, lookups ...pulumi.InvokeOption) (string, error) {
	found, err := route53.LookupZone(ctx, &route53.LookupZoneArgs{Name: pulumi.StringRef(zone), PrivateZone: pulumi.BoolRef(false)}, lookups...)
	if err != nil {
		return "", fmt.Errorf("look up the hosted zone %s: %w", zone, err)
	}
	return found.ZoneId, nil
}

// issuedCertificates are the issued ones of exactly these names, by name: the stack's own, or else one that no stack made,
// which may have been there before. Another stack's goes with that stack, which could not delete it while it is used here.
func issuedCertificates(ctx *pulumi.Context, names []string, lookups ...pulumi.InvokeOption) (map[string]string, error) {
	own := map[string]string{tags.Project: ctx.Project(), tags.Stack: ctx.Stack()}
	issued := map[string]string{}
	for _, name := range names {
		newest, err := newestCertificate(ctx, name, nil, lookups...)
		if err == nil && newest != nil && newest.Tags[tags.Stack] != "" {
			newest, err = newestCertificate(ctx, name, own, lookups...)
		}
		if err != nil {
			return nil, fmt.Errorf("look up the certificate of %s: %w", name, err)
		}
		if newest != nil {
			issued[name] = newest.Arn
		}
	}
	return issued, nil
}

// newestCertificate is nil where there is none.
func newestCertificate(ctx *pulumi.Context, name string, having map[string]string, lookups ...pulumi.InvokeOption) (*acm.LookupCertificateResult, error) {
	found, err := acm.LookupCertificate(ctx, &acm.LookupCertificateArgs{
		Domain: pulumi.StringRef(name), Tags: having, Statuses: []string{"ISSUED"}, MostRecent: pulumi.BoolRef(true),
	}, lookups...)
	if err != nil && noCertificate.MatchString(err.Error()) {
		return nil, nil
	}
	return found, err
}

// noCertificate is how the provider says that none has the name, or that none of those has the tags. It asks for a minute
// before it says the first. https://github.com/hashicorp/terraform-provider-aws internal/service/acm/certificate_data_source.go
var noCertificate = regexp.MustCompile("reading ACM Certificates: empty result|no (matching )?ACM Certificate")

// certify creates the certificate of one name. Its logical name has the name in it: another name is another certificate,
// which is there before the old one goes.
func (d *Domain) certify(ctx *pulumi.Context, name, host, issued string) error {
	logical := name + "-" + host
	certificate, err := acm.NewCertificate(ctx, logical, &acm.CertificateArgs{
		DomainName: pulumi.String(host), ValidationMethod: pulumi.String("DNS"),
		Tags: tags.Of(ctx),
	}, pulumi.Parent(d))
	if err != nil {
		return fmt.Errorf("create certificate of %s: %w", host, err)
	}
	option := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	recordName, value := option.ResourceRecordName().Elem(), option.ResourceRecordValue().Elem()
	d.validations = append(d.validations, record(recordName, cname, value))
	switch {
	case d.zoneID == "" && issued != "":
		// By way of the stack's own, which so outlives its use.
		d.Certificates = append(d.Certificates, certificate.Arn.ApplyT(func(string) string { return issued }).(pulumi.StringOutput))
		return nil
	case d.zoneID == "":
		return nil
	}
	proof := provenBy(host)
	if proof == host {
		d.proofs[host], err = route53.NewRecord(ctx, logical+"-validation", &route53.RecordArgs{
			ZoneId: pulumi.String(d.zoneID), Name: recordName, Type: cname, Records: pulumi.StringArray{value}, Ttl: pulumi.Int(recordTTL),
			// All certificates that the account has for a name share one record, with the same value.
			AllowOverwrite: pulumi.Bool(true),
		}, pulumi.Parent(d))
		if err != nil {
			return fmt.Errorf("create validation record of %s: %w", host, err)
		}
	}
	validated, err := acm.NewCertificateValidation(ctx, logical, &acm.CertificateValidationArgs{
		CertificateArn: certificate.Arn, ValidationRecordFqdns: pulumi.StringArray{d.proofs[proof].Fqdn},
	}, pulumi.Parent(d), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: validationTimeout}))
	if err != nil {
		return fmt.Errorf("create validation of %s: %w", host, err)
	}
	d.Certificates = append(d.Certificates, validated.CertificateArn)
	return nil
}
