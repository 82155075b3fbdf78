package harness

import (
	"net/http"
	"sync"
	"time"
)

// Reject answers the first n requests with a status (0: 409, as the conformance suite's
// receivers do) and a body, the rest with 202.
func Reject(n, status int, body string) Behaviour {
	return func(r *Request) Answer {
		if r.Number > n {
			return Answer{}
		}
		return rejection(status, body)
	}
}

// RejectAll answers everything with a status and a body.
func RejectAll(status int, body string) Behaviour {
	return func(*Request) Answer { return rejection(status, body) }
}

// RejectFibonacci rejects the requests number 1, 2, 3, 5, 8 and so on.
func RejectFibonacci(status int) Behaviour {
	return func(r *Request) Answer {
		for a, b := 1, 2; a <= r.Number; a, b = b, a+b {
			if a == r.Number {
				return rejection(status, "")
			}
		}
		return Answer{}
	}
}

func rejection(status int, body string) Answer {
	if status == 0 {
		status = http.StatusConflict
	}
	return Answer{Status: status, Body: body}
}

// Delay answers 202 after a time.
func Delay(d time.Duration) Behaviour {
	return func(*Request) Answer { return Answer{Delay: d} }
}

// Block answers nothing until the returned function is called, then 202 to all.
func Block() (b Behaviour, release func()) {
	open := make(chan struct{})
	return func(*Request) Answer { return Answer{Until: open} }, sync.OnceFunc(func() { close(open) })
}

// HangUp reads every request and closes the connection without an answer.
func HangUp() Behaviour {
	return func(*Request) Answer { return Answer{HangUp: true} }
}

// Reply answers 200 with an event in binary mode: a clone of the one that came, with the
// given attributes instead; an empty one is removed. data nil keeps the data.
func Reply(attributes map[string]string, data []byte) Behaviour {
	return func(r *Request) Answer {
		header := http.Header{}
		for name, values := range r.Header {
			if len(name) > 3 && name[:3] == "Ce-" || name == "Content-Type" {
				header[name] = values
			}
		}
		for name, value := range attributes {
			if value == "" {
				header.Del("Ce-" + name)
				continue
			}
			header.Set("Ce-"+name, value)
		}
		body := data
		if body == nil {
			body = r.Body
		}
		return Answer{Status: http.StatusOK, Header: header, Body: string(body)}
	}
}

// After puts one behaviour before another: the first n requests get a, the rest b, whose
// numbers go on.
func After(n int, a, b Behaviour) Behaviour {
	return func(r *Request) Answer {
		if r.Number <= n {
			return a(r)
		}
		return b(r)
	}
}
