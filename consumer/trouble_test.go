package consumer

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A minute without Kafka is a handful of lines, not one for each try; what
// comes after a recovery is said at once.
func TestTroubleIsNotAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		var kafkaAway trouble
		tries := func() {
			for range 60 {
				kafkaAway.say(log, "joining again", errors.New("connection refused"))
				pass(time.Second)
			}
		}
		tries()
		if n := strings.Count(text.String(), "joining again"); n != 2 || !strings.Contains(text.String(), "moreSinceTheLastLine=29") {
			t.Errorf("%d lines:\n%s", n, text.String())
		}
		kafkaAway.over()
		text.Reset()
		kafkaAway.say(log, "joining again", errors.New("another"))
		if strings.Count(text.String(), "another") != 1 || strings.Contains(text.String(), "moreSince") {
			t.Error(text.String())
		}
	})
}
