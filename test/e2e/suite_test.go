package e2e

import (
	"testing"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// A scenario runs against a system that other scenarios use, too.
type scenario struct {
	name string
	run  func(t *testing.T, s *harness.System)
}

// scenarios is the suite; its parts stand beside what they test.
func scenarios() []scenario {
	var all []scenario
	for _, part := range [][]scenario{
		routingScenarios, deadLetterScenarios, channelScenarios, extensionScenarios, orderScenarios,
		replyScenarios, timingScenarios, reloadScenarios, ingressScenarios,
	} {
		all = append(all, part...)
	}
	return all
}

func runSuite(t *testing.T, s *harness.System) {
	s.StartReady(t)
	t.Run("suite", func(t *testing.T) {
		for _, scenario := range scenarios() {
			t.Run(scenario.name, func(t *testing.T) {
				t.Parallel()
				scenario.run(t, s)
			})
		}
	})
	s.Command.Stop(t)
}

func TestEmbeddedBroker(t *testing.T) {
	runSuite(t, harness.NewDev(t, nil))
}

func TestRealKafka(t *testing.T) {
	kafka := kafkatest.Shared(t)
	runSuite(t, harness.NewRun(t, kafka.Bootstrap(), nil))
}
