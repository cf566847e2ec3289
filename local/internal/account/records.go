package account

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/state"
)

// createRecordSet refuses what Route 53 refuses in a change of one record set.
func createRecordSet(a *Account, c *state.Call) (*state.Record, error) {
	name, kind, zone := plainName(state.Text(c.Inputs, "name")), state.Text(c.Inputs, "type"), state.Text(c.Inputs, "zoneId")
	if !inZone(name, zone) {
		return nil, state.Refuse("InvalidChangeBatch", "[RRSet with DNS name %s. is not permitted in zone %s]", name, zone)
	}
	id := zone + "_" + name + "_" + kind
	if a.Store.Get(kindRecordSet, id) != nil && !state.Truth(c.Inputs, "allowOverwrite") {
		return nil, state.Refuse("InvalidChangeBatch", "[Tried to create resource record set [name='%s.', type='%s'] but it already exists]", name, kind)
	}
	for _, other := range a.Store.All(kindRecordSet) {
		if plainName(state.Text(other.Inputs, "name")) == name && other.ID != id && (kind == "CNAME" || state.Text(other.Inputs, "type") == "CNAME") {
			return nil, state.Refuse("InvalidChangeBatch", "[RRSet of type %s with DNS name %s. is not permitted because a conflicting RRSet of type %s "+
				"with the same DNS name already exists in zone]", kind, name, state.Text(other.Inputs, "type"))
		}
	}
	rec := c.Record(kindRecordSet, id)
	rec.Outputs = map[string]any{"fqdn": name}
	return rec, updateRecordSet(a, c, rec)
}

func updateRecordSet(_ *Account, c *state.Call, _ *state.Record) error {
	aliases, values := state.Objects(c.Inputs, "aliases"), state.List(c.Inputs, "records")
	switch {
	case (len(aliases) > 0) == (len(values) > 0):
		return state.Refuse("InvalidConfiguration", "exactly one of aliases and records must be given")
	case len(values) > 0 && state.Number(c.Inputs, "ttl") == 0:
		return state.Refuse("InvalidChangeBatch", "[Invalid request: missing field 'TTL' in ResourceRecordSet]")
	case len(aliases) > 0 && state.Text(aliases[0], "zoneId") != balancersZone:
		return state.Refuse("InvalidChangeBatch", "[Tried to create an alias that targets %s., type %s in zone %s, but the alias target name does not lie "+
			"within the target zone]", state.Text(aliases[0], "name"), state.Text(c.Inputs, "type"), state.Text(aliases[0], "zoneId"))
	}
	return nil
}

// inZone says whether some suffix of the name is the zone's.
func inZone(name, zone string) bool {
	for more := true; more; _, name, more = strings.Cut(name, ".") {
		if zoneID(name) == zone {
			return true
		}
	}
	return false
}

// putElsewhere is what somebody does at another provider of DNS, by hand. A record without a value is deleted.
func (a *Account) putElsewhere(_ *http.Request, c *state.Call) (*Response, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec := state.NewRecord(kindElsewhere, plainName(state.Text(c.Inputs, "name"))+" "+state.Text(c.Inputs, "type"), c.Region, "")
	rec.Inputs = map[string]any{"name": c.Inputs["name"], "type": c.Inputs["type"], "records": []any{c.Inputs["value"]}}
	change := a.Store.Put
	if state.Text(c.Inputs, "value") == "" {
		change = a.Store.Remove
	}
	if err := change(rec); err != nil {
		return nil, err
	}
	return nil, a.namesChanged()
}

// values are what DNS answers to a question, wherever the zone is. The caller holds a.Mu.
func (a *Account) values(name, kind string) []string {
	var found []string
	for _, rec := range slices.Concat(a.Store.All(kindRecordSet), a.Store.All(kindElsewhere)) {
		if plainName(state.Text(rec.Inputs, "name")) != plainName(name) || state.Text(rec.Inputs, "type") != kind {
			continue
		}
		for _, value := range state.List(rec.Inputs, "records") {
			found = append(found, plainName(value))
		}
		for _, alias := range state.Objects(rec.Inputs, "aliases") {
			found = append(found, plainName(state.Text(alias, "name")))
		}
	}
	return found
}

// hosts are the lines of names that lead to load balancers, and of these. The caller holds a.Mu.
func (a *Account) hosts() string {
	var out strings.Builder
	addresses := map[string]string{}
	for _, address := range a.cfg.LoadBalancers {
		addresses[LoadBalancerName(address)] = address
		fmt.Fprintf(&out, "%s %s\n", address, LoadBalancerName(address))
	}
	for _, rec := range slices.Concat(a.Store.All(kindRecordSet), a.Store.All(kindElsewhere)) {
		name, kind := plainName(state.Text(rec.Inputs, "name")), state.Text(rec.Inputs, "type")
		for _, value := range a.values(name, kind) {
			if address, known := addresses[value]; known && (kind == "A" || kind == "CNAME") {
				fmt.Fprintf(&out, "%s %s\n", address, name)
			}
		}
	}
	return out.String()
}

// writeHosts tells the DNS server the instances' names, and those that lead to load balancers. In place: the file may be one that is mounted, which a
// rename would leave behind.
func (a *Account) writeHosts() error {
	if a.cfg.HostsFile == "" {
		return nil
	}
	var out strings.Builder
	for _, rec := range a.Store.All(state.KindInstance) {
		if rec.Instance.Status != rds.StatusCreating {
			fmt.Fprintf(&out, "%s %s\n", rec.Instance.IP, a.rds.DNSName(rec))
		}
	}
	out.WriteString(a.hosts())
	if have, err := os.ReadFile(a.cfg.HostsFile); err == nil && string(have) == out.String() {
		return nil
	}
	return os.WriteFile(a.cfg.HostsFile, []byte(out.String()), 0o644)
}
