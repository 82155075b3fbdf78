package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Object is what the admin API tells about an object: as much as tests look at.
type Object struct {
	Kind              string
	Metadata          struct{ Name, Namespace string }
	EffectiveDelivery map[string]any
	Status            struct {
		Conditions  []Condition
		Address     struct{ URL string }
		Annotations map[string]string
		Delivery    struct {
			Lag                     *int64
			InFlight, Waiting, Held int
			OldestUnsettledSeconds  float64
			LastSuccess             *time.Time
			LastFailure             *Failure
		}
		Firing struct{ State string }
	}
}

// Condition is one of an object's conditions.
type Condition struct{ Type, Status, Reason, Message string }

// Failure is the last failed attempt.
type Failure struct {
	EventID, EventSource, URL, Reason, Body string
	Code, Attempt                           int
}

// Condition returns a condition by its type; its Status is empty when there is none.
func (o *Object) Condition(name string) Condition {
	for _, c := range o.Status.Conditions {
		if c.Type == name {
			return c
		}
	}
	return Condition{}
}

// Unready lists the conditions that are not True, for messages.
func (o *Object) Unready() string {
	var all []string
	for _, c := range o.Status.Conditions {
		if c.Status != "True" {
			all = append(all, fmt.Sprintf("%s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
		}
	}
	return strings.Join(all, ", ")
}

// Status asks for an object.
func (s *System) Status(ref string) (*Object, error) {
	code, body, err := s.Get(s.Admin + "/status/" + ref)
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, fmt.Errorf("status of %s: %d: %s", ref, code, body)
	}
	var o Object
	return &o, json.Unmarshal([]byte(body), &o)
}

// AwaitObjects waits until each object, named as kind/namespace/name, is Ready.
func (s *System) AwaitObjects(t testing.TB, refs ...string) {
	t.Helper()
	for _, ref := range refs {
		s.AwaitCondition(t, ref, "Ready", "True")
	}
}

// AwaitCondition waits until a condition of an object has a status, and returns the object.
func (s *System) AwaitCondition(t testing.TB, ref, condition, status string) *Object {
	t.Helper()
	return s.AwaitStatus(t, ref, condition+"="+status, func(o *Object) bool {
		return o.Condition(condition).Status == status
	})
}

// AwaitStatus waits until the object is as f wants it, and returns it.
func (s *System) AwaitStatus(t testing.TB, ref, what string, f func(*Object) bool) *Object {
	t.Helper()
	var found *Object
	Eventually(t, Wait, ref+" to be "+what, func() error {
		o, err := s.Status(ref)
		if err != nil {
			return err
		}
		if !f(o) {
			return fmt.Errorf("it is not; conditions: %s; delivery: %+v", o.Unready(), o.Status.Delivery)
		}
		found = o
		return nil
	})
	return found
}
