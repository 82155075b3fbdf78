package dispatcher

import (
	"testing"
	"time"

	"kurier.dev/kurier/test/mutate"
)

// FuzzRetryAfter: whatever a response's header holds, the wait is never shorter than the
// backoff, never longer than the longer one of backoff and limit, and does not depend
// on the header for other codes than 429 and 503.
func FuzzRetryAfter(f *testing.F) {
	seeds := []string{"", "30", "-5", "FOO", " 7 ", "99999999999999999999", "9223372036854775807", "Fri, 02 Jan 2026 03:04:35 GMT",
		"Friday, 02-Jan-26 03:04:35 GMT", "Fri Jan  2 03:04:35 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"}
	add := func(s string) { f.Add(s, 429, int64(2*time.Second), int64(5*time.Minute)) }
	for _, s := range seeds {
		add(s)
	}
	mutate.More(f, seeds, add)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string, code int, backoff, limit int64) {
		if backoff < 0 || limit < 0 {
			return
		}
		wait, most := time.Duration(backoff), time.Duration(limit)
		got := withRetryAfter(wait, code, header, most, now)
		if got < wait || got > max(wait, most) || (code != 429 && code != 503 || most == 0) && got != wait {
			t.Fatalf("%q, %d: %v, with a backoff of %v and a limit of %v", header, code, got, wait, most)
		}
	})
}
