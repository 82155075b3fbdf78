package resources

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The annotations that Kurier reads.
const (
	annotationClass         = "eventing.knative.dev/broker.class"
	annotationInjection     = "eventing.knative.dev/injection"
	annotationScope         = "eventing.knative.dev/scope"
	annotationDependency    = "knative.dev/dependency"
	annotationOrder         = "kafka.eventing.knative.dev/delivery.order"
	annotationExternalTopic = "kafka.eventing.knative.dev/external.topic"
	annotationDeadLetter    = "kurier.dev/dead-letter"
	annotationOnFailure     = "kurier.dev/on-dead-letter-failure"
	annotationInitialOffset = "kurier.dev/initial-offset"
	annotationConcurrency   = "kurier.dev/concurrency"
	ownPrefix               = "kurier.dev/"
)

// The orders of delivery (DL-40).
const (
	ordered      = "ordered"
	unordered    = "unordered"
	orderedByKey = "ordered-by-key"
)

// policy is what the annotations of a consumer, or of its parent, say; a zero
// field is not said.
type policy struct {
	deadLetter  string // topic or drop
	onFailure   string // hold or drop
	order       string
	concurrency int
	initial     *InitialOffset
}

// over answers p with what it does not say taken from parent.
func (p policy) over(parent policy) policy {
	if p.deadLetter == "" {
		p.deadLetter = parent.deadLetter
	}
	if p.onFailure == "" {
		p.onFailure = parent.onFailure
	}
	if p.order == "" {
		p.order = parent.order
	}
	if p.concurrency == 0 {
		p.concurrency = parent.concurrency
	}
	if p.initial == nil {
		p.initial = parent.initial
	}
	return p
}

// policy reads the annotations of a consumer or a parent of consumers (VA-19,
// VA-28).
func (d *decoder) policy() (p policy) {
	p.order = d.order()
	for name, f := range d.root.at("metadata").at("annotations").pairs() {
		value := f.text()
		switch name {
		case annotationDeadLetter:
			p.deadLetter = value
			d.annotationIn(f, "topic", "drop")
		case annotationOnFailure:
			p.onFailure = value
			d.annotationIn(f, "hold", "drop")
		case annotationConcurrency:
			n, err := strconv.ParseInt(value, 10, 31)
			if err != nil || n < 1 {
				d.invalid(f, value, "expected a whole number of at least 1")
			}
			p.concurrency = int(n)
		case annotationInitialOffset:
			p.initial = d.initialOffset(f)
		default:
			d.foreign(name, f)
		}
	}
	return p
}

// noPolicy reports annotations of Kurier's own on a kind that has none.
func (d *decoder) noPolicy() {
	for name, f := range d.root.at("metadata").at("annotations").pairs() {
		if strings.HasPrefix(name, ownPrefix) {
			d.invalid(f, f.text(), "a "+d.kind+" has no annotation "+name)
		}
	}
}

func (d *decoder) foreign(name string, f field) {
	if strings.HasPrefix(name, ownPrefix) {
		known := []string{annotationConcurrency, annotationDeadLetter, annotationInitialOffset, annotationOnFailure}
		d.invalid(f, f.text(), "unknown annotation, known are "+strings.Join(known, ", "))
	}
}

func (d *decoder) annotationIn(f field, allowed ...string) {
	if !slices.Contains(allowed, f.text()) {
		d.invalid(f, f.text(), "expected "+strings.Join(allowed, " or "))
	}
}

func (d *decoder) initialOffset(f field) *InitialOffset {
	switch f.text() {
	case "latest":
		return &InitialOffset{Kind: Latest}
	case "earliest":
		return &InitialOffset{Kind: Earliest}
	}
	at, err := time.Parse(time.RFC3339Nano, f.text())
	if err != nil {
		d.invalid(f, f.text(), "expected latest, earliest or a time such as 2026-01-31T12:00:00Z")
		return nil
	}
	return &InitialOffset{Kind: Timestamp, Time: at.UTC()}
}

func (d *decoder) order() string {
	f := d.annotation(annotationOrder)
	if !f.present() {
		return ""
	}
	order := strings.ToLower(f.text())
	switch order {
	case ordered, unordered, orderedByKey:
		return order
	}
	d.add(f.line, "invalid annotation "+annotationOrder+" value: "+f.text()+
		`. Allowed values [ "ordered" | "unordered" | "ordered-by-key" ]`, "")
	return ""
}
