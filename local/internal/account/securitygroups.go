package account

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	kindSecurityGroup = "ec2/securityGroup"
	kindIngressRule   = "vpc/securityGroupIngressRule"
)

const defaultSecurityGroupID = "sg-0local0000default"

func createSecurityGroup(a *shared, c *call) (*record, error) {
	name, vpc := text(c.inputs, "name"), fallback(c.inputs, "vpcId", vpcID)
	if vpc != vpcID && vpc != otherVPCID {
		return nil, refuse("InvalidVpcID.NotFound", "The vpc ID '%v' does not exist", vpc)
	}
	if other := a.store.find(kindSecurityGroup, "name", name); other != nil && other.Outputs["vpcId"] == vpc || strings.HasPrefix(name, "sg-") {
		return nil, refuse("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%v'", name, vpc)
	}
	rec := c.record(kindSecurityGroup, hexID("sg"))
	rec.Outputs = map[string]any{
		"arn": arn("ec2", c.region, "security-group/"+rec.ID), "ownerId": ID, "vpcId": vpc,
		"description": "Managed by Pulumi", "egress": []any{}, "ingress": []any{}, "revokeRulesOnDelete": false,
	}
	return rec, nil
}

func removeSecurityGroup(a *shared, _ *call, rec *record) error {
	used := len(a.store.users("vpcSecurityGroupIds", rec.ID)) > 0 ||
		slices.ContainsFunc(a.store.all(kindIngressRule), func(rule *record) bool {
			return text(rule.Inputs, "referencedSecurityGroupId") == rec.ID && text(rule.Inputs, "securityGroupId") != rec.ID
		})
	if used {
		return refuse("DependencyViolation", "resource %s has a dependent object", rec.ID)
	}
	for _, rule := range a.store.all(kindIngressRule) { // AWS lets rules go with their group
		if text(rule.Inputs, "securityGroupId") == rec.ID {
			if err := a.store.remove(rule); err != nil {
				return err
			}
		}
	}
	return nil
}

var ruleSources = []string{"cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"}

func createIngressRule(a *shared, c *call) (*record, error) {
	rec := c.record(kindIngressRule, hexID("sgr"))
	rec.Outputs = map[string]any{
		"arn": arn("ec2", c.region, "security-group-rule/"+rec.ID), "securityGroupRuleId": rec.ID,
	}
	return rec, updateIngressRule(a, c, rec)
}

func updateIngressRule(a *shared, c *call, rec *record) error {
	vpc := vpcOf(a, text(c.inputs, "securityGroupId"))
	if vpc == "" {
		return refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", text(c.inputs, "securityGroupId"))
	}
	given := slices.DeleteFunc(slices.Clone(ruleSources), func(s string) bool { return text(c.inputs, s) == "" })
	if len(given) != 1 {
		return refuse("InvalidParameterCombination", "exactly one of %s must be given", strings.Join(ruleSources, ", "))
	}
	source := text(c.inputs, given[0])
	if given[0] == "referencedSecurityGroupId" && vpcOf(a, source) != vpc {
		return refuse("InvalidGroup.NotFound", "You have specified two resources that belong to different networks, or "+
			"the security group '%s' does not exist", source)
	}
	if strings.HasPrefix(given[0], "cidr") {
		if prefix, err := netip.ParsePrefix(source); err != nil || prefix.Masked() != prefix {
			return refuse("InvalidParameterValue", "CIDR block %s is malformed", source)
		}
	}
	keys := append([]string{"securityGroupId", "ipProtocol", "fromPort", "toPort"}, ruleSources...)
	for _, other := range a.store.all(kindIngressRule) {
		equal := func(key string) bool { return fmt.Sprint(other.Inputs[key]) == fmt.Sprint(c.inputs[key]) }
		if other != rec && !slices.ContainsFunc(keys, func(key string) bool { return !equal(key) }) {
			return refuse("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %d, to port: %d, "+
				"ALLOW\" already exists", source, strings.ToUpper(text(c.inputs, "ipProtocol")),
				number(c.inputs, "fromPort"), number(c.inputs, "toPort"))
		}
	}
	return nil
}
