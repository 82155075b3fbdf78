package altered

import (
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWant: nothing is altered unless the environment says so.
func TestWant(t *testing.T) {
	if on {
		t.Skipf("%s=1", Env)
	}
	if Want("a") != "a" || Want(3) != 3 {
		t.Error("altered without being asked")
	}
}

func TestAlter(t *testing.T) {
	if alter("") == "" || alter("a") == "a" || alter(true) || !alter(false) || alter(200) == 200 || alter(time.Second) == time.Second {
		t.Error("not altered")
	}
	for _, list := range [][]string{nil, {"a"}, {"a", "b"}} {
		if got := alter(list); reflect.DeepEqual(got, list) || len(got) == len(list) {
			t.Errorf("%q became %q", list, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a struct was altered")
		}
	}()
	alter(struct{}{})
}
