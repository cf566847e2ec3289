package account

import (
	"fmt"
	"slices"
	"strings"
)

const (
	kindSubnetGroup    = "rds/subnetGroup"
	kindParameterGroup = "rds/parameterGroup"
)

func createSubnetGroup(a *service, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindSubnetGroup, name) != nil {
		return nil, refuse("DBSubnetGroupAlreadyExists", "The DB subnet group '%s' already exists.", name)
	}
	rec := c.record(kindSubnetGroup, name)
	rec.Outputs = map[string]any{
		"arn": arn("rds", c.region, "subgrp:"+name), "supportedNetworkTypes": []string{"IPV4"},
		"description": "Managed by Pulumi",
	}
	return rec, updateSubnetGroup(a, c, rec)
}

func updateSubnetGroup(_ *service, c *call, rec *record) error {
	zones, vpc := []string{}, ""
	for _, id := range list(c.inputs, "subnetIds") {
		s := findSubnet(id)
		if s == nil {
			return refuse("InvalidSubnet", "The subnet ID '%s' does not exist", id)
		}
		if vpc != "" && s.vpc != vpc {
			return refuse("InvalidSubnet", "The subnets are not all in the same VPC: %s is in %s", id, s.vpc)
		}
		vpc = s.vpc
		if zone := c.region + s.zone; !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	if len(zones) < 2 {
		return refuse("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage "+
			"requirement. Current AZ coverage: %s. Add subnets to cover at least 2 AZs.", strings.Join(zones, ", "))
	}
	if had := text(rec.Outputs, "vpcId"); had != "" && had != vpc {
		return refuse("InvalidSubnet", "The new Subnets are not in the same Vpc as the existing subnet group")
	}
	rec.Outputs["vpcId"] = vpc
	return nil
}

func removeSubnetGroup(a *service, _ *call, rec *record) error {
	if users := a.store.users("dbSubnetGroupName", rec.ID); len(users) > 0 {
		return refuse("InvalidDBSubnetGroupStateFault", "Cannot delete the subnet group '%s' because at least one database "+
			"instance: %s is still using it.", rec.ID, users[0])
	}
	return nil
}

func createParameterGroup(a *service, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindParameterGroup, name) != nil {
		return nil, refuse("DBParameterGroupAlreadyExists", "Parameter group %s already exists", name)
	}
	if _, err := a.readParameters(c.ctx, c.inputs); err != nil {
		return nil, err
	}
	rec := c.record(kindParameterGroup, name)
	rec.Outputs = map[string]any{
		"arn": arn("rds", c.region, "pg:"+name), "description": "Managed by Pulumi", "parameters": []any{}, "skipDestroy": false,
	}
	return rec, nil
}

// updateParameterGroup puts what may be changed at once into effect; the rest waits for each instance's reboot.
func updateParameterGroup(a *service, c *call, rec *record) error {
	next, err := a.readParameters(c.ctx, c.inputs)
	if err != nil {
		return err
	}
	rec.Inputs = c.inputs
	for _, other := range a.store.all(kindInstance) {
		if text(other.Inputs, "parameterGroupName") != rec.ID || other.Instance.Status == statusCreating {
			continue
		}
		if err := a.applyParameters(c, other, next); err != nil {
			return err
		}
	}
	return nil
}

func (a *service) applyParameters(c *call, rec *record, next map[string]parameter) error {
	applied, waiting := map[string]string{}, []string{}
	for name, old := range rec.Instance.Applied {
		known := a.setting(name, newestMajor)
		if _, kept := next[name]; !kept && known != nil && known.Static {
			applied[name], waiting = old, append(waiting, name)
		}
	}
	for name, p := range next {
		old, had := rec.Instance.Applied[name]
		switch {
		case !p.pending || had && old == p.value:
			applied[name] = p.value
		default:
			waiting = append(waiting, name)
			if had {
				applied[name] = old
			}
		}
	}
	if len(waiting) > 0 {
		slices.Sort(waiting)
		c.warn(fmt.Sprintf("%s: %s takes effect at the next reboot", rec.Instance.Identifier, strings.Join(waiting, ", ")))
	}
	rec.Instance.Applied, rec.Instance.PendingReboot = applied, len(waiting) > 0
	if err := a.store.put(rec); err != nil {
		return err
	}
	if rec.Instance.Status != statusAvailable {
		return nil
	}
	return a.refresh(c, rec)
}

func removeParameterGroup(a *service, _ *call, rec *record) error {
	if len(a.store.users("parameterGroupName", rec.ID)) > 0 {
		return refuse("InvalidDBParameterGroupState", "One or more database instances are still members of this parameter "+
			"group %s, so the group cannot be deleted", rec.ID)
	}
	return nil
}
