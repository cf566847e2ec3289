package account

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// deferrable are the changes that RDS keeps for the maintenance window unless they are to be applied immediately. The
// port isn't among them: RDS restarts for it at once.
var deferrable = []string{"allocatedStorage", "caCertIdentifier", "engineVersion", "identifier", "instanceClass", "iops",
	"multiAz", "storageThroughput", "storageType"}

// restarting are the changes that need the server to start again.
var restarting = []string{"engineVersion", "identifier", "instanceClass", "port"}

// modifyInstance answers when the changes are in effect, or are kept for the maintenance window.
func (a *service) modifyInstance(c *call, rec *record) error {
	defer a.hold(rec)()
	return a.modify(c, rec)
}

// modify wants the instance held.
func (a *service) modify(c *call, rec *record) error {
	ctx := context.WithoutCancel(c.ctx) // a half-done modification helps nobody
	a.mu.Lock()
	changed, err := a.planModification(c, rec)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	if rec.Instance.Source != "" && text(rec.Inputs, "replicateSourceDb") == "" {
		if err := a.promote(ctx, rec); err != nil {
			return err
		}
	}
	if err := a.applyModification(ctx, c, rec, changed); err != nil {
		return err
	}
	if password := text(c.inputs, "password"); password != "" && rec.Instance.Source == "" {
		return a.serverOf(rec).SetPassword(ctx, text(rec.Inputs, "username"), password)
	}
	return nil
}

// planModification checks and records what changes. The caller holds a.mu.
func (a *service) planModification(c *call, rec *record) (changed []string, err error) {
	if rec.Instance.Status != statusAvailable {
		return nil, refuse("InvalidDBInstanceState", "Database instance is not in available state.")
	}
	next := maps.Clone(c.inputs)
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
	if !same(rec.Inputs["engineVersion"], next["engineVersion"]) {
		waits = append(slices.Clip(waits), "parameterGroupName") // its family is the new version's
	}
	pending := map[string]any{}
	for key := range merge(rec.Inputs, next) {
		if same(rec.Inputs[key], next[key]) {
			continue
		}
		if slices.Contains(waits, key) && !truth(next, "applyImmediately") && next[key] != nil {
			pending[key] = next[key]
			next[key] = rec.Inputs[key]
			continue
		}
		changed = append(changed, key)
	}
	for _, key := range slices.Sorted(maps.Keys(pending)) {
		c.warn(key + " waits for the maintenance window, since applyImmediately isn't set")
	}
	rec.Instance.Pending = pending
	a.take(c, rec, next, changed)
	return changed, a.keep(rec)
}

// take makes the inputs those of the record, and what follows from them.
func (a *service) take(c *call, rec *record, next map[string]any, changed []string) {
	rec.Inputs = next
	rec.Instance.Identifier = text(next, "identifier")
	rec.Instance.Port = portOf(next)
	if number(next, "allocatedStorage") > rec.Instance.Grown {
		rec.Instance.Grown = 0
	}
	if slices.Contains(changed, "engineVersion") {
		rec.Instance.Version = resolve(text(next, "engineVersion"), a.versionOf(rec))
		rec.Instance.Applied, rec.Instance.PendingReboot = a.desired(next), false
		c.warn(a.versionWarning(next))
		for _, replica := range a.replicas(rec) { // RDS upgrades them with their source
			replica.Inputs["engineVersion"], replica.Instance.Version = next["engineVersion"], rec.Instance.Version
		}
	} else if slices.Contains(changed, "parameterGroupName") {
		rec.Instance.PendingReboot = !maps.Equal(rec.Instance.Applied, a.desired(next))
	}
	createLogGroups(a.shared, rec)
}

// keep writes the instance and its replicas, to which a change may have spread.
func (a *service) keep(rec *record) error {
	err := a.store.put(rec)
	for _, replica := range a.replicas(rec) {
		err = errors.Join(err, a.store.put(replica))
	}
	return err
}

// applyModification restarts only where it must; the rest is read at a reload.
func (a *service) applyModification(ctx context.Context, c *call, rec *record, changed []string) error {
	srv := a.serverOf(rec)
	restart := slices.ContainsFunc(changed, func(key string) bool { return slices.Contains(restarting, key) })
	if restart || !srv.Running() || srv.Port() != rec.Instance.Port {
		if err := a.restartInstance(ctx, rec); err != nil {
			return err
		}
		return a.followers(rec)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refresh(c, rec)
}

// refresh brings the server's files up to date and lets it read them. The caller holds a.mu.
func (a *service) refresh(c *call, rec *record) error {
	missing, err := a.configure(rec)
	if err != nil {
		return err
	}
	if c != nil {
		c.warn(missing...)
	}
	a.server(rec).Reload()
	return a.writeHosts()
}

// maintain applies what waits for the maintenance window, and the newest minor.
func (a *service) maintain(c *call, rec *record) error {
	defer a.hold(rec)()
	a.mu.Lock()
	changed := slices.Sorted(maps.Keys(rec.Instance.Pending))
	next := merge(rec.Inputs, rec.Instance.Pending)
	rec.Instance.Pending = nil
	a.take(c, rec, next, changed)
	if fallback(rec.Inputs, "autoMinorVersionUpgrade", true) == true {
		rec.Instance.Version = newestMinor(a.versionOf(rec))
	}
	err := a.keep(rec)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.applyModification(c.ctx, c, rec, changed)
}

// reboot puts the parameter group's waiting changes into effect.
func (a *service) reboot(c *call, rec *record) error {
	defer a.hold(rec)()
	a.mu.Lock()
	err := a.mustBe(rec, statusAvailable)
	if err == nil {
		rec.Instance.Applied, rec.Instance.PendingReboot = a.desired(rec.Inputs), false
		err = a.store.put(rec)
	}
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.restartInstance(c.ctx, rec)
}

func (a *service) stopInstance(_ *call, rec *record) error {
	defer a.hold(rec)()
	if err := a.setStatus(rec, statusAvailable, statusStopped); err != nil {
		return err
	}
	a.serverOf(rec).Stop()
	return nil
}

func (a *service) startStopped(c *call, rec *record) error {
	defer a.hold(rec)()
	if err := a.setStatus(rec, statusStopped, statusAvailable); err != nil {
		return err
	}
	a.mu.Lock()
	rec.Instance.Applied, rec.Instance.PendingReboot = a.desired(rec.Inputs), false
	err := a.store.put(rec)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.startInstance(c.ctx, rec)
}

func (a *service) setStatus(rec *record, from, to string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.mustBe(rec, from); err != nil {
		return err
	}
	rec.Instance.Status = to
	return a.store.put(rec)
}

func (a *service) mustBe(rec *record, status string) error {
	if rec.Instance.Status != status {
		return refuse("InvalidDBInstanceState", "Instance %s is not in %s state.", rec.Instance.Identifier, status)
	}
	return nil
}

// desired are the values of the instance's parameter group.
func (a *service) desired(inputs map[string]any) map[string]string {
	out := map[string]string{}
	if group := a.store.get(kindParameterGroup, text(inputs, "parameterGroupName")); group != nil {
		for _, entry := range objects(group.Inputs, "parameters") {
			out[text(entry, "name")] = text(entry, "value")
		}
	}
	return out
}

func (a *service) missingParameters(rec *record) []string {
	_, missing := a.pg.ConfigLines(a.parameters(rec))
	return missing
}
