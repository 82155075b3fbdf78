package app

import (
	"reflect"
	"testing"
	"time"

	"kurier.dev/kurier/internal/status"
)

func TestWorsen(t *testing.T) {
	for _, row := range []struct {
		name, conditionType string
		first, second, want string
	}{
		{"false_hides_true", "ConsumerGroup", "True", "False", "False"},
		{"unknown_hides_true", "ConsumerGroup", "True", "Unknown", "Unknown"},
		{"false_hides_unknown", "ConsumerGroup", "Unknown", "False", "False"},
		{"false_stays", "ConsumerGroup", "False", "Unknown", "False"},
		{"bad_when_true", status.TypeWindowFull, "False", "True", "True"},
		{"bad_when_true_stays", status.TypeWindowFull, "True", "False", "True"},
	} {
		t.Run(row.name, func(t *testing.T) {
			object := &status.Object{}
			for _, s := range []string{row.first, row.second} {
				worsen(object, status.Condition{Type: row.conditionType, Status: s})
			}
			if got := object.Condition(row.conditionType).Status; got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}

func TestAddDelivery(t *testing.T) {
	three, four, seven := int64(3), int64(4), int64(7)
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	a := &status.Delivery{Lag: &three, InFlight: 1, Held: 1, LastSuccess: &late, LastFailure: &status.Failure{Time: early, EventID: "a"}}
	b := &status.Delivery{Lag: &four, Instance: "i", InFlight: 2, Waiting: 5, OldestUnsettledSeconds: 9, LastSuccess: &early, LastFailure: &status.Failure{Time: late, EventID: "b"}}
	want := &status.Delivery{Lag: &seven, Instance: "i", InFlight: 3, Waiting: 5, Held: 1, OldestUnsettledSeconds: 9, LastSuccess: &late, LastFailure: b.LastFailure}
	if got := addDelivery(addDelivery(nil, a), b); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := addDelivery(&status.Delivery{Lag: &three}, &status.Delivery{}); got.Lag != nil {
		t.Error("a lag that is not known has no sum")
	}
}
