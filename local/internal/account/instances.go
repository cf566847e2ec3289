package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

const kindInstance = "rds/instance"

// What an instance can be doing.
const (
	statusCreating  = "creating"
	statusAvailable = "available"
	statusStopped   = "stopped"
	statusDeleting  = "deleting"
)

// instance is what a record of an RDS instance holds beside its inputs.
type instance struct {
	Identifier    string            `json:"identifier"`
	Status        string            `json:"status"`
	IP            string            `json:"ip"`
	Zone          string            `json:"zone"`
	Port          int               `json:"port"`
	Applied       map[string]string `json:"applied"`           // the parameters in effect
	PendingReboot bool              `json:"pendingReboot"`     // the parameter group has changes that wait
	Pending       map[string]any    `json:"pending,omitempty"` // modifications that wait for the maintenance window
	Source        string            `json:"source,omitempty"`  // resource id of the instance that it replicates
	Untrusted     bool              `json:"untrusted,omitempty"`
	FinalSnapshot string            `json:"finalSnapshot,omitempty"` // while it is being deleted
}

// createInstance answers when the instance takes connections. A caller who goes away meanwhile leaves nothing behind.
func (a *Account) createInstance(c *call) (*record, error) {
	a.mu.Lock()
	rec, err := a.planInstance(c)
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer a.hold(rec)()
	if err := a.buildInstance(c, rec); err != nil {
		a.log.Warn("instance is undone", "instance", rec.Instance.Identifier, "reason", err)
		return nil, errors.Join(err, a.erase(rec))
	}
	a.log.Info("instance created", "instance", rec.Instance.Identifier, "address", rec.Instance.IP)
	return rec, nil
}

// planInstance reserves the identifier and the address. The caller holds a.mu.
func (a *Account) planInstance(c *call) (*record, error) {
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
	rec.Instance = &instance{
		Identifier: text(inputs, "identifier"), Status: statusCreating, IP: ip, Zone: zone,
		Port: portOf(inputs), Applied: a.desired(inputs),
	}
	if source := a.instanceByName(text(inputs, "replicateSourceDb")); source != nil {
		rec.Instance.Source = source.ID
	}
	c.warn(a.versionWarning(inputs))
	return rec, a.store.put(rec)
}

