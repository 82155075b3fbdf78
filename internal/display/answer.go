package display

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"kurier.dev/kurier/internal/event"
)

// answer is what a display says to one request, settled before anything is
// printed or waited for.
type answer struct {
	status int
	delay  time.Duration
	reply  *event.Message // nil: none
	body   string         // JSON; empty: none
}

// decide settles the answer: what the path asks for, then the failures that the
// options ask for, then the usual one. Each call counts as a request.
func (s *Server) decide(events []*event.Message, wish wish) answer {
	a := answer{status: s.options.Status, delay: s.options.Delay + wish.delay}
	request := s.requests.Add(1)
	switch {
	case wish.status != 0:
		a.status = wish.status
		a.body = fmt.Sprintf(`{"status":%d,"message":"the display answers what its path asks for"}`, a.status)
	case request <= int64(s.options.FailFirst):
		a.status = s.options.FailStatus
		a.body = fmt.Sprintf(`{"status":%d,"message":"the display fails its first %d requests, this is number %d"}`,
			a.status, s.options.FailFirst, request)
	case slices.ContainsFunc(events, s.failsAlways):
		a.status = s.options.FailStatus
		a.body = fmt.Sprintf(`{"status":%d,"message":"the display fails every event of this type"}`, a.status)
	case s.options.Reply != nil && len(events) == 1 && (a.status == 0 || a.status/100 == 2):
		a.reply = s.options.Reply.event(events[0])
		if a.status == 0 {
			a.status = http.StatusOK
		}
	case a.status == 0:
		a.status = http.StatusAccepted
	case a.status >= 300:
		a.body = fmt.Sprintf(`{"status":%d,"message":"the display was told to answer %d"}`, a.status, a.status)
	}
	return a
}

func (s *Server) failsAlways(m *event.Message) bool {
	eventType, _ := m.Get(event.Type)
	return slices.Contains(s.options.FailTypes, eventType)
}

// event builds the reply to m.
func (r *Reply) event(m *event.Message) *event.Message {
	var reply *event.Message
	if r.Echo {
		reply = m.Clone()
	} else {
		reply = &event.Message{}
		reply.Set(event.SpecVersion, "1.0")
		reply.Set(event.ID, uuid.NewString())
		reply.Set(event.Source, "/kurier/display")
		reply.Set(event.Time, time.Now().UTC().Format(time.RFC3339Nano))
	}
	if r.Type != "" {
		reply.Set(event.Type, r.Type)
	}
	if r.Source != "" {
		reply.Set(event.Source, r.Source)
	}
	if r.Data != "" {
		contentType := r.ContentType
		if contentType == "" {
			contentType = "application/json"
		}
		reply.Set(event.DataContentType, contentType)
		reply.Data = []byte(r.Data)
	}
	return reply
}

// write sends the answer. Its errors mean that the client has gone.
func (a answer) write(w http.ResponseWriter) {
	body := []byte(a.body)
	switch {
	case a.reply != nil:
		for name, value := range a.reply.BinaryHeaders() {
			w.Header().Add(name, value)
		}
		body = a.reply.Data
	case a.body != "":
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		_, _ = w.Write(body)
	}
}
