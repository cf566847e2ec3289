package rds

import (
	"context"
	"errors"
	"maps"
	"slices"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
	"threetier/local/internal/postgres"
)

// deferrable are the changes that RDS keeps for the maintenance window unless they are to be applied immediately. The
// port isn't among them: RDS restarts for it at once.
var deferrable = []string{"allocatedStorage", "caCertIdentifier", "engineVersion", "identifier", "instanceClass", "iops",
	"multiAz", "storageThroughput", "storageType"}

// restarting are the changes that need the server to start again.
var restarting = []string{"engineVersion", "identifier", "instanceClass", "port"}

// modifyInstance answers when the changes are in effect, or are kept for the maintenance window.
func (a *Service) modifyInstance(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	return a.modify(c, rec)
}

// modify wants the instance held.
func (a *Service) modify(c *state.Call, rec *state.Record) error {
	ctx := context.WithoutCancel(c.Ctx) // a half-done modification helps nobody
	a.Mu.Lock()
	before, inputs := *rec.Instance, rec.Inputs
	changed, err := a.planModification(c, rec)
	a.Mu.Unlock()
	if err != nil {
		return err
	}
	if rec.Instance.Source != "" && state.Text(rec.Inputs, "replicateSourceDb") == "" {
		if err := a.promote(ctx, rec); err != nil {
			return err
		}
	}
	err = a.applyModification(ctx, c, rec, changed)
	if failed := (*postgres.UpgradeError)(nil); errors.As(err, &failed) {
		return a.takeBack(ctx, rec, before, inputs, failed)
	}
	if err != nil {
		return err
	}
	if password := state.Text(c.Inputs, "password"); password != "" && rec.Instance.Source == "" {
		return a.serverOf(rec).SetPassword(ctx, state.Text(rec.Inputs, "username"), password)
	}
	return nil
}

// takeBack is what RDS does where pg_upgrade fails: the instance runs what it ran.
func (a *Service) takeBack(ctx context.Context, rec *state.Record, before state.Instance, inputs map[string]any, failed error) error {
	a.Mu.Lock()
	rec.Inputs, *rec.Instance = inputs, before
	for _, replica := range a.replicas(rec) {
		replica.Inputs["engineVersion"], replica.Instance.Version = inputs["engineVersion"], before.Version
	}
	err := a.keep(rec)
	a.Mu.Unlock()
	if err == nil {
		err = a.startInstance(ctx, rec)
	}
	return errors.Join(state.Refuse("UpgradeFailure", "%s runs PostgreSQL %s again: %v", before.Identifier, a.versionOf(rec), failed), err)
}

// planModification checks and records what changes. The caller holds a.Mu.
func (a *Service) planModification(c *state.Call, rec *state.Record) (changed []string, err error) {
	if rec.Instance.Status != StatusAvailable {
		return nil, state.Refuse("InvalidDBInstanceState", "Database instance is not in available state.")
	}
	next := maps.Clone(c.Inputs)
	for _, key := range inherited { // what was computed at creation stays, where the caller says nothing else
		if next[key] == nil && rec.Inputs[key] != nil {
			next[key] = rec.Inputs[key]
		}
	}
	if err := a.checkModification(c, rec, next); err != nil {
		return nil, err
	}
	delete(next, "password")
	waits := deferrable
	if !state.Same(rec.Inputs["engineVersion"], next["engineVersion"]) {
		waits = append(slices.Clip(waits), "parameterGroupName") // its family is the new version's
	}
	pending := map[string]any{}
	for key := range state.Merge(rec.Inputs, next) {
		if state.Same(rec.Inputs[key], next[key]) {
			continue
		}
		if slices.Contains(waits, key) && !state.Truth(next, "applyImmediately") && next[key] != nil {
			pending[key] = next[key]
			next[key] = rec.Inputs[key]
			continue
		}
		changed = append(changed, key)
	}
	for _, key := range slices.Sorted(maps.Keys(pending)) {
		c.Warn(key + " waits for the maintenance window, since applyImmediately isn't set")
	}
	rec.Instance.Pending = pending
	a.take(c, rec, next, changed)
	return changed, a.keep(rec)
}

// take makes the inputs those of the record, and what follows from them.
func (a *Service) take(c *state.Call, rec *state.Record, next map[string]any, changed []string) {
	rec.Inputs = next
	rec.Instance.Identifier = state.Text(next, "identifier")
	rec.Instance.Port = portOf(next)
	if state.Number(next, "allocatedStorage") > rec.Instance.Grown {
		rec.Instance.Grown = 0
	}
	if slices.Contains(changed, "engineVersion") {
		before := a.versionOf(rec)
		rec.Instance.Version = resolve(state.Text(next, "engineVersion"), before)
		rec.Instance.Applied, rec.Instance.PendingReboot = a.desired(next), false
		if majorOf(rec.Instance.Version) != majorOf(before) && slices.Contains(changed, "parameterGroupName") {
			// A new group waits for "a customer-initiated database reboot after the upgrade completes", says RDS's user guide:
			// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.Process.html
			rec.Instance.Applied, rec.Instance.PendingReboot = map[string]string{}, true
		}
		c.Warn(a.versionWarning(next))
		for _, replica := range a.replicas(rec) { // RDS upgrades them with their source
			replica.Inputs["engineVersion"], replica.Instance.Version = next["engineVersion"], rec.Instance.Version
		}
	} else if slices.Contains(changed, "parameterGroupName") {
		rec.Instance.PendingReboot = !maps.Equal(rec.Instance.Applied, a.desired(next))
	}
	recorded.CreateLogGroups(a.Shared, rec)
}

