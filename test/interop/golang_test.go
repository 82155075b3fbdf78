package interop

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"
)

// goEvent makes the Go SDK's event as a program would.
func goEvent(e event) (cloudevents.Event, error) {
	c := cloudevents.NewEvent(e.Attributes["specversion"])
	for name, value := range e.Attributes {
		switch name {
		case "specversion", "datacontenttype":
		case "id":
			c.SetID(value)
		case "type":
			c.SetType(value)
		case "source":
			c.SetSource(value)
		case "subject":
			c.SetSubject(value)
		case "dataschema":
			c.SetDataSchema(value)
		case "time":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return c, err
			}
			c.SetTime(at)
		default:
			c.SetExtension(name, value)
		}
	}
	if e.Data != nil {
		return c, c.SetData(e.Attributes["datacontenttype"], e.Data)
	}
	return c, nil
}

// goTold is what the Go SDK read.
func goTold(c *cloudevents.Event) event {
	e := event{map[string]string{"specversion": c.SpecVersion(), "id": c.ID(), "type": c.Type(), "source": c.Source()}, c.Data()}
	for name, value := range map[string]string{"subject": c.Subject(), "dataschema": c.DataSchema(), "datacontenttype": c.DataContentType()} {
		if value != "" {
			e.Attributes[name] = value
		}
	}
	if !c.Time().IsZero() {
		e.Attributes["time"] = c.Time().Format(time.RFC3339Nano)
	}
	for name, value := range c.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			text = err.Error()
		}
		e.Attributes[name] = text
	}
	return e
}

// sendGo sends with the Go SDK's client; batches with its request.
func sendGo(t testing.TB, address string, m mode, all []event) outcome {
	t.Helper()
	var made []cloudevents.Event
	for _, e := range all {
		c, err := goEvent(e)
		if err != nil {
			return outcome{Error: err.Error()}
		}
		made = append(made, c)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	if m == batch {
		return sendGoBatch(address, transport, made)
	}
	sender, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(address), cloudevents.WithRoundTripper(transport))
	if err != nil {
		return outcome{Error: err.Error()}
	}
	ctx := cloudevents.WithEncodingBinary(context.Background())
	if m == structured {
		ctx = cloudevents.WithEncodingStructured(context.Background())
	}
	var result *cehttp.Result
	err = sender.Send(ctx, made[0])
	if !cloudevents.ResultAs(err, &result) {
		return outcome{Error: fmt.Sprint(err)}
	}
	return outcome{Status: result.StatusCode, Error: fmt.Sprint(err)}
}

func sendGoBatch(address string, transport http.RoundTripper, made []cloudevents.Event) outcome {
	request, err := cehttp.NewHTTPRequestFromEvents(context.Background(), address, made)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	response.Body.Close()
	return outcome{Status: response.StatusCode}
}

// subscribeGo starts a subscriber with the Go SDK's client. Its NewHTTPReceiveHandler,
// the other way, leaves a request unanswered now and then when several come at once.
func subscribeGo(t testing.TB) *subscriber {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocol, err := cehttp.New(cehttp.WithListener(ln), cehttp.WithRequestDataAtContextMiddleware())
	if err != nil {
		t.Fatal(err)
	}
	client, err := cloudevents.NewClient(protocol)
	if err != nil {
		t.Fatal(err)
	}
	s := &subscriber{url: "http://" + ln.Addr().String()}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- client.StartReceiver(ctx, func(ctx context.Context, c cloudevents.Event) *cloudevents.Event {
			path := cehttp.RequestDataFromContext(ctx).URL.Path
			e := goTold(&c)
			s.tell(told{Path: path, Attributes: e.Attributes, Data: e.Data})
			if !strings.HasPrefix(path, "/answer") {
				return nil
			}
			answer := c.Clone()
			answer.SetID("answer" + path + "-" + c.ID())
			answer.SetType("com.example.answer")
			return &answer
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the Go SDK's receiver: %v", err)
		}
	})
	return s
}
