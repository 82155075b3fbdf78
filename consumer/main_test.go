package consumer

import (
	"testing"

	"github.com/rcrowley/go-metrics"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	metrics.UseNilMetrics = true // as in the product: the Kafka client's own cost goroutines
	goleak.VerifyTestMain(m)
}
