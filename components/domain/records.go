package domain

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/lookup"
)

// RecordsType is the type token of Records.
const RecordsType = "threetier:index:DomainRecords"

// recordTTL is how many seconds resolvers remember a record.
const recordTTL = 300

const cname = pulumi.String("CNAME")

// RecordsArgs lead a domain's names to a load balancer.
type RecordsArgs struct {
	// Domain has the names. Required.
	Domain *Domain
	// LoadBalancer is the load balancer's DNS name. Required.
	LoadBalancer pulumi.StringInput
	// IPv6 tells that the load balancer has IPv6 addresses too. Default: false.
	IPv6 bool
}

// Records are the addresses of a domain's names.
type Records struct {
	pulumi.ResourceState

	// ByHand are all records that somebody is to make, each with name, type and value; empty where the domain has a zone.
	ByHand pulumi.ArrayOutput `pulumi:"byHand"`

	// Made are those in the zone.
	Made []pulumi.Resource
}

// NewRecords creates the records in the domain's zone. A record that is already there is refused, not taken over: it may
// lead to something else that is in use.
func NewRecords(ctx *pulumi.Context, name string, args *RecordsArgs, opts ...pulumi.ResourceOption) (*Records, error) {
	balancersZone, err := findBalancers(ctx, args, opts...)
	if err != nil {
		return nil, component.Wrap(&Records{}, name, err)
	}
	records := &Records{}
	return component.New(ctx, RecordsType, name, records, opts, func() error {
		byHand, target := pulumi.Array{}, args.LoadBalancer.ToStringOutput()
		for i, host := range args.Domain.args.Names() {
			if balancersZone == "" {
				if provenBy(host) == host {
					byHand = append(byHand, args.Domain.validations[i])
				}
				byHand = append(byHand, record(pulumi.String(host), target.ApplyT(typeTo), target))
				continue
			}
			if err := records.point(ctx, name+"-"+host, host, balancersZone, *args); err != nil {
				return err
			}
		}
		records.ByHand = byHand.ToArrayOutput()
		return nil
	})
}

// findBalancers is the zone of the region's load balancers; empty where somebody makes the records by hand.
func findBalancers(ctx *pulumi.Context, args *RecordsArgs, opts ...pulumi.ResourceOption) (string, error) {
	if args == nil || args.Domain == nil || args.LoadBalancer == nil {
		return "", errors.New("the domain or the load balancer is missing")
	}
	lookups, err := lookup.AWS(opts...)
	if err != nil || args.Domain.zoneID == "" {
		return "", err
	}
	network := "network"
	balancers, err := lb.GetHostedZoneId(ctx, &lb.GetHostedZoneIdArgs{LoadBalancerType: &network}, lookups...)
	if err != nil {
		return "", fmt.Errorf("look up the zone of the region's load balancers: %w", err)
	}
	return balancers.Id, nil
}

func (r *Records) point(ctx *pulumi.Context, logical, host, balancersZone string, args RecordsArgs) error {
	target := args.LoadBalancer.ToStringOutput().ApplyT(networkLoadBalancer).(pulumi.StringOutput)
	types := map[string]string{logical: "A"}
	if args.IPv6 {
		types[logical+"-ipv6"] = "AAAA"
	}
	for logical, recordType := range types {
		made, err := route53.NewRecord(ctx, logical, &route53.RecordArgs{
			ZoneId: pulumi.String(args.Domain.zoneID), Name: pulumi.String(host), Type: pulumi.String(recordType),
			Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name: target, ZoneId: pulumi.String(balancersZone),
				// There is nowhere else to send clients to.
				EvaluateTargetHealth: pulumi.Bool(false),
			}},
		}, pulumi.Parent(r))
		if err != nil {
			return fmt.Errorf("create %s record of %s: %w", recordType, host, err)
		}
		r.Made = append(r.Made, made)
	}
	return nil
}

// networkLoadBalancer refuses what no alias record can lead to.
func networkLoadBalancer(host string) (string, error) {
	if !strings.Contains(host, ".elb.") {
		return "", fmt.Errorf("the load balancer's address is %s, want the DNS name of a network load balancer: without one, leave out zone and make the records by hand", host)
	}
	return host, nil
}

func typeTo(target string) string {
	address, err := netip.ParseAddr(target)
	switch {
	case err != nil:
		return "CNAME"
	case address.Is4():
		return "A"
	}
	return "AAAA"
}

// record is one that somebody is to make.
func record(name, recordType, value pulumi.Input) pulumi.Map {
	return pulumi.Map{"name": name, "type": recordType, "value": value}
}
