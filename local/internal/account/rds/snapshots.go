package rds

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"threetier/local/internal/account/state"
	"threetier/local/internal/files"
	"threetier/local/internal/postgres"
)

const (
	KindSnapshot = "rds/snapshot"
	typeBackup   = "awsbackup"
	backupPrefix = typeBackup + ":"
)

// DescribedSnapshot is a snapshot, as the account lists it.
type DescribedSnapshot struct {
	state.Snapshot
	Created time.Time `json:"created"`
}

// snapshotVersion is RDS's full one of a snapshot.
func snapshotVersion(rec *state.Record) string {
	return cmp.Or(rec.Snapshot.Version, resolve(state.Text(rec.Inputs, "engineVersion"), ""))
}

func (a *Service) snapshotDir(id string) string { return filepath.Join(a.cfg.Dir, "snapshots", id) }

// typeOf is what RDS wants to be told of a snapshot that is asked for by its identifier, where nobody took it by hand.
func typeOf(id string) string {
	if strings.HasPrefix(id, backupPrefix) {
		return typeBackup
	}
	return ""
}

// planSnapshot reserves the identifier. The caller holds a.Mu.
func (a *Service) planSnapshot(rec *state.Record, id string) (*state.Record, error) {
	kind := cmp.Or(typeOf(id), "manual")
	if err := checkIdentifier("DBSnapshotIdentifier", strings.TrimPrefix(id, backupPrefix), 255); err != nil {
		return nil, err
	}
	if a.Store.Get(KindSnapshot, id) != nil {
		return nil, state.Refuse("DBSnapshotAlreadyExists",
			"Cannot create the snapshot because a snapshot with the identifier %s already exists.", id)
	}
	snap := state.NewRecord(KindSnapshot, id, rec.Region, "")
	snap.Inputs = maps.Clone(rec.Inputs)
	snap.Inputs["port"], snap.Inputs["allocatedStorage"] = rec.Instance.Port, storage(rec)
	snap.Snapshot = &state.Snapshot{Identifier: id, Status: StatusCreating, Source: rec.Instance.Identifier,
		Type: kind, Version: a.versionOf(rec)}
	return snap, a.Store.Put(snap)
}

// takeSnapshot copies a running instance, under a name that a person may give.
func (a *Service) takeSnapshot(c *state.Call, rec *state.Record) error {
	id := state.Text(c.Inputs, "snapshotIdentifier")
	if err := checkIdentifier("DBSnapshotIdentifier", id, 255); err != nil {
		return err
	}
	return a.copyInstance(rec, id)
}

// takeBackup is AWS Backup's job.
func (a *Service) takeBackup(c *state.Call, rec *state.Record) error {
	return a.copyInstance(rec, backupPrefix+"job-"+state.Text(c.Inputs, "job"))
}

func (a *Service) copyInstance(rec *state.Record, id string) error {
	defer a.Hold(rec)()
	a.Mu.Lock()
	err := a.mustBe(rec, StatusAvailable)
	var snap *state.Record
	if err == nil {
		snap, err = a.planSnapshot(rec, id)
	}
	a.Mu.Unlock()
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
func (a *Service) keepData(data string, snap *state.Record) error {
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
	a.Mu.Lock()
	defer a.Mu.Unlock()
	snap.Snapshot.Status = StatusAvailable
	return a.Store.Put(snap)
}

func (a *Service) DeleteSnapshot(_ *state.Call, snap *state.Record) error {
	a.Mu.Lock()
	status := snap.Snapshot.Status
	a.Mu.Unlock()
	if status != StatusAvailable {
		return state.Refuse("InvalidDBSnapshotState", "snapshot %s is not in available state", snap.ID)
	}
	return a.eraseSnapshot(snap)
}

func (a *Service) eraseSnapshot(snap *state.Record) error {
	if err := os.RemoveAll(a.snapshotDir(snap.ID)); err != nil {
		return err
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.Store.Remove(snap)
}

// tidySnapshots removes copies that were interrupted. A final snapshot's data is moved, not copied: its deletion was
// finished before.
func (a *Service) tidySnapshots() error {
	for _, snap := range a.Store.All(KindSnapshot) {
		if snap.Snapshot.Status == StatusCreating {
			if err := a.eraseSnapshot(snap); err != nil {
				return err
			}
		}
	}
	leftovers, err := postgres.Backups(filepath.Join(a.cfg.Dir, "instances"))
	for _, path := range leftovers {
		removed := os.RemoveAll(path)
		// A killed account's pg_basebackup writes until it notices that its server is gone.
		for deadline := time.Now().Add(leftoverPatience); removed != nil && time.Now().Before(deadline); removed = os.RemoveAll(path) {
			time.Sleep(100 * time.Millisecond)
		}
		err = errors.Join(err, removed)
	}
	return err
}

// leftoverPatience is how long a copy that was interrupted may go on.
const leftoverPatience = 30 * time.Second

// deleteInstance refuses as RDS does, then lets the data go, or become the final snapshot.
func (a *Service) deleteInstance(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	a.Mu.Lock()
	err := a.planDeletion(c, rec)
	a.Mu.Unlock()
	if err != nil {
		return err
	}
	return a.finishDeletion(context.WithoutCancel(c.Ctx), rec)
}

// planDeletion checks, and reserves the final snapshot. The caller holds a.Mu.
func (a *Service) planDeletion(c *state.Call, rec *state.Record) error {
	final, skip := state.Text(c.Inputs, "finalSnapshotIdentifier"), state.Truth(c.Inputs, "skipFinalSnapshot")
	switch {
	case state.Truth(rec.Inputs, "deletionProtection"):
		return state.Refuse("InvalidParameterCombination",
			"Cannot delete protected DB Instance, please disable deletion protection and try again.")
	case rec.Instance.Source != "":
		// RDS takes no final snapshot of a replica
	case !skip && final == "":
		return state.Refuse("InvalidParameterCombination",
			"FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
	case !skip:
		if _, err := a.planSnapshot(rec, final); err != nil {
			return err
		}
		rec.Instance.FinalSnapshot = final
	}
	rec.Instance.Status = statusDeleting
	return a.Store.Put(rec)
}

// finishDeletion can be interrupted anywhere and called again.
func (a *Service) finishDeletion(ctx context.Context, rec *state.Record) error {
	for _, replica := range a.replicasOf(rec) {
		release := a.Hold(replica)
		err := a.promote(ctx, replica)
		release()
		if err != nil {
			return err
		}
	}
	srv := a.serverOf(rec)
	srv.Stop()
	if snap := a.Store.Get(KindSnapshot, rec.Instance.FinalSnapshot); snap != nil {
		if err := a.keepData(srv.Data(), snap); err != nil {
			return err
		}
	}
	return a.erase(rec)
}
