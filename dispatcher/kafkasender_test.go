package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// produceFunc is a Producer of one function.
type produceFunc func(ctx context.Context, rec *sarama.ProducerMessage) error

func (f produceFunc) Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error {
	defer done()
	return f(ctx, rec)
}

// produceOnce makes one attempt at a topic through a Producer.
func produceOnce(ctx context.Context, p Producer, produceTimeout, timeout time.Duration) error {
	r := &router{produceTimeout: produceTimeout, clusters: func(string) (ClusterConn, error) {
		return ClusterConn{Producer: p}, nil
	}}
	_, err := r.Send(ctx, Message{
		To:     Destination{Topic: "orders", URL: "http://kurier/default/orders"},
		Record: &sarama.ProducerMessage{Topic: "orders"}, Timeout: timeout,
	})
	return err
}

// A produce attempt that Kafka does not answer fails after the shorter of the attempt's
// timeout and the produce timeout, and is tried again.
func TestProduceAttemptTimeout(t *testing.T) {
	silent := produceFunc(func(ctx context.Context, _ *sarama.ProducerMessage) error {
		<-ctx.Done()
		return ctx.Err()
	})
	for _, c := range []struct{ produce, attempt, want time.Duration }{
		{30 * time.Second, 5 * time.Second, 5 * time.Second},
		{5 * time.Second, 30 * time.Second, 5 * time.Second},
		{30 * time.Second, 0, 30 * time.Second}, // 0: the default of ten minutes
	} {
		t.Run(fmt.Sprint(c.produce, " ", c.attempt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := produceOnce(t.Context(), silent, c.produce, c.attempt)
				if took := time.Since(began); took != c.want {
					t.Errorf("failed after %v, want %v", took, c.want)
				}
				var failed *AttemptError
				if !errors.As(err, &failed) || failed.Reason != ReasonTimeout || !Retryable(err) {
					t.Errorf("got %#v, want a timeout that is tried again", err)
				}
				if want := fmt.Sprintf("topic %q: Kafka did not acknowledge the record within %v", "orders", c.want); !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			})
		})
	}
}

// What Kafka says decides whether an attempt is made again; the end of the caller is no
// attempt.
func TestProduceAttemptErrors(t *testing.T) {
	refuse := func(err error) Producer {
		return produceFunc(func(context.Context, *sarama.ProducerMessage) error { return err })
	}
	for name, c := range map[string]struct {
		err    error
		reason Reason
		again  bool
	}{
		"too large":   {sarama.ErrMessageSizeTooLarge, ReasonReplyTooLarge, false},
		"no replicas": {sarama.ErrNotEnoughReplicas, ReasonConnection, true},
		"unknown":     {errors.New("broken pipe"), ReasonConnection, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := produceOnce(t.Context(), refuse(c.err), time.Second, time.Second)
			var failed *AttemptError
			if !errors.As(err, &failed) || failed.Reason != c.reason || Retryable(err) != c.again || !errors.Is(err, c.err) {
				t.Errorf("got %v, want reason %v, tried again %v", err, c.reason, c.again)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failed *AttemptError
	if err := produceOnce(ctx, refuse(context.Canceled), time.Second, time.Second); !errors.Is(err, context.Canceled) || errors.As(err, &failed) {
		t.Errorf("got %v, want the caller's end and no failed attempt", err)
	}
}
