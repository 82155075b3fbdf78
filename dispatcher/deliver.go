package dispatcher

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"kurier.dev/kurier/internal/event"
)

// errMalformedReply is the cause of the 502 for a response that claims to be a
// CloudEvent and is none (C7).
var errMalformedReply = errors.New("the response is not a valid CloudEvent")

// deliver makes one attempt at the subscriber.
func (p *pipeline) deliver(ctx context.Context, v *delivery) error {
	s := v.settings
	res, err := p.send(ctx, v, Message{
		To:        s.Subscriber,
		Event:     v.event,
		Format:    s.Delivery.Format,
		Namespace: s.Namespace,
		WantReply: true,
		MaxReply:  p.cfg.MaxEventBytes,
		Begun:     v.begun, // the subscriber's attempt is the first of a call
		Timeout:   s.Delivery.timeout(),
	})
	if early := v.uncounted(ctx, err); early != nil {
		return early
	}
	if v.Attempts > 0 {
		p.metrics.retries.Inc()
	} else {
		p.metrics.observeProcess(v)
	}
	var answer *event.Message
	if err == nil {
		answer, err = p.readReply(s, &res)
	}
	v.Attempts++
	if res.Ended.IsZero() {
		res.Ended = time.Now()
	}
	p.metrics.observeAttempt(res.Ended.Sub(v.begun), err)
	if err != nil {
		return p.subscriberFailed(v, err)
	}
	if answer == nil {
		p.delivered(v)
		return nil
	}
	v.reply = &reply{event: answer, size: len(answer.Data) + 1<<10}
	v.to(atReply)
	return nil
}

// readReply finds the event in a 2xx response (section 4.8); nil when there is
// none, which is a success too.
func (p *pipeline) readReply(s *settings, res *Result) (*event.Message, error) {
	if !res.ClaimsEvent && len(res.Body) == 0 {
		return nil, nil
	}
	m, kind, err := event.FromResponse(res.headers, res.Body, p.cfg.StrictReplies)
	switch kind {
	case event.ReplyEvent:
		return m, nil
	case event.ReplyOther:
		p.metrics.discarded(discardedOther).Inc()
		return nil, nil
	case event.ReplyMalformed:
		p.metrics.malformed.Inc()
		return nil, &AttemptError{
			URL: s.Subscriber.URL, Code: fasthttp.StatusBadGateway, Headers: res.Headers,
			Body: res.Body[:min(len(res.Body), keptBody)], Err: errors.Join(errMalformedReply, err),
		}
	case event.ReplyNone:
	}
	return nil, nil
}

// headers is an event.HeaderSeq.
func (r *Result) headers(yield func(name, value string) bool) {
	for i := range r.Headers {
		if !yield(r.Headers[i].Name, r.Headers[i].Value) {
			return
		}
	}
}

// subscriberFailed waits for the next attempt, or gives up. A budget that was
// used up before a restart has had one more attempt by now, for its answer.
func (p *pipeline) subscriberFailed(v *delivery, err error) error {
	p.health.failed(v, err, v.Attempts)
	if Retryable(err) && v.Attempts < v.settings.Delivery.attempts() {
		return p.wait(v, v.Attempts, err)
	}
	v.failure = newFailure(v.settings.Subscriber.URL, err)
	v.to(atDeadLetter)
	return nil
}

// newFailure keeps what the error extensions need. dest is the URL that failed.
func newFailure(dest string, err error) *failure {
	f := &failure{dest: dest, retryable: Retryable(err), err: err}
	if attempt := asAttempt(err); attempt != nil {
		f.code, f.reason, f.body, f.headers = attempt.Code, attempt.Reason, attempt.Body, attempt.Headers
	} else {
		f.reason = ReasonConnection
	}
	return f
}

func asAttempt(err error) *AttemptError {
	var attempt *AttemptError
	if errors.As(err, &attempt) {
		return attempt
	}
	return nil
}
