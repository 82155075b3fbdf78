package kafka

import (
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCrowd(t *testing.T) {
	var c crowd
	at := began.Add(time.Hour)
	now := func() time.Time { return at }
	never := func() time.Time { t.Error("the time was asked for"); return at }
	for _, n := range []int{1, crowdRecords - 1} {
		if c.seen(n, never) {
			t.Errorf("%d records are a crowd", n)
		}
	}
	if !c.seen(crowdRecords, now) {
		t.Errorf("%d records are none", crowdRecords)
	}
	at = at.Add(crowdStays - 1)
	if !c.seen(1, now) {
		t.Error("it was over at once")
	}
	at = at.Add(1)
	if c.seen(1, now) || c.seen(crowdRecords-1, never) {
		t.Error("it is never over")
	}
	if !c.seen(crowdRecords, now) {
		t.Error("there is no second one")
	}
}

// Many records at once share requests, few are sent as they come; both are stored.
func TestACrowdSharesRequests(t *testing.T) {
	tg := onEmbedded(t)
	c := tg.open(t)
	topic := mustTopic(t, c, 3)
	mustProduce(t, c, topic, 0, 5)
	gathering := func() bool {
		c.producer.mu.Lock()
		defer c.producer.mu.Unlock()
		return c.producer.pipes[kind{batch: bulkBytes, gather: true}] != nil
	}
	if gathering() {
		t.Error("a record that was alone had to wait for others")
	}
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	defer release() // also when the test fails: the cluster waits for it
	cluster := tg.embedded.Kfake()
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cluster.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	const records = 3 * crowdRecords
	var all sync.WaitGroup
	for range records {
		all.Go(func() {
			if err := c.Produce(testContext(t), record(topic, "", "x"), nil); err != nil {
				t.Error(err)
			}
		})
	}
	permits := c.producer.gate(topic).permits
	eventually(t, "all records are under way", func() bool { return len(permits) == records })
	release()
	all.Wait()
	if !gathering() {
		t.Error("none of many records waited for others")
	}
	if err := c.Pin(testContext(t), topic, topic, Initial{Kind: Earliest}); err != nil {
		t.Fatal(err)
	}
	if lag := mustState(t, c, topic, topic).Lag; lag != records+5 {
		t.Errorf("%d records stored, want %d", lag, records+5)
	}
}