// keep writes the instance and its replicas, to which a change may have spread.
func (a *Service) keep(rec *state.Record) error {
	err := a.Store.Put(rec)
	for _, replica := range a.replicas(rec) {
		err = errors.Join(err, a.Store.Put(replica))
	}
	return err
}

// applyModification restarts only where it must; the rest is read at a reload.
func (a *Service) applyModification(ctx context.Context, c *state.Call, rec *state.Record, changed []string) error {
	srv := a.serverOf(rec)
	restart := slices.ContainsFunc(changed, func(key string) bool { return slices.Contains(restarting, key) })
	if restart || !srv.Running() || srv.Port() != rec.Instance.Port {
		if err := a.restartInstance(ctx, rec); err != nil {
			return err
		}
		for _, replica := range a.replicasOf(rec) {
			if a.outgrown(replica) {
				if err := a.restartInstance(ctx, replica); err != nil {
					return err
				}
			}
		}
		return a.followers(rec)
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.Refresh(c, rec)
}

// Refresh brings the server's files up to date and lets it read them. The caller holds a.Mu.
func (a *Service) Refresh(c *state.Call, rec *state.Record) error {
	missing, err := a.configure(rec)
	if err != nil {
		return err
	}
	if c != nil {
		c.Warn(missing...)
	}
	a.server(rec).Reload()
	return a.writeHosts()
}

// maintain applies what waits for the maintenance window, and the newest minor.
func (a *Service) maintain(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	a.Mu.Lock()
	changed := slices.Sorted(maps.Keys(rec.Instance.Pending))
	next := state.Merge(rec.Inputs, rec.Instance.Pending)
	rec.Instance.Pending = nil
	a.take(c, rec, next, changed)
	if state.Fallback(rec.Inputs, "autoMinorVersionUpgrade", true) == true {
		rec.Instance.Version = newestMinor(a.versionOf(rec))
	}
	err := a.keep(rec)
	a.Mu.Unlock()
	if err != nil {
		return err
	}
	return a.applyModification(c.Ctx, c, rec, changed)
}

// reboot puts the parameter group's waiting changes into effect.
func (a *Service) reboot(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	a.Mu.Lock()
	err := a.mustBe(rec, StatusAvailable)
	if err == nil {
		rec.Instance.Applied, rec.Instance.PendingReboot = a.desired(rec.Inputs), false
		err = a.Store.Put(rec)
	}
	a.Mu.Unlock()
	if err != nil {
		return err
	}
	return a.restartInstance(c.Ctx, rec)
}

func (a *Service) stopInstance(_ *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	if err := a.setStatus(rec, StatusAvailable, statusStopped); err != nil {
		return err
	}
	a.serverOf(rec).Stop()
	return nil
}

func (a *Service) startStopped(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	if err := a.setStatus(rec, statusStopped, StatusAvailable); err != nil {
		return err
	}
	a.Mu.Lock()
	rec.Instance.Applied, rec.Instance.PendingReboot = a.desired(rec.Inputs), false
	err := a.Store.Put(rec)
	a.Mu.Unlock()
	if err != nil {
		return err
	}
	return a.startInstance(c.Ctx, rec)
}

func (a *Service) setStatus(rec *state.Record, from, to string) error {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if err := a.mustBe(rec, from); err != nil {
		return err
	}
	rec.Instance.Status = to
	return a.Store.Put(rec)
}

func (a *Service) mustBe(rec *state.Record, status string) error {
	if rec.Instance.Status != status {
		return state.Refuse("InvalidDBInstanceState", "Instance %s is not in %s state.", rec.Instance.Identifier, status)
	}
	return nil
}

// desired are the values of the instance's parameter group.
func (a *Service) desired(inputs map[string]any) map[string]string {
	out := map[string]string{}
	if group := a.Store.Get(KindParameterGroup, state.Text(inputs, "parameterGroupName")); group != nil {
		for _, entry := range state.Objects(group.Inputs, "parameters") {
			out[state.Text(entry, "name")] = state.Text(entry, "value")
		}
	}
	return out
}

func (a *Service) missingParameters(rec *state.Record) []string {
	_, missing := a.majors.For(majorOf(a.versionOf(rec))).ConfigLines(a.parameters(rec))
	return missing
}