// zoneFor keeps a replica out of its source's zone.
func (a *Account) zoneFor(inputs map[string]any) string {
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

func (a *Account) versionWarning(inputs map[string]any) string {
	asked := text(inputs, "engineVersion")
	if majorOf(asked) == a.pg.major || asked == "" {
		return ""
	}
	return fmt.Sprintf("PostgreSQL %s was asked for, PostgreSQL %s is installed here and runs in its place",
		asked, a.pg.version)
}

// buildInstance makes the data, starts the server and lets the master user in.
func (a *Account) buildInstance(c *call, rec *record) error {
	dir := a.instanceDir(rec)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := a.pg.own(dir); err != nil {
		return err
	}
	if err := a.fillData(c.ctx, rec); err != nil {
		return err
	}
	if err := a.startInstance(c.ctx, rec); err != nil {
		return err
	}
	if err := a.provision(c.ctx, rec, text(c.inputs, "password")); err != nil {
		return err
	}
	if err := c.ctx.Err(); err != nil {
		return context.Cause(c.ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.warn(a.missingParameters(rec)...)
	rec.Instance.Status = statusAvailable
	a.createLogGroups(rec)
	if err := a.store.put(rec); err != nil {
		return err
	}
	return a.writeHosts()
}

// fillData gives the instance its data directory: new, from a snapshot, or from the instance that it replicates.
func (a *Account) fillData(ctx context.Context, rec *record) error {
	data := filepath.Join(a.serverDir(rec), "data")
	if rec.Instance.Source != "" {
		return a.copySource(ctx, rec, data)
	}
	if id := text(rec.Inputs, "snapshotIdentifier"); id != "" {
		return a.copySnapshot(ctx, id, a.dataDir(rec))
	}
	return a.pg.initdb(ctx, data)
}

// provision makes what RDS makes: a master user that isn't a superuser and owns its database. A replica has it all
// from its source, a restored instance only gets the new password.
func (a *Account) provision(ctx context.Context, rec *record, password string) error {
	if rec.Instance.Source != "" {
		return nil
	}
	if text(rec.Inputs, "snapshotIdentifier") != "" {
		return a.setPassword(ctx, rec, password)
	}
	master := quoteName(text(rec.Inputs, "username"))
	sql := `CREATE ROLE rds_superuser;
GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE ` + master + ` LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser;
ALTER DATABASE postgres OWNER TO ` + master + `;
`
	if name := text(rec.Inputs, "dbName"); name != "" {
		sql += "CREATE DATABASE " + quoteName(name) + " OWNER " + master + ";\n"
	}
	if _, err := a.pg.query(ctx, a.serverOf(rec), sql); err != nil {
		return err
	}
	return a.setPassword(ctx, rec, password)
}

func (a *Account) setPassword(ctx context.Context, rec *record, password string) error {
	if password == "" {
		return nil
	}
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	_, err = a.pg.query(ctx, a.serverOf(rec),
		"ALTER ROLE "+quoteName(text(rec.Inputs, "username"))+" PASSWORD "+quoteText(verifier)+";\n")
	return err
}

func (a *Account) serverOf(rec *record) *server {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.servers[rec.ID]
}

// startInstance brings up the address and the server.
func (a *Account) startInstance(ctx context.Context, rec *record) error {
	a.mu.Lock()
	if a.closing {
		a.mu.Unlock()
		return errStopped
	}
	_, err := a.configure(rec)
	srv := &server{
		pg: a.pg, log: a.log.With("instance", rec.Instance.Identifier),
		data: filepath.Join(a.serverDir(rec), "data"), socket: socketOf(rec),
		logTo: filepath.Join(a.instanceDir(rec), "postgresql.log"),
	}
	a.servers[rec.ID] = srv
	port, ip := rec.Instance.Port, rec.Instance.IP
	a.mu.Unlock()
	if err != nil {
		return err
	}
	if err := a.addAddress(ip); err != nil {
		return err
	}
	began := time.Now()
	if err := srv.start(ctx, port); err != nil {
		return err
	}
	srv.log.Info("PostgreSQL is ready", "address", ip+":"+strconv.Itoa(port), "took", time.Since(began).Round(time.Millisecond))
	a.dropSlots(ctx, rec.ID)
	return nil
}

func (a *Account) restartInstance(ctx context.Context, rec *record) error {
	if srv := a.serverOf(rec); srv != nil {
		srv.stop()
	}
	return a.startInstance(ctx, rec)
}

// erase removes an instance without a trace.
func (a *Account) erase(rec *record) error {
	if srv := a.serverOf(rec); srv != nil {
		srv.stop()
	}
	if err := os.RemoveAll(a.instanceDir(rec)); err != nil {
		return err
	}
	a.dropAddress(rec.Instance.IP)
	a.mu.Lock()
	delete(a.servers, rec.ID)
	err := a.store.remove(rec)
	if err == nil {
		err = a.writeHosts()
	}
	a.mu.Unlock()
	if err == nil && rec.Instance.Source != "" {
		a.dropSlots(context.Background(), rec.Instance.Source)
	}
	return err
}

func (a *Account) instanceByName(identifier string) *record {
	for _, rec := range a.store.all(kindInstance) {
		if rec.Instance.Identifier == identifier && identifier != "" {
			return rec
		}
	}
	return nil
}

// tidy ends what a killed account left half-done: what was being created goes, what was being deleted too.
func (a *Account) tidy() error {
	running, err := filepath.Glob(filepath.Join(a.cfg.Dir, "instances", "*", "data"))
	for _, data := range running {
		err = errors.Join(err, clearStale(data))
	}
	if err != nil {
		return err
	}
	for _, rec := range a.store.all(kindInstance) {
		var err error
		switch rec.Instance.Status {
		case statusCreating:
			err = a.erase(rec)
		case statusDeleting:
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
