package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"threetier/local/internal/postgres"
)

const kindInstance = "rds/instance"

// What an instance can be doing.
const (
	statusCreating  = "creating"
	statusAvailable = "available"
	statusStopped   = "stopped"
	statusDeleting  = "deleting"
)

// createInstance answers when the instance takes connections. A caller who goes away meanwhile changes nothing.
func (a *service) createInstance(c *call) (*record, error) {
	a.mu.Lock()
	rec, err := a.planInstance(c)
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer a.hold(rec)()
	warnings, err := a.finishCreation(rec)
	c.warn(warnings...)
	if err != nil {
		return nil, err
	}
	if text(rec.Inputs, "snapshotIdentifier") == "" {
		return rec, nil
	}
	return rec, a.modifyRestored(c, rec) // a refusal leaves the restored instance, as on RDS
}

// modifyRestored asks at once for what a restore can't be asked for.
func (a *service) modifyRestored(c *call, rec *record) error {
	asked := c.inputs["applyImmediately"]
	c.inputs = merge(c.inputs, map[string]any{"applyImmediately": true, "username": rec.Inputs["username"],
		"dbName": rec.Inputs["dbName"]})
	if err := a.modify(c, rec); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	rec.Inputs["applyImmediately"] = asked
	return a.store.put(rec)
}

// storage is the size in GiB that the instance has.
func storage(rec *record) int {
	return max(number(rec.Inputs, "allocatedStorage"), rec.Instance.Grown)
}

// versionOf is RDS's full version of an instance.
func (a *service) versionOf(rec *record) string {
	return cmp.Or(rec.Instance.Version, resolve(text(rec.Inputs, "engineVersion"), ""))
}

// grow is what RDS does by itself when the storage is nearly full.
func (a *service) grow(c *call, rec *record) error {
	defer a.hold(rec)()
	a.mu.Lock()
	defer a.mu.Unlock()
	size := number(c.inputs, "allocatedStorage")
	if most := number(rec.Inputs, "maxAllocatedStorage"); size <= storage(rec) || size > most {
		return refuse("InvalidParameterValue", "allocatedStorage is %d, want %d to %d", size, storage(rec)+1, most)
	}
	rec.Instance.Grown = size
	return a.store.put(rec)
}

// finishCreation makes what was planned. Only the account's own end interrupts it, and its next start takes it up.
func (a *service) finishCreation(rec *record) (warnings []string, err error) {
	warnings, err = a.buildInstance(a.life, rec)
	if err == nil {
		a.log.Info("instance created", "instance", rec.Instance.Identifier, "address", rec.Instance.IP)
		return warnings, nil
	}
	if a.life.Err() != nil {
		a.log.Warn("instance's creation is interrupted", "instance", rec.Instance.Identifier)
		return nil, err
	}
	a.log.Warn("instance is undone", "instance", rec.Instance.Identifier, "reason", err)
	return nil, errors.Join(err, a.erase(rec))
}

// planInstance reserves the identifier and the address. The caller holds a.mu.
func (a *service) planInstance(c *call) (*record, error) {
	inputs := maps.Clone(c.inputs)
	if err := a.inherit(inputs); err != nil {
		return nil, err
	}
	if err := a.checkNewInstance(c, inputs); err != nil {
		return nil, err
	}
	delete(inputs, "password")
	zone := a.zoneFor(inputs)
	ip, err := a.allocate(zone)
	if err != nil {
		return nil, err
	}
	rec := c.record(kindInstance, "db-"+randomUpper(26))
	rec.Inputs = inputs
	rec.Sealed = a.sealer.seal(text(c.inputs, "password")) // until the server has it
	rec.Instance = &instance{
		Identifier: text(inputs, "identifier"), Status: statusCreating, IP: ip, Zone: zone,
		Port: portOf(inputs), Applied: a.desired(inputs), Version: resolve(text(inputs, "engineVersion"), ""),
	}
	if snap := a.store.get(kindSnapshot, text(inputs, "snapshotIdentifier")); snap != nil {
		rec.Instance.Version = snapshotVersion(snap)
	}
	if source := a.instanceByName(text(inputs, "replicateSourceDb")); source != nil {
		rec.Instance.Source, rec.Instance.Version = source.ID, a.versionOf(source)
	}
	c.warn(a.versionWarning(inputs))
	return rec, a.store.put(rec)
}

// zoneFor keeps a replica out of its source's zone.
func (a *service) zoneFor(inputs map[string]any) string {
	if zone := text(inputs, "availabilityZone"); zone != "" {
		return zone[len(zone)-1:]
	}
	zones := slices.Sorted(maps.Keys(a.cfg.Networks))
	if source := a.instanceByName(text(inputs, "replicateSourceDb")); source != nil {
		zones = slices.DeleteFunc(zones, func(z string) bool { return z == source.Instance.Zone })
	}
	return zones[0]
}

