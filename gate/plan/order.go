package plan

import (
	"cmp"
	"slices"

	"threetier/gate/recorder"
)

// flow is what comes before what. Registration itself has no steady order, and a dependency on a component shows as
// one on some of its children, whichever had been registered by then: here it is the component again, and a component
// waits for everything that something in it waits for.
type flow struct {
	resources map[string]recorder.Resource
	children  map[string][]recorder.Resource
	depths    map[string]int
}

func newFlow(resources []recorder.Resource) *flow {
	f := &flow{resources: map[string]recorder.Resource{}, children: map[string][]recorder.Resource{}, depths: map[string]int{}}
	for _, res := range resources {
		f.resources[res.URN] = res
		f.children[res.Parent] = append(f.children[res.Parent], res)
	}
	return f
}

// inOrder puts each resource below its parent, and siblings behind what they wait for.
func (f *flow) inOrder() []recorder.Resource {
	var ordered []recorder.Resource
	var visit func(parent string)
	visit = func(parent string) {
		siblings := slices.SortedFunc(slices.Values(f.children[parent]), func(a, b recorder.Resource) int {
			return cmp.Or(cmp.Compare(f.depth(a), f.depth(b)), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
		})
		for _, res := range siblings {
			ordered = append(ordered, res)
			visit(res.URN)
		}
	}
	visit("")
	return ordered
}

// before are the URNs of what a resource waits for: siblings, or components that it isn't in itself.
func (f *flow) before(res recorder.Resource) []string {
	around := append([]string{res.URN}, f.ancestors(res)...)
	var before []string
	for _, urn := range f.waitsFor(res) {
		other, registered := f.resources[urn]
		if !registered {
			continue
		}
		chain := append([]string{urn}, f.ancestors(other)...)
		if slices.Contains(chain, res.URN) {
			continue
		}
		// From the outside in: the first that isn't around both is where the two part.
		for _, candidate := range slices.Backward(chain) {
			if !slices.Contains(around, candidate) {
				before = append(before, candidate)
				break
			}
		}
	}
	slices.Sort(before)
	return slices.Compact(before)
}

// waitsFor are the dependencies of a resource and of everything in it.
func (f *flow) waitsFor(res recorder.Resource) []string {
	urns := slices.Clone(res.DependsOn)
	for _, child := range f.children[res.URN] {
		urns = append(urns, f.waitsFor(child)...)
	}
	return urns
}

// ancestors are a resource's parent, its parent's, and so on.
func (f *flow) ancestors(res recorder.Resource) []string {
	var urns []string
	for parent := res.Parent; parent != ""; parent = f.resources[parent].Parent {
		urns = append(urns, parent)
	}
	return urns
}

// depth is how many resources, one after the other, come before one.
func (f *flow) depth(res recorder.Resource) int {
	if known, done := f.depths[res.URN]; done {
		return known
	}
	deepest := 0
	if parent, hasParent := f.resources[res.Parent]; hasParent {
		deepest = f.depth(parent) + 1
	}
	for _, urn := range f.before(res) {
		deepest = max(deepest, f.lowest(f.resources[urn])+1)
	}
	f.depths[res.URN] = deepest
	return deepest
}

// lowest is the depth of the last of a resource and everything in it.
func (f *flow) lowest(res recorder.Resource) int {
	deepest := f.depth(res)
	for _, child := range f.children[res.URN] {
		deepest = max(deepest, f.lowest(child))
	}
	return deepest
}
