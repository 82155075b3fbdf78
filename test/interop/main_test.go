package interop

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rcrowley/go-metrics"
	"go.uber.org/goleak"

	"kurier.dev/kurier/test/kafkatest"
)

// parallel clients: they wait for processes most of their time.
const parallel = 8

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
