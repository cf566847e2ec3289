package rds

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// firstHost leaves room for what a VPC keeps for itself in every subnet.
const firstHost = 10

// allocate finds an address in a zone that no instance has.
func (a *Service) allocate(zone string) (string, error) {
	prefix, err := netip.ParsePrefix(a.cfg.Networks[zone])
	if err != nil {
		return "", fmt.Errorf("network of zone %q: %w", zone, err)
	}
	taken := map[string]bool{}
	for _, rec := range a.Store.All(state.KindInstance) {
		taken[rec.Instance.IP] = true
	}
	address := prefix.Masked().Addr()
	for range firstHost {
		address = address.Next()
	}
	for ; prefix.Contains(address.Next()); address = address.Next() {
		if !taken[address.String()] {
			return address.String(), nil
		}
	}
	return "", state.Refuse("InsufficientDBInstanceCapacity", "no address is free in zone %s", zone)
}

// addAddress gives the bridge an instance's address; loopback has all of 127.0.0.0/8 already.
func (a *Service) addAddress(ip string) error {
	if a.cfg.Bridge == "" {
		return nil
	}
	return runIP("address", "replace", ip+"/32", "dev", a.cfg.Bridge)
}

func (a *Service) dropAddress(ip string) {
	if a.cfg.Bridge == "" || ip == "" {
		return
	}
	if err := runIP("address", "del", ip+"/32", "dev", a.cfg.Bridge); err != nil {
		a.Log.Warn("address stays on the bridge", "error", err)
	}
}

func runIP(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func (a *Service) DNSName(rec *state.Record) string {
	return fmt.Sprintf("%s.%s.%s.rds.amazonaws.com", rec.Instance.Identifier, a.suffix, rec.Region)
}

// sources are the networks from which an instance's security groups let its port be reached. Who refers to the
// cluster's security group means the nodes and pods.
func (a *Service) sources(rec *state.Record) []string {
	var out []string
	for _, rule := range a.Store.All(recorded.KindIngressRule) {
		in := rule.Inputs
		if !slices.Contains(state.List(rec.Inputs, "vpcSecurityGroupIds"), state.Text(in, "securityGroupId")) {
			continue
		}
		protocol := state.Text(in, "ipProtocol")
		port := rec.Instance.Port
		covers := protocol == "-1" || protocol == "tcp" && state.Number(in, "fromPort") <= port && port <= state.Number(in, "toPort")
		if !covers {
			continue
		}
		switch {
		case state.Text(in, "cidrIpv4") != "":
			out = append(out, state.Text(in, "cidrIpv4"))
		case state.Text(in, "cidrIpv6") != "":
			out = append(out, state.Text(in, "cidrIpv6"))
		case state.Text(in, "referencedSecurityGroupId") == recorded.ClusterSecurityGroupID:
			out = append(out, a.cfg.ClusterCIDRs...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
