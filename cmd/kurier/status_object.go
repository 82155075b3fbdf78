package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kurier.dev/kurier/internal/display"
	"kurier.dev/kurier/internal/status"
)

// report builds the text about one object.
type report struct {
	strings.Builder
	now time.Time
}

// objectText is everything about one object, and why it does not deliver.
func objectText(o *status.Object, now time.Time) string {
	r := &report{now: now}
	r.line("%s %s/%s", o.Kind, o.Metadata.Namespace, o.Metadata.Name)
	r.field("ready", readyText(o))
	r.addresses(o)
	r.settings(o.EffectiveDelivery)
	for _, name := range sortedKeys(o.Status.Annotations) {
		r.field(name, o.Status.Annotations[name])
	}
	r.conditions(o)
	r.delivery(o.Status.Delivery)
	r.firing(o.Status.Firing)
	if why := whyNot(o, now); len(why) > 0 {
		r.line("\nWhy it needs a look")
		for _, sentence := range why {
			r.line("  - %s", strings.ReplaceAll(display.Printable(sentence), "\n", "\n    "))
		}
	}
	return r.String()
}

func (r *report) line(format string, arguments ...any) { fmt.Fprintf(r, format+"\n", arguments...) }

// field writes a name and its value, when there is one.
func (r *report) field(name, value string) {
	if value != "" {
		r.line("  %-18s %s", name, display.Printable(value))
	}
}

func (r *report) addresses(o *status.Object) {
	s := &o.Status
	if s.Address != nil {
		r.field("address", s.Address.URL)
	}
	r.field("subscriber", s.SubscriberURI)
	r.field("sink", s.SinkURI)
	deadLetterSink := s.DeadLetterSinkURI
	if p := s.PhysicalSubscription; p != nil {
		if p.SubscriberURI != s.SubscriberURI {
			r.field("subscriber", p.SubscriberURI)
		}
		r.field("reply", p.ReplyURI)
		if deadLetterSink == "" {
			deadLetterSink = p.DeadLetterSinkURI
		}
	}
	r.field("dead letter sink", deadLetterSink)
	for _, subscriber := range s.Subscribers {
		name := subscriber.Name
		if name == "" {
			name = subscriber.UID
		}
		r.field("subscription", name+" ready: "+subscriber.Ready)
	}
}

func (r *report) settings(d *status.EffectiveDelivery) {
	if d == nil {
		return
	}
	retry := fmt.Sprintf("%d", d.Retry)
	if d.BackoffPolicy != "" {
		retry += ", " + d.BackoffPolicy
	}
	if d.BackoffDelay != "" {
		retry += " from " + d.BackoffDelay
	}
	if d.BackoffMax != "" {
		retry += " up to " + d.BackoffMax
	}
	r.field("retries", retry)
	r.field("timeout", d.Timeout)
	order := d.Order
	if d.Concurrency > 0 {
		order += fmt.Sprintf(", at most %d at once", d.Concurrency)
	}
	r.field("order", strings.TrimPrefix(order, ", "))
	if d.DeadLetterSink == "" && d.DeadLetter != "drop" {
		r.field("dead letter topic", d.DeadLetterTopic)
	}
	if d.DeadLetter == "drop" {
		r.field("dead letters", "dropped")
	}
}

func (r *report) conditions(o *status.Object) {
	if len(o.Status.Conditions) == 0 {
		return
	}
	r.line("")
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	// A Builder takes everything, so there is no error to see.
	_, _ = fmt.Fprintln(table, "CONDITION\tSTATUS\tSINCE\tREASON\tMESSAGE")
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		since := "-"
		if !c.LastTransitionTime.IsZero() {
			since = ago(r.now, c.LastTransitionTime)
		}
		message := strings.ReplaceAll(display.Printable(c.Message), "\n", " ")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", c.Type, c.Status, since, dash(c.Reason), dash(message))
	}
	_ = table.Flush()
	r.WriteString(trimLines(text.String()))
}

