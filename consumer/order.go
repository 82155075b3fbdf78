package consumer

import (
	"fmt"
	"strings"
)

// Order says which records of a partition may be in the Handler's hands at the
// same time (DL-40). The zero value is Unordered.
type Order int

const (
	// Unordered: any records, up to the concurrency.
	Unordered Order = iota
	// Ordered: one record of a partition at a time, in offset order; the next
	// one starts when the one before is settled.
	Ordered
	// OrderedByKey: one record of a key at a time, in offset order; keys run in
	// parallel. A record without key waits for nothing.
	OrderedByKey
)

var orderNames = [...]string{Unordered: "unordered", Ordered: "ordered", OrderedByKey: "ordered-by-key"}

// String is the name as manifests write it.
func (o Order) String() string {
	if o < 0 || int(o) >= len(orderNames) {
		return fmt.Sprintf("order(%d)", int(o))
	}
	return orderNames[o]
}

// ParseOrder reads a name as manifests write it, in any case. The error names
// the value and what is allowed.
func ParseOrder(s string) (Order, error) {
	for o, name := range orderNames {
		if strings.EqualFold(s, name) {
			return Order(o), nil
		}
	}
	return Unordered, fmt.Errorf("delivery order %q is unknown, want %s", s, strings.Join(orderNames[:], ", "))
}
