package dispatcher

import (
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// withRetryAfter applies a Retry-After header to a computed wait (section 4.7):
// max(min(header, limit), wait), on 429 and 503 alone. A limit of 0 ignores the
// header.
func withRetryAfter(wait time.Duration, code int, header string, limit time.Duration, now time.Time) time.Duration {
	if code != fasthttp.StatusTooManyRequests && code != fasthttp.StatusServiceUnavailable {
		return wait
	}
	return max(wait, min(retryAfter(header, now), limit))
}

// retryAfter reads integer seconds or an HTTP date; anything that is absent,
// invalid, negative or past is 0.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(header, 10, 63); err == nil {
		const most = uint64(1<<63-1) / uint64(time.Second)
		return time.Duration(min(seconds, most)) * time.Second
	}
	for _, layout := range dateLayouts {
		if at, err := time.Parse(layout, header); err == nil {
			return max(0, at.Sub(now))
		}
	}
	return 0
}

// dateLayouts are the three forms of an HTTP date.
var dateLayouts = [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC}