func portOf(inputs map[string]any) int {
	if port := number(inputs, "port"); port != 0 {
		return port
	}
	return 5432
}

func (a *service) versionWarning(inputs map[string]any) string {
	asked := text(inputs, "engineVersion")
	if majorOf(asked) == a.pg.Major || asked == "" {
		return ""
	}
	return fmt.Sprintf("PostgreSQL %s was asked for, and PostgreSQL %s runs in its place: this stand-in has no other",
		asked, a.pg.Version)
}

// buildInstance makes the data, starts the server and lets the master user in. What an earlier try left goes first.
func (a *service) buildInstance(ctx context.Context, rec *record) (warnings []string, err error) {
	password, err := a.sealer.open(rec.Sealed)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(a.instanceDir(rec)); err != nil {
		return nil, err
	}
	if err := a.serverOf(rec).Make(); err != nil {
		return nil, err
	}
	if err := a.fillData(ctx, rec); err != nil {
		return nil, err
	}
	if err := a.startInstance(ctx, rec); err != nil {
		return nil, err
	}
	if err := a.provision(ctx, rec, password); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	rec.Instance.Status, rec.Sealed = statusAvailable, nil
	createLogGroups(a.shared, rec)
	if err := a.store.put(rec); err != nil {
		return nil, err
	}
	return a.missingParameters(rec), a.writeHosts()
}

// fillData gives the instance its data directory: new, from a snapshot, or from the instance that it replicates.
func (a *service) fillData(ctx context.Context, rec *record) error {
	srv := a.serverOf(rec)
	if rec.Instance.Source != "" {
		a.mu.Lock()
		source := a.store.get(kindInstance, rec.Instance.Source)
		a.mu.Unlock()
		if source == nil {
			return errors.New("the source of the replica is gone")
		}
		return srv.Replicate(ctx, a.serverOf(source))
	}
	if id := text(rec.Inputs, "snapshotIdentifier"); id != "" {
		return srv.Restore(ctx, filepath.Join(a.snapshotDir(id), "data"))
	}
	return srv.Init(ctx)
}

// provision lets the master user in. A replica has it all from its source, a restored instance only gets the new
// password.
func (a *service) provision(ctx context.Context, rec *record, password string) error {
	srv, username := a.serverOf(rec), text(rec.Inputs, "username")
	switch {
	case rec.Instance.Source != "":
		return nil
	case text(rec.Inputs, "snapshotIdentifier") != "":
		return srv.SetPassword(ctx, username, password)
	}
	return srv.Provision(ctx, username, text(rec.Inputs, "dbName"), password)
}

// erase removes an instance without a trace.
func (a *service) erase(rec *record) error {
	a.serverOf(rec).Stop()
	if err := os.RemoveAll(a.instanceDir(rec)); err != nil {
		return err
	}
	a.dropAddress(rec.Instance.IP)
	a.mu.Lock()
	delete(a.servers, rec.ID)
	source := a.store.get(kindInstance, rec.Instance.Source)
	err := a.store.remove(rec)
	if err == nil {
		err = a.writeHosts()
	}
	a.mu.Unlock()
	if err == nil {
		a.dropSlots(context.Background(), source)
	}
	return err
}

func (a *service) instanceByName(identifier string) *record {
	for _, rec := range a.store.all(kindInstance) {
		if rec.Instance.Identifier == identifier && identifier != "" {
			return rec
		}
	}
	return nil
}

// tidy ends what a killed account left half-done: servers, deletions, copies, folders that nothing knows.
func (a *service) tidy() error {
	running, err := filepath.Glob(filepath.Join(a.cfg.Dir, "instances", "*", "data"))
	for _, data := range running {
		err = errors.Join(err, postgres.ClearStale(data))
	}
	if err != nil {
		return err
	}
	for _, rec := range a.store.all(kindInstance) {
		var err error
		if rec.Instance.Status == statusDeleting {
			err = a.finishDeletion(context.Background(), rec)
		}
		if err != nil {
			return err
		}
	}
	if err := a.tidySnapshots(); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, rec := range a.store.all(kindInstance) {
		known[folder(rec)] = true
	}
	entries, err := os.ReadDir(filepath.Join(a.cfg.Dir, "instances"))
	for _, entry := range entries {
		if !known[entry.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(a.cfg.Dir, "instances", entry.Name())))
		}
	}
	return err
}
