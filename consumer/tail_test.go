package consumer

import (
	"fmt"
	"testing"

	"github.com/IBM/sarama"
)

// transactions writes n records in a transaction and ends it.
func (r *rig) transaction(p sarama.SyncProducer, partition int32, n int, commit bool) {
	r.t.Helper()
	r.must(p.BeginTxn())
	for i := range n {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: r.topic, Partition: partition, Value: sarama.StringEncoder(fmt.Sprint(i))})
		r.must(err)
	}
	if commit {
		r.must(p.CommitTxn())
	} else {
		r.must(p.AbortTxn())
	}
}

// transactional is a producer with transactions.
func (r *rig) transactional() sarama.SyncProducer {
	r.t.Helper()
	base := *r.base
	base.Producer.Idempotent, base.Net.MaxOpenRequests = true, 1
	base.Producer.RequiredAcks = sarama.WaitForAll
	base.Producer.Transaction.ID = r.group + "-writer"
	p, err := sarama.NewSyncProducer(r.brokers, &base)
	r.must(err)
	r.t.Cleanup(func() { _ = p.Close() })
	return p
}

// TestControlRecords: markers of transactions, in mid-log and at its end, are no records:
// what is around them is handled once, the committed position reaches the end of the log,
// and nothing lags. A restart finds nothing to do.
func TestControlRecords(t *testing.T) {
	for _, order := range []Order{Unordered, Ordered} {
		t.Run(order.String(), func(t *testing.T) {
			t.Parallel()
			r := newAnyRig(t, 2)
			writer := r.transactional()
			for i := range 4 {
				r.transaction(writer, 0, 5, i != 2)
			}
			log := newCallLog()
			cfg := r.config(r.group, order)
			c := r.start(cfg, log.handler(nil, settle))
			ended := func(end int64) {
				t.Helper()
				r.eventually("the position reaches the log's end", func() bool {
					offset, _ := r.committed(r.group, 0)
					return offset == end
				})
				r.eventually("nothing lags", func() bool { return c.Stats().Lag == 0 })
			}
			r.eventually("all is handled", func() bool { return log.count() == 20 })
			ended(24)
			r.transaction(writer, 0, 5, true)
			r.transaction(writer, 0, 1, true)
			ended(32)
			r.must(c.stop())
			c = r.start(cfg, log.handler(nil, settle))
			r.produce(1, 3, nil)
			r.eventually("the other partition is handled", func() bool { return log.count() == 29 })
			ended(32)
			log.mu.Lock()
			defer log.mu.Unlock()
			for at, n := range log.calls {
				if n != 1 {
					t.Errorf("record %s was handled %d times", at, n)
				}
			}
		})
	}
}

// What a fetch shows tells up to where there is no record, and never more.
func TestNoRecordUntil(t *testing.T) {
	type batch struct {
		from, to         int64 // offsets
		records          []int64
		control, partial bool
	}
	for name, tt := range map[string]struct {
		batches []batch
		want    int64
	}{
		"nothing":                       {nil, 10},
		"a marker":                      {[]batch{{from: 10, to: 10, records: []int64{10}, control: true}}, 11},
		"an emptied batch":              {[]batch{{from: 5, to: 19}}, 20},
		"what is behind it only":        {[]batch{{from: 5, to: 19, records: []int64{5, 9}}}, 20},
		"a record at once":              {[]batch{{from: 5, to: 19, records: []int64{5, 10}}}, 10},
		"a record after a gap":          {[]batch{{from: 5, to: 19, records: []int64{5, 12}}}, 12},
		"markers and then a record":     {[]batch{{from: 10, to: 10, control: true}, {from: 11, to: 11, control: true}, {from: 12, to: 12, records: []int64{12}}}, 12},
		"a hole between batches":        {[]batch{{from: 10, to: 10, control: true}, {from: 30, to: 31, records: []int64{31}}}, 31},
		"a batch that was not sent all": {[]batch{{from: 10, to: 10, control: true}, {from: 11, to: 15, partial: true}}, 11},
		"a batch from before":           {[]batch{{from: 1, to: 3, records: []int64{1, 2, 3}}}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			var sets []*sarama.Records
			for _, b := range tt.batches {
				rb := &sarama.RecordBatch{FirstOffset: b.from, LastOffsetDelta: int32(b.to - b.from), Control: b.control, PartialTrailingRecord: b.partial}
				for _, offset := range b.records {
					rb.Records = append(rb.Records, &sarama.Record{OffsetDelta: offset - b.from})
				}
				sets = append(sets, &sarama.Records{RecordBatch: rb})
			}
			if got := noRecordUntil(sets, 10); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	if got := noRecordUntil([]*sarama.Records{{MsgSet: &sarama.MessageSet{}}}, 10); got != 10 {
		t.Errorf("an old message set: got %d, want 10", got)
	}
}
