package kafkatest_test

import (
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) {
	// go-metrics, which sarama uses for its statistics, never ends its ticker.
	goleak.VerifyTestMain(kafkatest.Main(m),
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}
