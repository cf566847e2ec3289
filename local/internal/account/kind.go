package account

// kind is how one type of resource behaves.
type kind struct {
	// name is the input that has the physical name; empty for a kind that has none.
	name string
	// busy marks the kinds whose functions lock the records themselves, since they work with servers. Those of the
	// others are called with the lock held.
	busy   bool
	create func(*call) (*record, error)
	update func(*call, *record) error
	remove func(*call, *record) error
}

// newKind gives the functions what they work on.
func newKind[A any](a A, name string, create func(A, *call) (*record, error), changes ...func(A, *call, *record) error) kind {
	k := kind{name: name, create: func(c *call) (*record, error) { return create(a, c) }}
	for i, change := range changes {
		bound := func(c *call, rec *record) error { return change(a, c, rec) }
		switch {
		case change == nil:
		case i == 0:
			k.update = bound
		default:
			k.remove = bound
		}
	}
	return k
}

// locksItself marks a kind as busy.
func (k kind) locksItself() kind {
	k.busy = true
	return k
}
