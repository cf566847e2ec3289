package state

// Kind is how one type of resource behaves.
type Kind struct {
	// Name is the input that has the physical name; empty for a kind that has none.
	Name string
	// Busy marks the kinds whose functions lock the records themselves, since they work with servers. Those of the
	// others are called with the lock held.
	Busy   bool
	Create func(*Call) (*Record, error)
	Update func(*Call, *Record) error
	Remove func(*Call, *Record) error
}

// NewKind gives the functions what they work on.
func NewKind[A any](a A, name string, create func(A, *Call) (*Record, error), changes ...func(A, *Call, *Record) error) Kind {
	k := Kind{Name: name, Create: func(c *Call) (*Record, error) { return create(a, c) }}
	for i, change := range changes {
		bound := func(c *Call, rec *Record) error { return change(a, c, rec) }
		switch {
		case change == nil:
		case i == 0:
			k.Update = bound
		default:
			k.Remove = bound
		}
	}
	return k
}

// LocksItself marks a kind as busy.
func (k Kind) LocksItself() Kind {
	k.Busy = true
	return k
}
