package app

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kurier.dev/kurier/internal/resources"
)

// A status shares looks at Kafka, waits for a slow one, and says when what it
// has is not of this moment.
func TestGroupLooks(t *testing.T) {
	plan := &resources.Plan{}
	in := func(takes *time.Duration, fails error, f func(t *testing.T, c *groupCache, asked *int)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			c := &groupCache{ask: func(l *groupLook) {
				asked++
				<-time.After(*takes)
				if fails != nil {
					l.errs = map[string]error{"kafka:9092": fails}
				}
			}}
			f(t, c, &asked)
			<-time.After(time.Hour) // looks under way end
		})
	}
	get := func(t *testing.T, c *groupCache, wantFresh bool, took time.Duration) *groupLook {
		t.Helper()
		began := time.Now()
		look, fresh := c.get(t.Context(), plan)
		if fresh != wantFresh || time.Since(began) != took {
			t.Errorf("fresh %v after %s, want %v after %s", fresh, time.Since(began), wantFresh, took)
		}
		return look
	}
	pass := func(d time.Duration) { <-time.After(d) }
	takes := 100 * time.Millisecond
	in(&takes, nil, func(t *testing.T, c *groupCache, asked *int) {
		get(t, c, true, takes)
		get(t, c, true, 0)
		if *asked != 1 {
			t.Errorf("%d looks, want one for two questions", *asked)
		}
		pass(groupsFresh)
		takes = 5 * time.Second // Kafka is slow, and waited for
		get(t, c, true, takes)
		pass(time.Second)
		go c.get(t.Context(), plan)
		pass(2 * time.Second)
		get(t, c, true, 3*time.Second+takes) // the look under way tells of the time before the question
		if *asked != 4 {
			t.Errorf("%d looks, want 4", *asked)
		}
		pass(time.Second)
		takes = time.Minute
		if old := get(t, c, false, groupsPatience); old.done != nil && time.Since(old.began) >= groupsStale {
			t.Error("a look that is too old stands in")
		}
	})
	takes = 10 * time.Millisecond
	in(&takes, errors.New("connection refused"), func(t *testing.T, c *groupCache, _ *int) {
		get(t, c, true, takes)
		pass(groupsFresh)
		takes = time.Minute
		if old := get(t, c, false, groupsWait); old.errs == nil {
			t.Error("the last look does not stand in")
		}
	})
}
