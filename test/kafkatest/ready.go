package kafkatest

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// retryEvery is the pause between two looks at a Kafka that is not ready yet.
const retryEvery = 50 * time.Millisecond

// poll calls f until it returns nil, and returns f's last error when ctx or the server ends
// before.
func poll(ctx context.Context, ended <-chan struct{}, f func() error) error {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ended:
			return fmt.Errorf("the server ended by itself: %w", err)
		case <-tick.C:
		}
	}
}

// answers asks one broker for the cluster's metadata and compares the number of brokers.
// franz-go is used so that readiness does not depend on the client under test.
func answers(ctx context.Context, addr string, brokers int) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", addr, err)
	}
	conn.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestRetries(0))
	if err != nil {
		return fmt.Errorf("configure a client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ask %s for metadata: %w", addr, err)
	}
	if len(resp.Brokers) < brokers || resp.ControllerID < 0 {
		return fmt.Errorf("%s knows %d of %d brokers, controller %d", addr, len(resp.Brokers), brokers, resp.ControllerID)
	}
	return nil
}
