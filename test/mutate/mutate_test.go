package mutate

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMutated(t *testing.T) {
	seeds := []string{"", "a", "one seed", "another seed"}
	once, again := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	different := map[string]bool{}
	for range 1000 {
		s := mutated(once, seeds)
		if s != mutated(again, seeds) {
			t.Fatal("the same seed makes other inputs")
		}
		different[s] = true
	}
	if len(different) < 600 {
		t.Errorf("only %d different inputs of 1000", len(different))
	}
}
