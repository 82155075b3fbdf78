package resources

import "testing"

// TestPlanObject: every object is found by its name, and nothing else is.
func TestPlanObject(t *testing.T) {
	plan := mustLoad(t, options(), brokerText("b", "{}"), triggerText("t", goodTrigger+"}"), triggerText("u", goodTrigger+"}"),
		manifestText("v1", kindService, "s", "{}"), manifestText("serving.knative.dev/v1", kindService, "s", "{}"))
	for _, o := range plan.Objects {
		if found := plan.Object(o.Ref); found == nil || found.Ref != o.Ref {
			t.Errorf("%s: %v", o.Ref, found)
		}
	}
	for _, ref := range []Ref{{}, {Kind: kindTrigger, Namespace: "test-ns", Name: "v"}, {Kind: "Z", Namespace: "z", Name: "z"}} {
		if found := plan.Object(ref); found != nil {
			t.Errorf("%s: %v", ref, found)
		}
	}
}
