package rds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
	"threetier/local/internal/postgres"
)

// What an instance can be doing.
const (
	StatusCreating  = "creating"
	StatusAvailable = "available"
	statusStopped   = "stopped"
	statusDeleting  = "deleting"
)

// createInstance answers when the instance takes connections. A caller who goes away meanwhile changes nothing.
func (a *Service) createInstance(c *state.Call) (*state.Record, error) {
	a.Mu.Lock()
	rec, err := a.planInstance(c)
	a.Mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer a.Hold(rec)()
	warnings, err := a.finishCreation(rec)
	c.Warn(warnings...)
	if err != nil {
		return nil, err
	}
	if state.Text(rec.Inputs, "snapshotIdentifier") == "" {
		return rec, nil
	}
	return rec, a.modifyRestored(c, rec) // a refusal leaves the restored instance, as on RDS
}

// modifyRestored asks at once for what a restore can't be asked for.
func (a *Service) modifyRestored(c *state.Call, rec *state.Record) error {
	asked := c.Inputs["applyImmediately"]
	c.Inputs = state.Merge(c.Inputs, map[string]any{"applyImmediately": true, "username": rec.Inputs["username"],
		"dbName": rec.Inputs["dbName"]})
	if err := a.modify(c, rec); err != nil {
		return err
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec.Inputs["applyImmediately"] = asked
	return a.Store.Put(rec)
}

// storage is the size in GiB that the instance has.
func storage(rec *state.Record) int {
	return max(state.Number(rec.Inputs, "allocatedStorage"), rec.Instance.Grown)
}

// versionOf is RDS's full version of an instance.
func (a *Service) versionOf(rec *state.Record) string {
	return cmp.Or(rec.Instance.Version, resolve(state.Text(rec.Inputs, "engineVersion"), ""))
}

// grow is what RDS does by itself when the storage is nearly full.
func (a *Service) grow(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	a.Mu.Lock()
	defer a.Mu.Unlock()
	size := state.Number(c.Inputs, "allocatedStorage")
	if most := state.Number(rec.Inputs, "maxAllocatedStorage"); size <= storage(rec) || size > most {
		return state.Refuse("InvalidParameterValue", "allocatedStorage is %d, want %d to %d", size, storage(rec)+1, most)
	}
	rec.Instance.Grown = size
	return a.Store.Put(rec)
}

// finishCreation makes what was planned. Only the account's own end interrupts it, and its next start takes it up.
func (a *Service) finishCreation(rec *state.Record) (warnings []string, err error) {
	warnings, err = a.buildInstance(a.life, rec)
	if err == nil {
		a.Log.Info("instance created", "instance", rec.Instance.Identifier, "address", rec.Instance.IP)
		return warnings, nil
	}
	if a.life.Err() != nil {
		a.Log.Warn("instance's creation is interrupted", "instance", rec.Instance.Identifier)
		return nil, err
	}
	a.Log.Warn("instance is undone", "instance", rec.Instance.Identifier, "reason", err)
	return nil, errors.Join(err, a.erase(rec))
}

// planInstance reserves the identifier and the address. The caller holds a.Mu.
func (a *Service) planInstance(c *state.Call) (*state.Record, error) {
	inputs := maps.Clone(c.Inputs)
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
	rec := c.Record(state.KindInstance, "db-"+state.RandomUpper(26))
	rec.Inputs = inputs
	rec.Sealed = a.Sealer.Seal(state.Text(c.Inputs, "password")) // until the server has it
	rec.Instance = &state.Instance{
		Identifier: state.Text(inputs, "identifier"), Status: StatusCreating, IP: ip, Zone: zone,
		Port: portOf(inputs), Applied: a.desired(inputs), Version: resolve(state.Text(inputs, "engineVersion"), ""),
	}
	if snap := a.Store.Get(KindSnapshot, state.Text(inputs, "snapshotIdentifier")); snap != nil {
		rec.Instance.Version = snapshotVersion(snap)
	}
	if source := a.InstanceByName(state.Text(inputs, "replicateSourceDb")); source != nil {
		rec.Instance.Source, rec.Instance.Version = source.ID, a.versionOf(source)
	}
	c.Warn(a.versionWarning(inputs))
	return rec, a.Store.Put(rec)
}

// zoneFor keeps a replica out of its source's zone.
func (a *Service) zoneFor(inputs map[string]any) string {
	if zone := state.Text(inputs, "availabilityZone"); zone != "" {
		return zone[len(zone)-1:]
	}
	zones := slices.Sorted(maps.Keys(a.cfg.Networks))
	if source := a.InstanceByName(state.Text(inputs, "replicateSourceDb")); source != nil {
		zones = slices.DeleteFunc(zones, func(z string) bool { return z == source.Instance.Zone })
	}
	return zones[0]
}

func portOf(inputs map[string]any) int {
	if port := state.Number(inputs, "port"); port != 0 {
		return port
	}
	return 5432
}

func (a *Service) versionWarning(inputs map[string]any) string {
	asked := state.Text(inputs, "engineVersion")
	runs := a.majors.For(majorOf(asked))
	if majorOf(asked) == runs.Major || asked == "" {
		return ""
	}
	return fmt.Sprintf("PostgreSQL %s was asked for, and PostgreSQL %s runs in its place: this stand-in has %s",
		asked, runs.Version, a.majors)
}

// buildInstance makes the data, starts the server and lets the master user in. What an earlier try left goes first.
func (a *Service) buildInstance(ctx context.Context, rec *state.Record) (warnings []string, err error) {
	password, err := a.Sealer.Open(rec.Sealed)
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
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec.Instance.Status, rec.Sealed = StatusAvailable, nil
	recorded.CreateLogGroups(a.Shared, rec)
	if err := a.Store.Put(rec); err != nil {
		return nil, err
	}
	return a.missingParameters(rec), a.writeHosts()
}

// fillData gives the instance its data directory: new, from a snapshot, or from the instance that it replicates.
func (a *Service) fillData(ctx context.Context, rec *state.Record) error {
	srv := a.serverOf(rec)
	if rec.Instance.Source != "" {
		a.Mu.Lock()
		source := a.Store.Get(state.KindInstance, rec.Instance.Source)
		a.Mu.Unlock()
		if source == nil {
			return errors.New("the source of the replica is gone")
		}
		return srv.Replicate(ctx, a.serverOf(source))
	}
	if id := state.Text(rec.Inputs, "snapshotIdentifier"); id != "" {
		return srv.Restore(ctx, filepath.Join(a.snapshotDir(id), "data"))
	}
	return srv.Init(ctx)
}

// provision lets the master user in. A replica has it all from its source, a restored instance only gets the new
// password.
func (a *Service) provision(ctx context.Context, rec *state.Record, password string) error {
	srv, username := a.serverOf(rec), state.Text(rec.Inputs, "username")
	switch {
	case rec.Instance.Source != "":
		return nil
	case state.Text(rec.Inputs, "snapshotIdentifier") != "":
		return srv.SetPassword(ctx, username, password)
	}
	return srv.Provision(ctx, username, state.Text(rec.Inputs, "dbName"), password)
}

// erase removes an instance without a trace.
func (a *Service) erase(rec *state.Record) error {
	a.serverOf(rec).Stop()
	if err := os.RemoveAll(a.instanceDir(rec)); err != nil {
		return err
	}
	a.dropAddress(rec.Instance.IP)
	a.Mu.Lock()
	delete(a.servers, rec.ID)
	source := a.Store.Get(state.KindInstance, rec.Instance.Source)
	err := a.Store.Remove(rec)
	if err == nil {
		err = a.writeHosts()
	}
	a.Mu.Unlock()
	if err == nil {
		a.dropSlots(context.Background(), source)
	}
	return err
}

func (a *Service) InstanceByName(identifier string) *state.Record {
	for _, rec := range a.Store.All(state.KindInstance) {
		if rec.Instance.Identifier == identifier && identifier != "" {
			return rec
		}
	}
	return nil
}

// tidy ends what a killed account left half-done: servers, deletions, copies, folders that nothing knows.
func (a *Service) tidy() error {
	if err := postgres.Settle(filepath.Join(a.cfg.Dir, "instances")); err != nil {
		return err
	}
	running, err := filepath.Glob(filepath.Join(a.cfg.Dir, "instances", "*", "data"))
	for _, data := range running {
		err = errors.Join(err, postgres.ClearStale(data))
	}
	if err != nil {
		return err
	}
	for _, rec := range a.Store.All(state.KindInstance) {
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
	for _, rec := range a.Store.All(state.KindInstance) {
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
