package event

import (
	"fmt"
	"strings"
)

// InvalidError says which part of an event breaks a rule, with the value that
// was given and what is allowed. An ingress answers it with 400.
type InvalidError struct {
	// Name is the attribute, in the spelling of the place it came from:
	// "ce-time" for an HTTP header, "time" for a JSON member. Empty when the
	// event as a whole is wrong.
	Name string
	// Value is what was given, shortened; empty when nothing was.
	Value string
	// Reason continues the sentence: "is not supported, want 1.0 or 0.3".
	Reason string
}

func (e *InvalidError) Error() string {
	switch {
	case e.Name == "":
		return e.Reason
	case e.Value == "":
		return e.Name + " " + e.Reason
	}
	return fmt.Sprintf("%s %q %s", e.Name, e.Value, e.Reason)
}

// UnsupportedError is returned for a content type that claims to be a
// CloudEvent in a format Kurier does not read. An ingress answers it with 415.
type UnsupportedError struct{ ContentType string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("content type %q is not supported, want application/cloudevents+json, "+
		"application/cloudevents-batch+json, or any other type with ce-* headers", e.ContentType)
}

// BatchError names the element of a batch that is wrong, counted from 0.
type BatchError struct {
	Index int
	Err   error
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("event at index %d of the batch: %v", e.Index, e.Err)
}

// Unwrap gives the reason, usually an *InvalidError.
func (e *BatchError) Unwrap() error { return e.Err }

// NotCloudEventError is returned by [FromRecord] for a record that is no valid
// CloudEvent and never will be. Its text starts with "not-a-cloudevent: ".
type NotCloudEventError struct{ Err error }

func (e *NotCloudEventError) Error() string { return "not-a-cloudevent: " + e.Err.Error() }

// Unwrap gives the reason.
func (e *NotCloudEventError) Unwrap() error { return e.Err }

// shownValue bounds how much of a wrong value an error repeats, in bytes.
const shownValue = 80

// invalid copies and shortens value, which may be a view of a reused buffer.
func invalid(name, value, reason string) *InvalidError {
	if len(value) > shownValue {
		value = strings.ToValidUTF8(value[:shownValue], "") + "…"
	}
	return &InvalidError{Name: strings.Clone(name), Value: strings.Clone(value), Reason: reason}
}