func (r *report) delivery(d *status.Delivery) {
	if d == nil {
		return
	}
	r.line("\nDelivery")
	if d.Lag != nil {
		r.field("lag", fmt.Sprintf("%d not settled", *d.Lag))
	}
	if d.Instance != "" {
		r.field("process", d.Instance)
		r.field("in flight", fmt.Sprint(d.InFlight))
		r.field("waiting", fmt.Sprintf("%d for a retry", d.Waiting))
		r.field("held", fmt.Sprintf("%d dead letters that cannot be written", d.Held))
	}
	if d.OldestUnsettledSeconds > 0 {
		age := time.Duration(d.OldestUnsettledSeconds * float64(time.Second))
		r.field("oldest unsettled", ago(r.now, r.now.Add(-age)))
	}
	if d.LastSuccess != nil {
		r.field("last success", r.at(*d.LastSuccess))
	}
	if d.LastFailure != nil {
		r.failure(d.LastFailure)
	}
}

func (r *report) firing(f *status.Firing) {
	if f == nil {
		return
	}
	r.line("\nFiring")
	r.field("process", f.Instance)
	r.field("state", f.State)
	if f.LastTick != nil {
		r.field("last tick", r.at(*f.LastTick))
	}
}

func (r *report) failure(f *status.Failure) {
	r.field("last failure", r.at(f.Time))
	r.field("  answer", outcome(f)+reasonBeside(f))
	r.field("  from", f.URL)
	r.field("  body", strings.ReplaceAll(strings.TrimSpace(f.Body), "\n", " "))
	if f.Attempt > 0 {
		r.field("  attempt", fmt.Sprint(f.Attempt))
	}
	if f.EventID != "" {
		r.field("  event", fmt.Sprintf("id %s, source %s", f.EventID, f.EventSource))
	}
	if f.Topic != "" {
		r.field("  position", fmt.Sprintf("%s/%d/%d (topic/partition/offset)", f.Topic, f.Partition, f.Offset))
	}
}

// reasonBeside is the reason, when it says more than the code does.
func reasonBeside(f *status.Failure) string {
	if f.Code == 0 || f.Reason == "" {
		return ""
	}
	return " (" + f.Reason + ")"
}

func (r *report) at(t time.Time) string {
	return t.UTC().Format(time.RFC3339) + ", " + ago(r.now, t)
}

// whyNot tells in sentences what keeps the object from working or delivering.
func whyNot(o *status.Object, now time.Time) []string {
	var why []string
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		if c.Type == status.TypeReady || !c.Bad() {
			continue
		}
		sentence := c.Type + " is " + c.Status
		if said := strings.TrimPrefix(c.Reason+": "+c.Message, ": "); strings.Trim(said, ": ") != "" {
			sentence += ": " + strings.TrimSuffix(said, ": ")
		} else if c.Status == status.Unknown {
			sentence += ": not known yet"
		}
		why = append(why, sentence)
	}
	if f := o.Status.Firing; f != nil && f.LastError != "" {
		why = append(why, fmt.Sprintf("process %s does not fire it: %s", f.Instance, f.LastError))
	}
	d := o.Status.Delivery
	if d == nil {
		return why
	}
	if f := d.LastFailure; f != nil && (d.LastSuccess == nil || d.LastSuccess.Before(f.Time)) {
		why = append(why, fmt.Sprintf("the last attempt failed %s: %s%s from %s", ago(now, f.Time), outcome(f), reasonBeside(f), f.URL))
	}
	switch {
	case d.Held == 1:
		why = append(why, "1 event failed for good and its dead letter cannot be written; correct the dead letter sink in the manifest and it goes on")
	case d.Held > 1:
		why = append(why, fmt.Sprintf("%d events failed for good and their dead letters cannot be written; correct the dead letter sink in the manifest and they go on", d.Held))
	}
	if d.Instance == "" && d.Lag != nil && *d.Lag > 0 {
		why = append(why, "events wait, and the process that answered does not deliver: is a dispatcher running? Its own status tells more")
	}
	return why
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
