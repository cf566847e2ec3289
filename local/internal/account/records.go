package account

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
)

// createRecordSet refuses what Route 53 refuses in a change of one record set.
func createRecordSet(a *Account, c *call) (*record, error) {
	name, kind, zone := plainName(text(c.inputs, "name")), text(c.inputs, "type"), text(c.inputs, "zoneId")
	if !inZone(name, zone) {
		return nil, refuse("InvalidChangeBatch", "[RRSet with DNS name %s. is not permitted in zone %s]", name, zone)
	}
	id := zone + "_" + name + "_" + kind
	if a.store.get(kindRecordSet, id) != nil && !truth(c.inputs, "allowOverwrite") {
		return nil, refuse("InvalidChangeBatch", "[Tried to create resource record set [name='%s.', type='%s'] but it already exists]", name, kind)
	}
	for _, other := range a.store.all(kindRecordSet) {
		if plainName(text(other.Inputs, "name")) == name && other.ID != id && (kind == "CNAME" || text(other.Inputs, "type") == "CNAME") {
			return nil, refuse("InvalidChangeBatch", "[RRSet of type %s with DNS name %s. is not permitted because a conflicting RRSet of type %s "+
				"with the same DNS name already exists in zone]", kind, name, text(other.Inputs, "type"))
		}
	}
	rec := c.record(kindRecordSet, id)
	rec.Outputs = map[string]any{"fqdn": name}
	return rec, updateRecordSet(a, c, rec)
}

func updateRecordSet(_ *Account, c *call, _ *record) error {
	aliases, values := objects(c.inputs, "aliases"), list(c.inputs, "records")
	switch {
	case (len(aliases) > 0) == (len(values) > 0):
		return refuse("InvalidConfiguration", "exactly one of aliases and records must be given")
	case len(values) > 0 && number(c.inputs, "ttl") == 0:
		return refuse("InvalidChangeBatch", "[Invalid request: missing field 'TTL' in ResourceRecordSet]")
	case len(aliases) > 0 && text(aliases[0], "zoneId") != balancersZone:
		return refuse("InvalidChangeBatch", "[Tried to create an alias that targets %s., type %s in zone %s, but the alias target name does not lie "+
			"within the target zone]", text(aliases[0], "name"), text(c.inputs, "type"), text(aliases[0], "zoneId"))
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
func (a *Account) putElsewhere(_ *http.Request, c *call) (*Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rec := newRecord(kindElsewhere, plainName(text(c.inputs, "name"))+" "+text(c.inputs, "type"), c.region, "")
	rec.Inputs = map[string]any{"name": c.inputs["name"], "type": c.inputs["type"], "records": []any{c.inputs["value"]}}
	change := a.store.put
	if text(c.inputs, "value") == "" {
		change = a.store.remove
	}
	if err := change(rec); err != nil {
		return nil, err
	}
	return nil, a.namesChanged()
}

// values are what DNS answers to a question, wherever the zone is. The caller holds a.mu.
func (a *Account) values(name, kind string) []string {
	var found []string
	for _, rec := range slices.Concat(a.store.all(kindRecordSet), a.store.all(kindElsewhere)) {
		if plainName(text(rec.Inputs, "name")) != plainName(name) || text(rec.Inputs, "type") != kind {
			continue
		}
		for _, value := range list(rec.Inputs, "records") {
			found = append(found, plainName(value))
		}
		for _, alias := range objects(rec.Inputs, "aliases") {
			found = append(found, plainName(text(alias, "name")))
		}
	}
	return found
}

// hosts are the lines of names that lead to load balancers, and of these. The caller holds a.mu.
func (a *Account) hosts() string {
	var out strings.Builder
	addresses := map[string]string{}
	for _, address := range a.cfg.LoadBalancers {
		addresses[LoadBalancerName(address)] = address
		fmt.Fprintf(&out, "%s %s\n", address, LoadBalancerName(address))
	}
	for _, rec := range slices.Concat(a.store.all(kindRecordSet), a.store.all(kindElsewhere)) {
		name, kind := plainName(text(rec.Inputs, "name")), text(rec.Inputs, "type")
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
	for _, rec := range a.store.all(kindInstance) {
		if rec.Instance.Status != statusCreating {
			fmt.Fprintf(&out, "%s %s\n", rec.Instance.IP, a.rds.dnsName(rec))
		}
	}
	out.WriteString(a.hosts())
	if have, err := os.ReadFile(a.cfg.HostsFile); err == nil && string(have) == out.String() {
		return nil
	}
	return os.WriteFile(a.cfg.HostsFile, []byte(out.String()), 0o644)
}
