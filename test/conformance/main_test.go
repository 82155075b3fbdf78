package conformance

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rcrowley/go-metrics"
	"go.uber.org/goleak"

	"kurier.dev/kurier/test/kafkatest"
)

// parallel parts: they wait for timers and for Kurier most of their time.
const parallel = 8

var update = flag.Bool("update", false, "rewrite docs/conformance.md")

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := flag.Set("test.parallel", fmt.Sprint(parallel)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	metrics.UseNilMetrics = true // as in the product: the Kafka client's own cost goroutines
	goleak.VerifyTestMain(kafkatest.Main(m))
}
