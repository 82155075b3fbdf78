// Package memory measures how much memory Kurier's processes take where something
// around them does its worst, and holds the peaks against docs/operations.md.
package memory

import (
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(kafkatest.Main(m)) }
