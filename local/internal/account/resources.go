package account

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
)

func (a *Account) kindOf(r *http.Request) (string, kind, error) {
	name := r.PathValue("service") + "/" + r.PathValue("type")
	k, ok := a.kinds[name]
	if !ok {
		return "", kind{}, refuse("UnknownResourceType", "the stand-in for AWS doesn't know resources of type %s", name)
	}
	return name, k, nil
}

// create adopts what an earlier, interrupted run made for the same resource, so that a second try succeeds.
func (a *Account) create(r *http.Request, c *call) (*Response, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, err
	}
	if c.region == "" {
		return nil, refuse("MissingRegion", "no region is given")
	}
	if err := checkTags(name, c.inputs); err != nil {
		return nil, err
	}
	for rec := a.orphan(name, k, c); rec != nil; rec = a.orphan(name, k, c) {
		if rec.Instance == nil || rec.Instance.Status != statusCreating {
			return a.adopt(c, k, rec)
		}
		a.rds.hold(rec)() // it is still being made for an interrupted run: what comes of it is taken over, or made anew
	}
	if k.busy {
		rec, err := k.create(c)
		return a.answer(rec), err
	}
	a.mu.Lock()
	rec, err := k.create(c)
	if err == nil {
		err = a.store.put(rec)
	}
	if err == nil {
		err = a.changed(c, rec)
	}
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return a.answer(rec), nil
}

// orphans are what was made for a URN, and whose id the engine never showed that it has: a run was interrupted before
// it could write it down. The caller holds a.mu.
func (a *Account) orphans(kind, owner string) []*record {
	var out []*record
	for _, rec := range a.store.all(kind) {
		if rec.Owner == owner && owner != "" && !rec.Known && rec.Deleted == nil {
			out = append(out, rec)
		}
	}
	return out
}

// know takes note that the engine holds what was made for a URN, under the name that it says.
func (a *Account) know(r *http.Request, c *call) (*Response, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rec := range a.orphans(name, c.owner) {
		if k.name == "" || same(rec.Inputs[k.name], c.inputs[k.name]) {
			rec.Known = true
			err = errors.Join(err, a.store.put(rec))
		}
	}
	return nil, err
}

// nameOrphan answers with the name of the newest, so that an automatic name can be that one again.
func (a *Account) nameOrphan(r *http.Request, c *call) (*Response, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found := a.orphans(name, c.owner)
	if len(found) == 0 {
		return nil, nil
	}
	return &Response{ID: text(found[len(found)-1].Inputs, k.name)}, nil
}

// orphan is the one that the call would make anew: of the same name, or all the same where there is no name.
func (a *Account) orphan(name string, k kind, c *call) *record {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rec := range a.orphans(name, c.owner) {
		if k.name != "" && same(rec.Inputs[k.name], c.inputs[k.name]) || k.name == "" && reflect.DeepEqual(rec.Inputs, c.inputs) {
			return rec
		}
	}
	return nil
}

func (a *Account) adopt(c *call, k kind, rec *record) (*Response, error) {
	c.warn(rec.ID + " was left by an interrupted run and is taken over")
	if err := a.change(c, k, rec); err != nil {
		return nil, err
	}
	return a.answer(rec), nil
}

func (a *Account) change(c *call, k kind, rec *record) error {
	if k.busy {
		return k.update(c, rec)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if k.update != nil {
		if err := k.update(c, rec); err != nil {
			return err
		}
	}
	if rec.Kind != kindSecretVersion {
		rec.Inputs = c.inputs
	}
	if err := a.store.put(rec); err != nil {
		return err
	}
	return a.changed(c, rec)
}

func (a *Account) found(r *http.Request) (*record, kind, error) {
	name, k, err := a.kindOf(r)
	if err != nil {
		return nil, k, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id := r.URL.Query().Get("id")
	rec := a.store.get(name, id)
	if rec == nil && name == kindInstance {
		rec = a.rds.instanceByName(id) // what one imports by
	}
	if rec == nil || rec.Deleted != nil {
		return nil, k, refuse("NotFound", "%s %s does not exist", name, id)
	}
	if !rec.Known && r.URL.Query().Has("known") {
		rec.Known = true
		err = a.store.put(rec)
	}
	return rec, k, err
}

// read answers with the resource; ?known=1 says that the caller keeps its id.
func (a *Account) read(r *http.Request, _ *call) (*Response, error) {
	rec, _, err := a.found(r)
	return a.answer(rec), err
}

func (a *Account) update(r *http.Request, c *call) (*Response, error) {
	rec, k, err := a.found(r)
	if err != nil {
		return nil, err
	}
	c.region = rec.Region
	if err := checkTags(rec.Kind, c.inputs); err != nil {
		return nil, err
	}
	if err := a.change(c, k, rec); err != nil {
		return nil, err
	}
	return a.answer(rec), nil
}

func (a *Account) remove(r *http.Request, c *call) (*Response, error) {
	rec, k, err := a.found(r)
	if err != nil {
		return nil, err
	}
	c.region = rec.Region
	if truth(rec.Inputs, "skipDestroy") { // it stays, and the stack forgets it
		return nil, nil
	}
	if k.busy {
		return nil, k.remove(c, rec)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if k.remove != nil {
		if err := k.remove(c, rec); err != nil {
			return nil, err
		}
	}
	if rec.Deleted != nil {
		return nil, a.store.put(rec)
	}
	if err := a.store.remove(rec); err != nil {
		return nil, err
	}
	return nil, a.changed(c, rec)
}

// changed lets others see what concerns them: instances the rules of their security groups, ACM and the DNS server the records.
func (a *Account) changed(c *call, rec *record) error {
	if rec.Kind == kindRecordSet {
		return a.namesChanged()
	}
	if rec.Kind != kindIngressRule {
		return nil
	}
	for _, other := range a.store.all(kindInstance) {
		uses := slices.Contains(list(other.Inputs, "vpcSecurityGroupIds"), text(rec.Inputs, "securityGroupId"))
		if uses && other.Instance.Status == statusAvailable {
			if err := a.rds.refresh(c, other); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Account) answer(rec *record) *Response {
	if rec == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if rec.Kind == kindInstance {
		return &Response{ID: rec.ID, Outputs: a.rds.viewInstance(rec)}
	}
	outputs := merge(rec.Outputs, rec.Inputs)
	maps.DeleteFunc(outputs, func(_ string, v any) bool { return v == nil })
	return &Response{ID: rec.ID, Outputs: outputs}
}
