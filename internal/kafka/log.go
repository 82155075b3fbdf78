package kafka

import (
	"fmt"
	"log/slog"
	"strings"
)

// debugLogger writes the Kafka client's own messages at debug.
type debugLogger struct{ l *slog.Logger }

func (d debugLogger) Print(v ...any) {
	d.l.Debug("kafka client", "says", strings.TrimSpace(fmt.Sprint(v...)))
}
func (d debugLogger) Println(v ...any) {
	d.l.Debug("kafka client", "says", strings.TrimSpace(fmt.Sprintln(v...)))
}
func (d debugLogger) Printf(format string, v ...any) {
	d.l.Debug("kafka client", "says", strings.TrimSpace(fmt.Sprintf(format, v...)))
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
