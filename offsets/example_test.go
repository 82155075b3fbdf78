package offsets_test

import (
	"errors"
	"fmt"

	"kurier.dev/kurier/offsets"
)

// A later success never hides an earlier failure: the offset to commit stays at
// the lowest unsettled one.
func Example() {
	t := offsets.New(100)
	for offset := int64(100); offset < 105; offset++ {
		t.Track(offset, nil)
	}
	t.Done(101)
	t.Done(103)
	fmt.Println(t.Frontier(), t.Unsettled())
	t.Done(100)
	fmt.Println(t.Frontier(), t.Unsettled())
	// Output:
	// 100 3
	// 102 2
}

// After a crash the next owner repeats only what was not done, and goes on
// counting attempts.
func ExampleDecode() {
	topic := offsets.HashTopic([16]byte{1, 2, 3})

	t := offsets.New(100)
	t.SetTopic(topic)
	for offset := int64(100); offset < 105; offset++ {
		t.Track(offset, nil)
	}
	t.Done(101)
	t.Done(103)
	t.SetAttempts(100, 2)
	commit := t.Snapshot()

	t, err := offsets.Decode(commit.Offset, commit.Metadata, topic)
	if err != nil {
		fmt.Println("starting from the offset alone:", err)
	}
	for offset := commit.Offset; offset < 107; offset++ {
		if t.Track(offset, nil) == offsets.Unsettled {
			fmt.Println(offset, "attempts so far:", t.Attempts(offset))
		}
	}
	// Output:
	// 100 attempts so far: 2
	// 102 attempts so far: 0
	// 104 attempts so far: 0
	// 105 attempts so far: 0
	// 106 attempts so far: 0
}

// Metadata that cannot be trusted is not used: the Tracker knows the committed
// offset alone, and the error says why.
func ExampleDecode_errors() {
	t, err := offsets.Decode(100, "written by somebody else", 0)
	fmt.Println(errors.Is(err, offsets.ErrForeign), t.Frontier())
	// Output: true 100
}

// A reader asks before each record, and pauses when the window is full.
func ExampleTracker_Fits() {
	t := offsets.New(0)
	t.SetLimit(1024)
	next := int64(0)
	for t.Fits(next) {
		t.Track(next, nil) // and nothing is ever done
		next++
	}
	fmt.Println(t.Unsettled() > 1000, len(t.Snapshot().Metadata) <= 1024)
	t.Done(0)
	fmt.Println(t.Fits(next))
	// Output:
	// true true
	// true
}
