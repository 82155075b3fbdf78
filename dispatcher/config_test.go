package dispatcher

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"kurier.dev/kurier/internal/filter"
)

// Each field set wrong is named by the error.
func TestConfigErrors(t *testing.T) {
	good := Config{Clusters: func(string) (ClusterConn, error) { return ClusterConn{}, nil }}
	for field, spoil := range map[string]func(*Config){
		"Clusters":        func(c *Config) { c.Clusters = nil },
		"RetryMinBackoff": func(c *Config) { c.RetryMinBackoff = -1 },
		"RetryJitter":     func(c *Config) { c.RetryJitter = 1.5 },
		"ProduceTimeout":  func(c *Config) { c.ProduceTimeout = -1 },
		"DrainTimeout":    func(c *Config) { c.DrainTimeout = -1 },
		"BrokerTTL":       func(c *Config) { c.BrokerTTL = -1 },
		"MaxEventBytes":   func(c *Config) { c.MaxEventBytes = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	d, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if c := d.cfg; c.ProduceTimeout != DefaultProduceTimeout || c.DrainTimeout != DefaultDrainTimeout ||
		c.BrokerTTL != DefaultBrokerTTL || c.MaxEventBytes != DefaultMaxEventBytes || c.Logger == nil {
		t.Errorf("defaults: %+v", c)
	}
	good.Registerer = prometheus.NewRegistry()
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	if _, err := New(good); err == nil {
		t.Error("two dispatchers on one registry are not refused")
	}
}

func TestSubscriptionErrors(t *testing.T) {
	for field, spoil := range map[string]func(*Subscription){
		"name":              func(s *Subscription) { s.Name = "" },
		"Topic":             func(s *Subscription) { s.Topic = "" },
		"Group":             func(s *Subscription) { s.Group = "" },
		"Subscriber":        func(s *Subscription) { s.Subscriber = Destination{} },
		"Delivery.Retry":    func(s *Subscription) { s.Delivery.Retry = -1 },
		"Concurrency":       func(s *Subscription) { s.Concurrency = -1 },
		"DeadLetter.Topic":  func(s *Subscription) { s.DeadLetter = DeadLetterPolicy{} },
		"Reply.Destination": func(s *Subscription) { s.Reply = Reply{Kind: ReplyURL} },
		"filter":            func(s *Subscription) { s.Filters = []filter.Spec{{Exact: map[string]string{"": "x"}}} },
	} {
		if _, err := compile(trigger(spoil)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
