package recorded

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"threetier/local/internal/account/state"
)

const (
	KindSecurityGroup = "ec2/securityGroup"
	KindIngressRule   = "vpc/securityGroupIngressRule"
)

const DefaultSecurityGroupID = "sg-0local0000default"

func createSecurityGroup(a *state.Shared, c *state.Call) (*state.Record, error) {
	name, vpc := state.Text(c.Inputs, "name"), state.Fallback(c.Inputs, "vpcId", VPCID)
	if vpc != VPCID && vpc != OtherVPCID {
		return nil, state.Refuse("InvalidVpcID.NotFound", "The vpc ID '%v' does not exist", vpc)
	}
	if other := a.Store.Find(KindSecurityGroup, "name", name); other != nil && other.Outputs["vpcId"] == vpc || strings.HasPrefix(name, "sg-") {
		return nil, state.Refuse("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%v'", name, vpc)
	}
	rec := c.Record(KindSecurityGroup, state.HexID("sg"))
	rec.Outputs = map[string]any{
		"arn": state.ARN("ec2", c.Region, "security-group/"+rec.ID), "ownerId": state.ID, "vpcId": vpc,
		"description": "Managed by Pulumi", "egress": []any{}, "ingress": []any{}, "revokeRulesOnDelete": false,
	}
	return rec, nil
}

func removeSecurityGroup(a *state.Shared, _ *state.Call, rec *state.Record) error {
	used := len(a.Store.Users("vpcSecurityGroupIds", rec.ID)) > 0 ||
		slices.ContainsFunc(a.Store.All(KindIngressRule), func(rule *state.Record) bool {
			return state.Text(rule.Inputs, "referencedSecurityGroupId") == rec.ID && state.Text(rule.Inputs, "securityGroupId") != rec.ID
		})
	if used {
		return state.Refuse("DependencyViolation", "resource %s has a dependent object", rec.ID)
	}
	for _, rule := range a.Store.All(KindIngressRule) { // AWS lets rules go with their group
		if state.Text(rule.Inputs, "securityGroupId") == rec.ID {
			if err := a.Store.Remove(rule); err != nil {
				return err
			}
		}
	}
	return nil
}

var ruleSources = []string{"cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"}

func createIngressRule(a *state.Shared, c *state.Call) (*state.Record, error) {
	rec := c.Record(KindIngressRule, state.HexID("sgr"))
	rec.Outputs = map[string]any{
		"arn": state.ARN("ec2", c.Region, "security-group-rule/"+rec.ID), "securityGroupRuleId": rec.ID,
	}
	return rec, updateIngressRule(a, c, rec)
}

func updateIngressRule(a *state.Shared, c *state.Call, rec *state.Record) error {
	vpc := VPCOf(a, state.Text(c.Inputs, "securityGroupId"))
	if vpc == "" {
		return state.Refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", state.Text(c.Inputs, "securityGroupId"))
	}
	given := slices.DeleteFunc(slices.Clone(ruleSources), func(s string) bool { return state.Text(c.Inputs, s) == "" })
	if len(given) != 1 {
		return state.Refuse("InvalidParameterCombination", "exactly one of %s must be given", strings.Join(ruleSources, ", "))
	}
	source := state.Text(c.Inputs, given[0])
	if given[0] == "referencedSecurityGroupId" && VPCOf(a, source) != vpc {
		return state.Refuse("InvalidGroup.NotFound", "You have specified two resources that belong to different networks, or "+
			"the security group '%s' does not exist", source)
	}
	if strings.HasPrefix(given[0], "cidr") {
		if prefix, err := netip.ParsePrefix(source); err != nil || prefix.Masked() != prefix {
			return state.Refuse("InvalidParameterValue", "CIDR block %s is malformed", source)
		}
	}
	keys := append([]string{"securityGroupId", "ipProtocol", "fromPort", "toPort"}, ruleSources...)
	for _, other := range a.Store.All(KindIngressRule) {
		equal := func(key string) bool { return fmt.Sprint(other.Inputs[key]) == fmt.Sprint(c.Inputs[key]) }
		if other != rec && !slices.ContainsFunc(keys, func(key string) bool { return !equal(key) }) {
			return state.Refuse("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %d, to port: %d, "+
				"ALLOW\" already exists", source, strings.ToUpper(state.Text(c.Inputs, "ipProtocol")),
				state.Number(c.Inputs, "fromPort"), state.Number(c.Inputs, "toPort"))
		}
	}
	return nil
}
