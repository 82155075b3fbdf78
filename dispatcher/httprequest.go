package dispatcher

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"sync"

	"kurier.dev/kurier/internal/event"
)

const (
	userAgent = "Kurier"
	// inline is the largest body that is copied behind the header, for one write
	// instead of two.
	inline = 16 << 10
	// keptRequest bounds the buffers that are used again.
	keptRequest = 64 << 10
)

var requests = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// write sends the request. It is put together by hand: of one event after the
// other nothing changes but the attributes.
func (t *target) write(c *conn, m *Message) error {
	buf := requests.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	head, body, err := t.request((*buf)[:0], m)
	if err != nil {
		return err
	}
	if len(body) <= inline {
		head = append(head, body...)
		body = nil
	}
	if len(body) == 0 {
		err = c.ask(head)
	} else if _, err = c.Write(head); err == nil {
		err = c.ask(body)
	}
	if cap(head) <= keptRequest {
		*buf = head
		requests.Put(buf)
	}
	return err
}

// request appends the header of the request to b. The body is the event's own.
func (t *target) request(b []byte, m *Message) (head, body []byte, err error) {
	b = append(b, t.prefix...)
	if m.Namespace != "" {
		b = event.AppendHeader(b, "Kn-Namespace", m.Namespace)
	}
	if m.WantReply {
		b = event.AppendHeader(b, "Prefer", "reply")
	}
	for i := range m.Headers {
		b = event.AppendHeader(b, m.Headers[i].Name, m.Headers[i].Value)
	}
	if m.Format == JSON {
		if body, err = m.Event.Structured(); err != nil {
			return nil, nil, err
		}
		b = event.AppendHeader(b, "Content-Type", event.StructuredContentType)
		b = m.Event.AppendHeaders(b)
	} else {
		body = m.Event.Data
		b = m.Event.AppendBinaryHeaders(b)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	return append(b, "\r\n\r\n"...), body, nil
}

// prefixOf is what all requests to a target begin with. Nothing parses, tidies or
// decodes the path.
func (t *target) prefixOf() []byte {
	b := append([]byte("POST "), t.requestURI...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = event.AppendHeader(b, "Host", t.host)
	b = event.AppendHeader(b, "User-Agent", userAgent)
	if t.authority != "" {
		b = event.AppendHeader(b, "Authorization", t.authority)
	}
	return b
}

func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}
