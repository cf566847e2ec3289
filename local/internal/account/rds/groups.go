package rds

import (
	"fmt"
	"slices"
	"strings"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

const (
	KindSubnetGroup    = "rds/subnetGroup"
	KindParameterGroup = "rds/parameterGroup"
)

func createSubnetGroup(a *Service, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.Store.Get(KindSubnetGroup, name) != nil {
		return nil, state.Refuse("DBSubnetGroupAlreadyExists", "The DB subnet group '%s' already exists.", name)
	}
	rec := c.Record(KindSubnetGroup, name)
	rec.Outputs = map[string]any{
		"arn": state.ARN("rds", c.Region, "subgrp:"+name), "supportedNetworkTypes": []string{"IPV4"},
		"description": "Managed by Pulumi",
	}
	return rec, updateSubnetGroup(a, c, rec)
}

func updateSubnetGroup(_ *Service, c *state.Call, rec *state.Record) error {
	zones, vpc := []string{}, ""
	for _, id := range state.List(c.Inputs, "subnetIds") {
		s := recorded.FindSubnet(id)
		if s == nil {
			return state.Refuse("InvalidSubnet", "The subnet ID '%s' does not exist", id)
		}
		if vpc != "" && s.VPC != vpc {
			return state.Refuse("InvalidSubnet", "The subnets are not all in the same VPC: %s is in %s", id, s.VPC)
		}
		vpc = s.VPC
		if zone := c.Region + s.Zone; !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	if len(zones) < 2 {
		return state.Refuse("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage "+
			"requirement. Current AZ coverage: %s. Add subnets to cover at least 2 AZs.", strings.Join(zones, ", "))
	}
	if had := state.Text(rec.Outputs, "vpcId"); had != "" && had != vpc {
		return state.Refuse("InvalidSubnet", "The new Subnets are not in the same VPC as the existing subnet group")
	}
	rec.Outputs["vpcId"] = vpc
	return nil
}

func removeSubnetGroup(a *Service, _ *state.Call, rec *state.Record) error {
	if users := a.Store.Users("dbSubnetGroupName", rec.ID); len(users) > 0 {
		return state.Refuse("InvalidDBSubnetGroupStateFault", "Cannot delete the subnet group '%s' because at least one database "+
			"instance: %s is still using it.", rec.ID, users[0])
	}
	return nil
}

func createParameterGroup(a *Service, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.Store.Get(KindParameterGroup, name) != nil {
		return nil, state.Refuse("DBParameterGroupAlreadyExists", "Parameter group %s already exists", name)
	}
	if _, err := a.readParameters(c.Ctx, c.Inputs); err != nil {
		return nil, err
	}
	rec := c.Record(KindParameterGroup, name)
	rec.Outputs = map[string]any{
		"arn": state.ARN("rds", c.Region, "pg:"+name), "description": "Managed by Pulumi", "parameters": []any{}, "skipDestroy": false,
	}
	return rec, nil
}

// updateParameterGroup puts what may be changed at once into effect; the rest waits for each instance's reboot.
func updateParameterGroup(a *Service, c *state.Call, rec *state.Record) error {
	next, err := a.readParameters(c.Ctx, c.Inputs)
	if err != nil {
		return err
	}
	rec.Inputs = c.Inputs
	for _, other := range a.Store.All(state.KindInstance) {
		if state.Text(other.Inputs, "parameterGroupName") != rec.ID || other.Instance.Status == StatusCreating {
			continue
		}
		if err := a.applyParameters(c, other, next); err != nil {
			return err
		}
	}
	return nil
}

func (a *Service) applyParameters(c *state.Call, rec *state.Record, next map[string]parameter) error {
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
		c.Warn(fmt.Sprintf("%s: %s takes effect at the next reboot", rec.Instance.Identifier, strings.Join(waiting, ", ")))
	}
	rec.Instance.Applied, rec.Instance.PendingReboot = applied, len(waiting) > 0
	if err := a.Store.Put(rec); err != nil {
		return err
	}
	if rec.Instance.Status != StatusAvailable {
		return nil
	}
	return a.Refresh(c, rec)
}

func removeParameterGroup(a *Service, _ *state.Call, rec *state.Record) error {
	if len(a.Store.Users("parameterGroupName", rec.ID)) > 0 {
		return state.Refuse("InvalidDBParameterGroupState", "One or more database instances are still members of this parameter "+
			"group %s, so the group cannot be deleted", rec.ID)
	}
	return nil
}
