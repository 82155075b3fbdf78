package chaos

import (
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(kafkatest.Main(m)) }
