package dispatcher

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"kurier.dev/kurier/test/altered"
)

// DL-15: the table of section 4.7; backoff 2 s, header 30 s.
func TestRetryAfterTable(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const backoff, none, secs, foo = 2 * time.Second, "", "30", "FOO"
	date := now.Add(30 * time.Second).Format(http.TimeFormat)
	const unset, large, small = 5 * time.Minute, 90 * time.Second, 10 * time.Second
	for i, c := range []struct {
		max    time.Duration
		code   int
		header string
		want   time.Duration
	}{
		{unset, 429, none, backoff},
		{unset, 429, secs, 30 * time.Second},
		{unset, 429, date, 30 * time.Second},
		{unset, 429, foo, backoff},
		{unset, 503, secs, 30 * time.Second},
		{unset, 500, none, backoff},
		{large, 429, none, backoff},
		{large, 429, secs, 30 * time.Second},
		{large, 429, date, 30 * time.Second},
		{large, 429, foo, backoff},
		{large, 503, secs, 30 * time.Second},
		{large, 500, none, backoff},
		{small, 429, none, backoff},
		{small, 429, secs, small},
		{small, 429, date, small},
		{small, 429, foo, backoff},
		{small, 503, secs, small},
		{small, 500, none, backoff},
		// Own rows.
		{0, 429, secs, backoff},
		{unset, 429, "3600", unset},
		{unset, 500, secs, backoff},
		{unset, 429, "-5", backoff},
		{unset, 429, "1", backoff},
		{unset, 429, now.Add(-time.Hour).Format(http.TimeFormat), backoff},
		{unset, 429, " 7 ", 7 * time.Second},
		{unset, 429, "99999999999999999999", backoff},
		{unset, 503, "9223372036854775807", unset},
		{unset, 404, secs, backoff},
	} {
		name := fmt.Sprintf("DL-15/%d", i+1)
		if i >= 18 {
			name = fmt.Sprintf("DL-15/own %d", i-17)
		}
		t.Run(name, func(t *testing.T) {
			want := altered.Want(c.want)
			if got := withRetryAfter(backoff, c.code, c.header, c.max, now); got != want {
				t.Errorf("max %v, %d, %q: %v, want %v", c.max, c.code, c.header, got, want)
			}
		})
	}
}
