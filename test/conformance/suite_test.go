package conformance

import (
	"os"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// envKafka set to "all" runs every part on a real Kafka, not only the chosen ones.
const envKafka = "KURIER_CONFORMANCE_KAFKA"

// settings are the environment of a Kurier.
type settings int

const (
	asShipped settings = iota // nothing but the defaults
	asKnative                 // as upstream's cases want it where the defaults differ
)

// environments of the settings. BROKER_TTL and the body limit make cases short that would
// take hundreds of hops and megabytes.
var environments = map[settings]harness.Env{
	asShipped: {},
	asKnative: {
		"ADD_KAFKA_POSITION": "false", "STRICT_REPLIES": "true", "RETRY_AFTER_MAX": "PT0S",
		"DEFAULT_DELIVERY": "none", "BROKER_TTL": "3",
	},
}

// A test case: its ID and what must be seen.
type testCase struct {
	id   string
	want facts
}

// observed is what a part saw, by the ID of the case.
type observed map[string]facts

// of returns the facts of a case, to be filled.
func (o observed) of(id string) facts {
	if o[id] == nil {
		o[id] = facts{}
	}
	return o[id]
}

// A part of the suite: cases that share a scene. observe runs in a namespace of its own and
// never sees what is expected.
type part struct {
	name    string
	on      settings
	onKafka bool // also in the short run on a real Kafka
	reads   bool // looks at Kafka itself, which the embedded broker does not let it: not there
	cases   []testCase
	observe func(w *world) observed
}

// parts is the suite; each part stands beside its cases.
func parts() []part {
	var all []part
	for _, some := range [][]part{
		pingParts, timingParts, routingParts, deadLetterParts, channelParts, filterParts, extensionParts,
		ingressParts, deliveryParts, furtherParts, flowParts, eventParts, recordParts, differenceParts,
	} {
		all = append(all, some...)
	}
	return all
}

// run observes and compares, then alters each expectation: every alteration must be noticed.
func (p *part) run(t *testing.T, s *system) {
	w := newWorld(t, s)
	got := p.observe(w)
	for _, c := range p.cases {
		t.Run(c.id, func(t *testing.T) {
			if len(c.want) == 0 {
				t.Fatal("the case expects nothing")
			}
			for _, difference := range differences(c.want, got[c.id]) {
				t.Error(difference)
			}
			if t.Failed() {
				return
			}
			for _, a := range c.want.alterations() {
				if len(differences(a.want, got[c.id])) == 0 {
					t.Errorf("altered to %s the case passes, too", a.what)
				}
			}
		})
		delete(got, c.id)
	}
	for id := range got {
		t.Errorf("%s was observed, and no case expects it", id)
	}
}

// system is a running Kurier that parts share.
type system struct {
	*harness.System
	mu   sync.Mutex
	last look
}

// look is what the status said at a time.
type look struct {
	at      time.Time
	objects []harness.Object
}

// runParts starts a Kurier for each of the settings and runs the chosen parts side by side.
func runParts(t *testing.T, start func(harness.Env) *harness.System, chosen func(*part) bool) {
	systems := map[settings]*system{}
	for on, env := range environments {
		s := &system{System: start(env)}
		s.StartReady(t)
		systems[on] = s
	}
	t.Run("cases", func(t *testing.T) {
		for _, p := range parts() {
			if !chosen(&p) {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.run(t, systems[p.on])
			})
		}
	})
	for _, s := range systems {
		s.Command.Stop(t)
	}
}

// TestEmbedded runs every part on kurier dev.
func TestEmbedded(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the built binary")
	}
	runParts(t, func(env harness.Env) *harness.System { return harness.NewDev(t, env) }, func(p *part) bool { return !p.reads })
}

// TestKafka runs the end-to-end cases on a real Kafka: the chosen ones, or all.
func TestKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real Kafka")
	}
	kafka := kafkatest.Shared(t)
	all := os.Getenv(envKafka) == "all"
	runParts(t, func(env harness.Env) *harness.System { return harness.NewRun(t, kafka.Bootstrap(), env) },
		func(p *part) bool { return all || p.onKafka })
}

// TestCaseIDs: an ID names one case, and each part has cases.
func TestCaseIDs(t *testing.T) {
	seen := map[string]string{}
	for _, p := range parts() {
		if len(p.cases) == 0 {
			t.Errorf("%s has no cases", p.name)
		}
		for _, c := range p.cases {
			if at := seen[c.id]; at != "" {
				t.Errorf("%s stands in %s and in %s", c.id, at, p.name)
			}
			seen[c.id] = p.name
		}
	}
}
