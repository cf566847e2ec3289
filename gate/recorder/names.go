package recorder

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// BalancersZone is the hosted zone of the region's network load balancers.
const BalancersZone = "Z2IFOLAFXWLO4F"

// Names are what lookups find of public names. The zero value has the hosted zone and an issued certificate of each.
type Names struct {
	// NoZones are the hosted zones that aren't there.
	NoZones []string
	// Pending are the names without an issued certificate.
	Pending []string
	// Issued are the stacks in the tags of a name's certificates, the newest last; an empty one has no tags. Default: one
	// without.
	Issued map[string][]string
	// Denied refuses to look certificates up.
	Denied bool
}

// certificate is what ACM answers to a request: its validation is the same for all certificates of a name, and for its wildcard.
func certificate(arn, name string) fields {
	proven := strings.TrimPrefix(name, "*.")
	return fields{"arn": arn, "domainValidationOptions": []any{fields{
		"domainName": name, "resourceRecordName": "_" + short(proven) + "." + proven + ".", "resourceRecordType": "CNAME",
		"resourceRecordValue": "_" + short(proven+"value") + ".acm-validations.aws.",
	}}}
}

func (n Names) lookups() map[string]func(resource.PropertyMap) (resource.PropertyMap, error) {
	return map[string]func(resource.PropertyMap) (resource.PropertyMap, error){
		"aws:route53/getZone:getZone":            n.zone,
		"aws:acm/getCertificate:getCertificate":  n.certificate,
		"aws:lb/getHostedZoneId:getHostedZoneId": n.balancersZone,
	}
}

// The errors are the provider's own.
func (n Names) zone(args resource.PropertyMap) (resource.PropertyMap, error) {
	name := args["name"].StringValue()
	if args["privateZone"].BoolValue() || slices.Contains(n.NoZones, name) {
		return nil, fmt.Errorf("no matching Route 53 Hosted Zone found")
	}
	return properties(fields{"id": "Z" + short(name), "zoneId": "Z" + short(name), "name": name}), nil
}

func (n Names) certificate(args resource.PropertyMap) (resource.PropertyMap, error) {
	name := args["domain"].StringValue()
	if n.Denied {
		return nil, fmt.Errorf("reading ACM Certificates: operation error ACM: ListCertificates, AccessDeniedException: not authorized")
	}
	if statuses := args["statuses"].Mappable(); !reflect.DeepEqual(statuses, []any{"ISSUED"}) || !args["mostRecent"].BoolValue() {
		return nil, fmt.Errorf("the lookup is to find the newest issued certificate, and asks for %v", args.Mappable())
	}
	stacks, given := n.Issued[name]
	if !given {
		stacks = []string{""}
	}
	if len(stacks) == 0 || slices.Contains(n.Pending, name) {
		return nil, fmt.Errorf("reading ACM Certificates: empty result")
	}
	wanted := args["tags"]
	for _, stack := range slices.Backward(stacks) {
		if wanted.IsObject() && wanted.ObjectValue()["Stack"].StringValue() != stack {
			continue
		}
		tags := fields{}
		if stack != "" {
			tags = fields{"Project": "threetier", "Stack": stack}
		}
		return properties(fields{"arn": arn("acm", "certificate/issued-"+short(name+stack)), "status": "ISSUED", "domain": name, "tags": tags}), nil
	}
	return nil, fmt.Errorf("no matching ACM Certificate found")
}

func (n Names) balancersZone(args resource.PropertyMap) (resource.PropertyMap, error) {
	if kind := args["loadBalancerType"]; !kind.IsString() || kind.StringValue() != "network" {
		return nil, fmt.Errorf("the load balancer is a network load balancer, the lookup asks for %v", kind)
	}
	return properties(fields{"id": BalancersZone}), nil
}
