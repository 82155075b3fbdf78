package consumer

import (
	"flag"
	"testing"

	"github.com/rcrowley/go-metrics"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // the tests wait for Kafka's timers, not for a processor
	metrics.UseNilMetrics = true       // as in the product: the Kafka client's own cost goroutines
	goleak.VerifyTestMain(m)
}
