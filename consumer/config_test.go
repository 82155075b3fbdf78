package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func validConfig() Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_0_0_0
	return Config{
		Brokers: []string{"localhost:9092"}, Sarama: cfg, Group: "g", Topic: "t",
		Commits: func() (sarama.Client, error) { return nil, nil },
	}
}

// Each field set badly in turn is named by the error.
func TestNewNamesTheBadField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"Brokers":        func(c *Config) { c.Brokers = nil },
		"Sarama":         func(c *Config) { c.Sarama = nil },
		"Sarama.Version": func(c *Config) { c.Sarama.Version = sarama.V2_0_0_0 },
		"Commits":        func(c *Config) { c.Commits = nil },
		"Group":          func(c *Config) { c.Group = "" },
		"Topic":          func(c *Config) { c.Topic = "" },
		"Order":          func(c *Config) { c.Order = 7 },
		"Concurrency":    func(c *Config) { c.Concurrency = -1 },
		"DrainTimeout":   func(c *Config) { c.DrainTimeout = -time.Second },
		"MetadataLimit":  func(c *Config) { c.MetadataLimit = 10 },
	} {
		cfg := validConfig()
		spoil(&cfg)
		if _, err := New(cfg, settle); err == nil || !strings.Contains(err.Error(), "Config."+field+" ") {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
	if _, err := New(validConfig(), nil); err == nil {
		t.Error("a missing Handler is accepted")
	}
	if _, err := New(validConfig(), settle); err != nil {
		t.Errorf("a good Config: %v", err)
	}
}

func TestParseOrder(t *testing.T) {
	for in, want := range map[string]Order{
		"ordered": Ordered, "ORDERED": Ordered, "unordered": Unordered, "Ordered-By-Key": OrderedByKey,
	} {
		if got, err := ParseOrder(in); err != nil || got != want {
			t.Errorf("ParseOrder(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "sorted", "ordered "} {
		if _, err := ParseOrder(in); err == nil || !strings.Contains(err.Error(), "want unordered, ordered, ordered-by-key") {
			t.Errorf("ParseOrder(%q): %v", in, err)
		}
	}
}

func TestBackoffIsCapped(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		0: 0, 1: time.Second, 2: 2 * time.Second, 5: 10 * time.Second, 1000: 10 * time.Second,
	} {
		if d := backoff(failures, time.Second, 10*time.Second); d > want || d < want*4/5 {
			t.Errorf("after %d failures %s, want %s less at most a fifth", failures, d, want)
		}
	}
}

func TestPace(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		pace pace
		need need
		wait time.Duration
		do   bool
	}{
		"nothing to do":             {pace{}, need{}, time.Hour, false},
		"idle workers":              {pace{}, need{rest: true}, trimInterval, false},
		"first commit":              {pace{}, need{dirty: true}, 0, true},
		"a second is over":          {pace{last: now.Add(-time.Second)}, need{work: true}, 0, true},
		"half a second is over":     {pace{last: now.Add(-time.Second / 2)}, need{dirty: true}, time.Second / 2, false},
		"a retry waits":             {pace{last: now}, need{urgent: true}, 0, true},
		"a retry waits, Kafka away": {pace{last: now, failures: 9}, need{urgent: true}, maxCommitBackoff, false},
	} {
		wait, do := c.pace.next(c.need, now)
		if do != c.do || (!do && (wait > c.wait || wait < c.wait*4/5)) {
			t.Errorf("%s: wait %s, do %v, want %s, %v", name, wait, do, c.wait, c.do)
		}
	}
}

func TestBufferSharesAndWakes(t *testing.T) {
	b := NewBuffer(1 << 20)
	woken := 0
	small, big := b.open(func() { woken++ }), b.open(func() {})
	big.add(1 << 20)
	if small.over() {
		t.Error("a consumer without anything may not read")
	}
	small.add(b.share())
	if !small.over() || !big.over() {
		t.Error("a full Buffer stops nobody")
	}
	big.add(-100)
	if woken != 0 {
		t.Error("woken although hardly anything is free")
	}
	big.add(-(1 << 19))
	if woken != 1 || small.over() {
		t.Errorf("woken %d times, over %v, want 1 and false", woken, small.over())
	}
	big.close()
	small.close()
	if b.Used() != 0 || b.nBlocked.Load() != 0 {
		t.Errorf("%d bytes, %d blocked when all are closed", b.Used(), b.nBlocked.Load())
	}
}
