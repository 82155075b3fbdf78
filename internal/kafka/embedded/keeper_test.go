package embedded

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The space is used up by events that nobody has taken: they stay, new ones are
// refused, dead letters still fit; when they are settled there is room again.
func TestFullFolder(t *testing.T) {
	const bound = 1 << 20
	var log safeBuffer
	b := start(t, Options{DataDir: t.TempDir(), MaxBytes: bound, CheckEvery: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mustCreate(t, b, "events", 2, nil)
	mustCreate(t, b, "dead", 1, nil)
	cl := client(t, b)
	if err := commit(cl, "g", "events", 0, ""); err != nil {
		t.Fatal(err)
	}
	send := func(topic string) error {
		rec := &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("x", 10_000))}
		return cl.ProduceSync(testContext(t), rec).FirstErr()
	}
	accepted := int64(0)
	eventually(t, "new events are refused", func() bool {
		err := send("events")
		if err == nil {
			accepted++
			return false
		}
		if !errors.Is(err, kerr.PolicyViolation) {
			t.Fatalf("refused with %v", err)
		}
		return true
	})
	eventually(t, "it says so", func() bool {
		return b.Usage().Full && strings.Contains(log.String(), "(DATA_MAX_BYTES) are used by events that are not delivered yet") &&
			strings.Contains(log.String(), "most are in topic events, where group g is behind")
	})
	if usage := b.Usage(); usage.Bytes > bound || usage.MaxBytes != bound {
		t.Errorf("usage %+v", usage)
	}
	if p := b.Kfake().PartitionInfo("events", 0); p.LogStartOffset != 0 || p.HighWatermark != accepted {
		t.Errorf("unsettled events were touched: %+v", p)
	}
	for range 3 {
		if err := send("dead"); err != nil {
			t.Errorf("a dead letter does not fit: %v", err)
		}
	}
	if err := commit(cl, "g", "events", accepted-2, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is room again", func() bool { return send("events") == nil })
	p := b.Kfake().PartitionInfo("events", 0)
	if p.LogStartOffset == 0 || p.LogStartOffset > accepted-2 {
		t.Errorf("removed up to %d, settled were %d", p.LogStartOffset, accepted-2)
	}
	if p := b.Kfake().PartitionInfo("dead", 0); p.LogStartOffset != 0 {
		t.Errorf("dead letters were removed: %+v", p)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Events that are always taken never fill the folder.
func TestSettledEventsMakeRoom(t *testing.T) {
	const bound = 2 << 20
	b := start(t, Options{DataDir: t.TempDir(), MaxBytes: bound, CheckEvery: 10 * time.Millisecond})
	mustCreate(t, b, "events", 1, nil)
	cl := client(t, b)
	for i := range 200 {
		produce(t, cl, "events", 0, 50_000, 1)
		if err := commit(cl, "g", "events", int64(i+1), ""); err != nil {
			t.Fatal(err)
		}
		if usage := b.Usage(); usage.Bytes > bound || usage.Full {
			t.Fatalf("after %d events: %+v", i, usage)
		}
	}
}

func TestRetentionByAgeSparesUnsettledEvents(t *testing.T) {
	b := start(t, Options{DataDir: t.TempDir(), CheckEvery: time.Hour})
	mustCreate(t, b, "short", 1, map[string]string{"retention.ms": "3600000"})
	mustCreate(t, b, "kept", 1, map[string]string{"retention.ms": "-1"})
	mustCreate(t, b, "sink", 1, map[string]string{"retention.ms": "3600000"})
	cl := client(t, b)
	for _, topic := range []string{"short", "kept", "sink"} {
		for i := range 10 {
			rec := &kgo.Record{Topic: topic, Value: []byte("x"), Timestamp: time.Now().Add(-2 * time.Hour)}
			if i >= 8 {
				rec.Timestamp = time.Now()
			}
			if err := cl.ProduceSync(testContext(t), rec).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for topic, offset := range map[string]int64{"short": 5, "kept": 10} {
		if err := commit(cl, "g", topic, offset, ""); err != nil {
			t.Fatal(err)
		}
	}
	logs, err := b.keeper.survey(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.keeper.expire(testContext(t), logs); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]int64{"short": 5, "kept": 0, "sink": 8} {
		if p := b.Kfake().PartitionInfo(topic, 0); p.LogStartOffset != want {
			t.Errorf("%s begins at %d, want %d", topic, p.LogStartOffset, want)
		}
	}
}

func TestSettle(t *testing.T) {
	group := func(name string, commits map[int32]int64, members ...string) *kfake.GroupInfo {
		info := &kfake.GroupInfo{Group: name, Commits: map[string]map[int32]kfake.GroupCommit{}}
		for partition, offset := range commits {
			if info.Commits["t"] == nil {
				info.Commits["t"] = map[int32]kfake.GroupCommit{}
			}
			info.Commits["t"][partition] = kfake.GroupCommit{Offset: offset}
		}
		for _, topic := range members {
			info.Members = append(info.Members, kfake.GroupMember{SubscribedTopics: []string{topic}})
		}
		return info
	}
	for _, tc := range []struct {
		name    string
		groups  []*kfake.GroupInfo
		settled int64
		grouped bool
		gone    int64 // removable whatever the age
	}{
		{"no group", nil, 100, false, 99},
		{"one group", []*kfake.GroupInfo{group("a", map[int32]int64{0: 50})}, 50, true, 50},
		{"done", []*kfake.GroupInfo{group("a", map[int32]int64{0: 100})}, 100, true, 99},
		{"the slowest counts", []*kfake.GroupInfo{group("a", map[int32]int64{0: 90}), group("b", map[int32]int64{0: 30})}, 30, true, 30},
		{"another partition alone", []*kfake.GroupInfo{group("a", map[int32]int64{1: 90})}, 20, true, 20},
		{"a member without commits", []*kfake.GroupInfo{group("a", nil, "t")}, 20, true, 20},
		{"a member of another topic", []*kfake.GroupInfo{group("a", nil, "u")}, 100, false, 99},
		{"a commit below the log", []*kfake.GroupInfo{group("a", map[int32]int64{0: 5})}, 5, true, 20},
		{"a commit beyond the log", []*kfake.GroupInfo{group("a", map[int32]int64{0: 500})}, 100, true, 99},
	} {
		logs := []log{{place: place{"t", 0}, start: 20, end: 100}}
		settle(logs, tc.groups)
		l := logs[0]
		if l.settled != tc.settled || l.grouped != tc.grouped || l.removable(1<<62) != tc.gone {
			t.Errorf("%s: settled %d, grouped %v, removable %d; want %d, %v, %d", tc.name,
				l.settled, l.grouped, l.removable(1<<62), tc.settled, tc.grouped, tc.gone)
		}
	}
	empty := log{start: 0, end: 0, settled: 0}
	if empty.removable(1<<62) != 0 {
		t.Error("an empty log has something to remove")
	}
}

func TestRetentionOf(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"retention.ms=1000": time.Second, "retention.ms=-1": -1, "": defaultRetention,
		"retention.ms=9223372036854775807": -1, "cleanup.policy=compact": -1,
		"cleanup.policy=compact,delete retention.ms=1000": time.Second,
	} {
		configs := map[string]*string{}
		for _, pair := range strings.Fields(text) {
			name, value, _ := strings.Cut(pair, "=")
			configs[name] = &value
		}
		if got := retentionOf(configs); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestSegmentBytes(t *testing.T) {
	for _, tc := range []struct {
		bound      int64
		partitions int
		want       int64
	}{
		{0, 1000, 8 << 20}, {1 << 30, 1, 8 << 20}, {1 << 30, 1000, 256 << 10}, {1 << 30, 100, 1342177}, {1 << 20, 10, 16 << 10},
	} {
		if got := segmentBytes(tc.bound, tc.partitions); got != tc.want {
			t.Errorf("%d bytes, %d partitions: %d, want %d", tc.bound, tc.partitions, got, tc.want)
		}
	}
}
