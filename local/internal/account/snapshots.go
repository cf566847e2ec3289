package account

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"threetier/local/internal/files"
	"threetier/local/internal/postgres"
)

const (
	kindSnapshot = "rds/snapshot"
	typeBackup   = "awsbackup"
	backupPrefix = typeBackup + ":"
)

// describedSnapshot is a snapshot, as the account lists it.
type describedSnapshot struct {
	snapshot
	Created time.Time `json:"created"`
}

// snapshotVersion is RDS's full one of a snapshot.
func snapshotVersion(rec *record) string {
	return cmp.Or(rec.Snapshot.Version, resolve(text(rec.Inputs, "engineVersion"), ""))
}

func (a *service) snapshotDir(id string) string { return filepath.Join(a.cfg.Dir, "snapshots", id) }

// typeOf is what RDS wants to be told of a snapshot that is asked for by its identifier, where nobody took it by hand.
func typeOf(id string) string {
	if strings.HasPrefix(id, backupPrefix) {
		return typeBackup
	}
	return ""
}

// planSnapshot reserves the identifier. The caller holds a.mu.
func (a *service) planSnapshot(rec *record, id string) (*record, error) {
	kind := cmp.Or(typeOf(id), "manual")
	if err := checkIdentifier("DBSnapshotIdentifier", strings.TrimPrefix(id, backupPrefix), 255); err != nil {
		return nil, err
	}
	if a.store.get(kindSnapshot, id) != nil {
		return nil, refuse("DBSnapshotAlreadyExists",
			"Cannot create the snapshot because a snapshot with the identifier %s already exists.", id)
	}
	snap := newRecord(kindSnapshot, id, rec.Region, "")
	snap.Inputs = maps.Clone(rec.Inputs)
	snap.Inputs["port"], snap.Inputs["allocatedStorage"] = rec.Instance.Port, storage(rec)
	snap.Snapshot = &snapshot{Identifier: id, Status: statusCreating, Source: rec.Instance.Identifier,
		Type: kind, Version: a.versionOf(rec)}
	return snap, a.store.put(snap)
}

// takeSnapshot copies a running instance, under a name that a person may give.
func (a *service) takeSnapshot(c *call, rec *record) error {
	id := text(c.inputs, "snapshotIdentifier")
	if err := checkIdentifier("DBSnapshotIdentifier", id, 255); err != nil {
		return err
	}
	return a.copyInstance(rec, id)
}

// takeBackup is AWS Backup's job.
func (a *service) takeBackup(c *call, rec *record) error {
	return a.copyInstance(rec, backupPrefix+"job-"+text(c.inputs, "job"))
}

func (a *service) copyInstance(rec *record, id string) error {
	defer a.hold(rec)()
	a.mu.Lock()
	err := a.mustBe(rec, statusAvailable)
	var snap *record
	if err == nil {
		snap, err = a.planSnapshot(rec, id)
	}
	a.mu.Unlock()
	if err != nil {
		return err
	}
	copied, err := a.serverOf(rec).Backup(a.life)
	if err == nil {
		err = a.keepData(copied, snap)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(copied), a.eraseSnapshot(snap))
	}
	return nil
}

// keepData moves a data directory into a snapshot, which then is complete.
func (a *service) keepData(data string, snap *record) error {
	dir := a.snapshotDir(snap.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil { // it may have been moved before a crash
		if err := os.Rename(data, filepath.Join(dir, "data")); err != nil {
			return err
		}
	}
	if err := files.SyncDir(dir); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	snap.Snapshot.Status = statusAvailable
	return a.store.put(snap)
}

func (a *service) deleteSnapshot(_ *call, snap *record) error {
	a.mu.Lock()
	status := snap.Snapshot.Status
	a.mu.Unlock()
	if status != statusAvailable {
		return refuse("InvalidDBSnapshotState", "snapshot %s is not in available state", snap.ID)
	}
	return a.eraseSnapshot(snap)
}

func (a *service) eraseSnapshot(snap *record) error {
	if err := os.RemoveAll(a.snapshotDir(snap.ID)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.store.remove(snap)
}

// tidySnapshots removes copies that were interrupted. A final snapshot's data is moved, not copied: its deletion was
// finished before.
func (a *service) tidySnapshots() error {
	for _, snap := range a.store.all(kindSnapshot) {
		if snap.Snapshot.Status == statusCreating {
			if err := a.eraseSnapshot(snap); err != nil {
				return err
			}
		}
	}
	leftovers, err := postgres.Backups(filepath.Join(a.cfg.Dir, "instances"))
	for _, path := range leftovers {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// deleteInstance refuses as RDS does, then lets the data go, or become the final snapshot.
func (a *service) deleteInstance(c *call, rec *record) error {
	defer a.hold(rec)()
	a.mu.Lock()
	err := a.planDeletion(c, rec)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.finishDeletion(context.WithoutCancel(c.ctx), rec)
}

// planDeletion checks, and reserves the final snapshot. The caller holds a.mu.
func (a *service) planDeletion(c *call, rec *record) error {
	final, skip := text(c.inputs, "finalSnapshotIdentifier"), truth(c.inputs, "skipFinalSnapshot")
	switch {
	case truth(rec.Inputs, "deletionProtection"):
		return refuse("InvalidParameterCombination",
			"Cannot delete protected DB Instance, please disable deletion protection and try again.")
	case rec.Instance.Source != "":
		// RDS takes no final snapshot of a replica
	case !skip && final == "":
		return refuse("InvalidParameterCombination",
			"FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
	case !skip:
		if _, err := a.planSnapshot(rec, final); err != nil {
			return err
		}
		rec.Instance.FinalSnapshot = final
	}
	rec.Instance.Status = statusDeleting
	return a.store.put(rec)
}

// finishDeletion can be interrupted anywhere and called again.
func (a *service) finishDeletion(ctx context.Context, rec *record) error {
	for _, replica := range a.replicasOf(rec) {
		release := a.hold(replica)
		err := a.promote(ctx, replica)
		release()
		if err != nil {
			return err
		}
	}
	srv := a.serverOf(rec)
	srv.Stop()
	if snap := a.store.get(kindSnapshot, rec.Instance.FinalSnapshot); snap != nil {
		if err := a.keepData(srv.Data(), snap); err != nil {
			return err
		}
	}
	return a.erase(rec)
}
