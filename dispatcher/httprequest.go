package dispatcher

import (
	"bufio"
	"encoding/base64"
	"net/url"
	"sync"

	"github.com/valyala/fasthttp"

	"kurier.dev/kurier/internal/event"
)

const userAgent = "Kurier"

var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 4096) }}

// write sends the request. The bytes of the event are not copied.
func (t *target) write(c *conn, m *Message) error {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	if err := t.fill(req, m); err != nil {
		return err
	}
	w := writers.Get().(*bufio.Writer) //nolint:forcetypeassert // the pool holds nothing else
	w.Reset(c)
	err := req.Write(w)
	if err == nil {
		err = w.Flush()
	}
	w.Reset(nil)
	writers.Put(w)
	return err
}

func (t *target) fill(req *fasthttp.Request, m *Message) error {
	h := &req.Header
	h.DisableNormalizing()
	h.SetNoDefaultContentType(true)
	h.SetMethod(fasthttp.MethodPost)
	// Host and request URI are set on the header, so that nothing parses, tidies
	// or decodes the path.
	h.SetRequestURI(t.requestURI)
	h.SetHost(t.host)
	h.SetUserAgent(userAgent)
	if t.authority != "" {
		h.Set("Authorization", t.authority)
	}
	if m.Namespace != "" {
		h.Set("Kn-Namespace", m.Namespace)
	}
	if m.WantReply {
		h.Set("Prefer", "reply")
	}
	for _, extra := range m.Headers {
		addHeader(h, extra.Name, extra.Value)
	}
	if m.Format == JSON {
		return fillStructured(req, m.Event)
	}
	for name, value := range m.Event.BinaryHeaders() {
		addHeader(h, name, value)
	}
	req.SetBodyRaw(m.Event.Data)
	return nil
}

func fillStructured(req *fasthttp.Request, e *event.Message) error {
	body, err := e.Structured()
	if err != nil {
		return err
	}
	req.Header.SetContentType(event.StructuredContentType)
	for _, pass := range e.Headers {
		addHeader(&req.Header, pass.Name, pass.Value)
	}
	req.SetBodyRaw(body)
	return nil
}

// addHeader leaves out a header whose name is no token: a record written by
// another program may carry any bytes. fasthttp itself takes line breaks out of
// values.
func addHeader(h *fasthttp.RequestHeader, name, value string) {
	if isToken(name) {
		h.Add(name, value)
	}
}

func isToken(name string) bool {
	for i := range len(name) {
		if !tokenBytes[name[i]] {
			return false
		}
	}
	return name != ""
}

var tokenBytes = func() (table [256]bool) {
	for _, r := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		table[r] = true
	}
	return table
}()

func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}
