package compose

import (
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/box"
	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) {
	box.Init()
	goleak.VerifyTestMain(kafkatest.Main(m))
}

// needBoxes skips where boxes, Java or Maven are missing, or fails where nothing may be.
func needBoxes(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs the image and a real Kafka")
	}
	if err := box.Available(); err != nil {
		kafkatest.SkipOrFail(t, err.Error())
	}
}
