package filter

// The combinators carry an element that could not be decided through to the top
// unless another one decides the outcome: false AND broken is false, true OR
// broken is true, NOT broken stays broken. So the outcome never depends on the
// order of elements (FI-20), and a failing expression never lets an event pass
// because somebody put a "not" around it (FI-22).

// allOf is true when all elements are; an empty one is true.
type allOf []node

func (a allOf) match(e Event) (bool, error) {
	var broken error
	for _, n := range a {
		ok, err := n.match(e)
		switch {
		case err != nil:
			broken = err
		case !ok:
			return false, nil
		}
	}
	return broken == nil, broken
}

// anyOf is true when one element is.
type anyOf []node

func (a anyOf) match(e Event) (bool, error) {
	var broken error
	for _, n := range a {
		ok, err := n.match(e)
		switch {
		case err != nil:
			broken = err
		case ok:
			return true, nil
		}
	}
	return false, broken
}

// not is the negation of its element.
type not struct{ node }

func (n not) match(e Event) (bool, error) {
	ok, err := n.node.match(e)
	return !ok && err == nil, err
}
