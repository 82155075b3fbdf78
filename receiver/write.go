package receiver

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// write sends the answer. keep tells the client whether it may use the
// connection again.
func (x *exchange) write(r *Receiver, a *answer, keep bool) error {
	out := append(x.out[:0], "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(a.status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(a.status)...)
	out = append(out, "\r\nDate: "...)
	out = append(out, r.clock.text(r.cfg.Now())...)
	out = append(out, "\r\nAllow: POST, OPTIONS"...)
	if a.origin != "" {
		out = append(out, "\r\nWebHook-Allowed-Origin: "...)
		out = append(out, a.origin...)
		out = append(out, "\r\nWebHook-Allowed-Rate: "...)
		out = append(out, a.rate...)
	}
	if a.retryAfter > 0 {
		out = append(out, "\r\nRetry-After: "...)
		out = strconv.AppendInt(out, int64(a.retryAfter), 10)
	}
	switch {
	case !keep:
		out = append(out, "\r\nConnection: close"...)
	case !x.http11:
		out = append(out, "\r\nConnection: keep-alive"...)
	}
	var body []byte
	if a.status >= 400 {
		body = problemBody(a)
		out = append(out, "\r\nContent-Type: application/problem+json"...)
	}
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n\r\n"...)
	if x.req.method != "HEAD" {
		out = append(out, body...)
	}
	x.out = out
	if err := x.conn.writeWithin(r.cfg.WriteTimeout); err != nil {
		return err
	}
	_, err := x.conn.Write(out)
	return err
}

// httpDate renders the header Date once per second.
type httpDate struct{ last atomic.Pointer[dateText] }

type dateText struct {
	second int64
	text   string
}

func (d *httpDate) text(now time.Time) string {
	second := now.Unix()
	if last := d.last.Load(); last != nil && last.second == second {
		return last.text
	}
	text := now.UTC().Format(http.TimeFormat)
	d.last.Store(&dateText{second: second, text: text})
	return text
}
