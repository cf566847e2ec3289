package account

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

func slotOf(rec *record) string { return strings.ReplaceAll(folder(rec), "-", "_") }

// copySource makes a replica's data from the instance that it follows, which from then on keeps its log for it.
func (a *Account) copySource(ctx context.Context, rec *record, data string) error {
	a.mu.Lock()
	source := a.servers[rec.Instance.Source]
	a.mu.Unlock()
	if source == nil {
		return errors.New("the source's server doesn't run")
	}
	err := a.pg.baseBackup(ctx, source, data, "--wal-method=stream", "--create-slot", "--slot="+slotOf(rec))
	if err != nil {
		return err
	}
	for _, name := range []string{"server.crt", "server.key"} { // they are the source's
		if err := os.Remove(filepath.Join(a.dataDir(rec), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return a.writeOwned(rec, "standby.signal", nil)
}

func (a *Account) replicasOf(rec *record) []*record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.replicas(rec)
}

// replicas needs a.mu held.
func (a *Account) replicas(rec *record) []*record {
	var out []*record
	for _, other := range a.store.all(kindInstance) {
		if other.Instance.Source == rec.ID {
			out = append(out, other)
		}
	}
	return out
}

// promote makes a replica an instance of its own.
func (a *Account) promote(ctx context.Context, rec *record) error {
	if srv := a.serverOf(rec); srv != nil && srv.running() {
		const sql = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, 60) ELSE true END;\n"
		out, err := a.pg.query(ctx, srv, sql)
		if err == nil && out != "t" {
			err = errors.New("the replica isn't promoted after 60 s")
		}
		if err != nil {
			return err
		}
	} else if err := os.Remove(filepath.Join(a.dataDir(rec), "standby.signal")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	a.mu.Lock()
	source := rec.Instance.Source
	rec.Instance.Source = ""
	delete(rec.Inputs, "replicateSourceDb")
	err := a.store.put(rec)
	if err == nil {
		err = a.refresh(nil, rec)
	}
	a.mu.Unlock()
	if err == nil {
		a.dropSlots(ctx, source)
	}
	return err
}

// dropSlots frees the log that a source keeps for replicas that are no more. A source that is down does so when it
// starts.
func (a *Account) dropSlots(ctx context.Context, source string) {
	a.mu.Lock()
	srv := a.servers[source]
	keep := []string{"''"}
	for _, rec := range a.store.all(kindInstance) {
		if rec.Instance.Source == source {
			keep = append(keep, quoteText(slotOf(rec)))
		}
	}
	a.mu.Unlock()
	if srv == nil || !srv.running() {
		return
	}
	sql := "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE active AND slot_type = 'physical' AND slot_name NOT IN (" +
		strings.Join(keep, ", ") + ");\nSELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots " +
		"WHERE slot_type = 'physical' AND NOT active AND slot_name NOT IN (" + strings.Join(keep, ", ") + ");\n"
	if _, err := a.pg.query(ctx, srv, sql); err != nil {
		a.log.Warn("a replication slot stays", "error", err)
	}
}

// followers point the replicas at what they follow, after its port has changed.
func (a *Account) followers(_ context.Context, rec *record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, replica := range a.replicas(rec) {
		if err := a.refresh(nil, replica); err != nil {
			return err
		}
	}
	return nil
}
