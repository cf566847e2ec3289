package account

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

func (a *Account) kindOf(r *http.Request) (string, state.Kind, error) {
	name := r.PathValue("service") + "/" + r.PathValue("type")
	k, ok := a.kinds[name]
	if !ok {
		return "", state.Kind{}, state.Refuse("UnknownResourceType", "the stand-in for AWS doesn't know resources of type %s", name)
	}
	return name, k, nil
}

// Create adopts what an earlier, interrupted run made for the same resource, so that a second try succeeds.
func (a *Account) create(r *http.Request, c *state.Call) (*Response, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		return nil, state.Refuse("MissingRegion", "no region is given")
	}
	if err := rds.CheckTags(name, c.Inputs); err != nil {
		return nil, err
	}
	for rec := a.orphan(name, k, c); rec != nil; rec = a.orphan(name, k, c) {
		if rec.Instance == nil || rec.Instance.Status != rds.StatusCreating {
			return a.adopt(c, k, rec)
		}
		a.rds.Hold(rec)() // it is still being made for an interrupted run: its result is taken over, or made again
	}
	if k.Busy {
		rec, err := k.Create(c)
		return a.answer(rec), err
	}
	a.Mu.Lock()
	rec, err := k.Create(c)
	if err == nil {
		err = a.Store.Put(rec)
	}
	if err == nil {
		err = a.changed(c, rec)
	}
	a.Mu.Unlock()
	if err != nil {
		return nil, err
	}
	return a.answer(rec), nil
}

// orphans are what was made for a URN, and whose id the engine never showed that it has: a run was interrupted before
// it could write it down. The caller holds a.Mu.
func (a *Account) orphans(kind, owner string) []*state.Record {
	var out []*state.Record
	for _, rec := range a.Store.All(kind) {
		if rec.Owner == owner && owner != "" && !rec.Known && rec.Deleted == nil {
			out = append(out, rec)
		}
	}
	return out
}

// know takes note that the engine holds what was made for a URN, under the name that it says.
func (a *Account) know(r *http.Request, c *state.Call) (*Response, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, err
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	for _, rec := range a.orphans(name, c.Owner) {
		if k.Name == "" || state.Same(rec.Inputs[k.Name], c.Inputs[k.Name]) {
			rec.Known = true
			err = errors.Join(err, a.Store.Put(rec))
		}
	}
	return nil, err
}

// nameOrphan answers with the name of the newest, so that an automatic name can be that one again.
func (a *Account) nameOrphan(r *http.Request, c *state.Call) (*Response, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, err
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	found := a.orphans(name, c.Owner)
	if len(found) == 0 {
		return nil, nil
	}
	return &Response{ID: state.Text(found[len(found)-1].Inputs, k.Name)}, nil
}

// orphan is the one that the call would make again: of the same name, or all the same where there is no name.
func (a *Account) orphan(name string, k state.Kind, c *state.Call) *state.Record {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	for _, rec := range a.orphans(name, c.Owner) {
		if k.Name != "" && state.Same(rec.Inputs[k.Name], c.Inputs[k.Name]) || k.Name == "" && reflect.DeepEqual(rec.Inputs, c.Inputs) {
			return rec
		}
	}
	return nil
}

func (a *Account) adopt(c *state.Call, k state.Kind, rec *state.Record) (*Response, error) {
	c.Warn(rec.ID + " was left by an interrupted run and is taken over")
	if err := a.change(c, k, rec); err != nil {
		return nil, err
	}
	return a.answer(rec), nil
}

func (a *Account) change(c *state.Call, k state.Kind, rec *state.Record) error {
	if k.Busy {
		return k.Update(c, rec)
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if k.Update != nil {
		if err := k.Update(c, rec); err != nil {
			return err
		}
	}
	if rec.Kind != recorded.KindSecretVersion {
		rec.Inputs = c.Inputs
	}
	if err := a.Store.Put(rec); err != nil {
		return err
	}
	return a.changed(c, rec)
}

func (a *Account) found(r *http.Request) (*state.Record, state.Kind, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, k, err
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	id := r.URL.Query().Get("id")
	rec := a.Store.Get(name, id)
	if rec == nil && name == state.KindInstance {
		rec = a.rds.InstanceByName(id) // what one imports by
	}
	if rec == nil || rec.Deleted != nil {
		return nil, k, state.Refuse("NotFound", "%s %s does not exist", name, id)
	}
	if !rec.Known && r.URL.Query().Has("known") {
		rec.Known = true
		err = a.Store.Put(rec)
	}
	return rec, k, err
}

// read answers with the resource; ?known=1 says that the caller keeps its id.
func (a *Account) read(r *http.Request, _ *state.Call) (*Response, error) {
	rec, _, err := a.found(r)
	return a.answer(rec), err
}

func (a *Account) update(r *http.Request, c *state.Call) (*Response, error) {
	rec, k, err := a.found(r)
	if err != nil {
		return nil, err
	}
	c.Region = rec.Region
	if err := rds.CheckTags(rec.Kind, c.Inputs); err != nil {
		return nil, err
	}
	if err := a.change(c, k, rec); err != nil {
		return nil, err
	}
	return a.answer(rec), nil
}

func (a *Account) remove(r *http.Request, c *state.Call) (*Response, error) {
	rec, k, err := a.found(r)
	if err != nil {
		return nil, err
	}
	c.Region = rec.Region
	if state.Truth(rec.Inputs, "skipDestroy") { // it stays, and the stack forgets it
		return nil, nil
	}
	if k.Busy {
		return nil, k.Remove(c, rec)
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if k.Remove != nil {
		if err := k.Remove(c, rec); err != nil {
			return nil, err
		}
	}
	if rec.Deleted != nil {
		return nil, a.Store.Put(rec)
	}
	if err := a.Store.Remove(rec); err != nil {
		return nil, err
	}
	return nil, a.changed(c, rec)
}

// changed lets others see what concerns them: instances the rules of their security groups, ACM and the DNS server the records.
func (a *Account) changed(c *state.Call, rec *state.Record) error {
	if rec.Kind == kindRecordSet {
		return a.namesChanged()
	}
	if rec.Kind != recorded.KindIngressRule {
		return nil
	}
	for _, other := range a.Store.All(state.KindInstance) {
		uses := slices.Contains(state.List(other.Inputs, "vpcSecurityGroupIds"), state.Text(rec.Inputs, "securityGroupId"))
		if uses && other.Instance.Status == rds.StatusAvailable {
			if err := a.rds.Refresh(c, other); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Account) answer(rec *state.Record) *Response {
	if rec == nil {
		return nil
	}
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if rec.Kind == state.KindInstance {
		return &Response{ID: rec.ID, Outputs: a.rds.ViewInstance(rec)}
	}
	outputs := state.Merge(rec.Outputs, rec.Inputs)
	maps.DeleteFunc(outputs, func(_ string, v any) bool { return v == nil })
	return &Response{ID: rec.ID, Outputs: outputs}
}
