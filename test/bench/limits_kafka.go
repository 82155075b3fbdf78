package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"kurier.dev/kurier/internal/kafka/embedded" //nolint:depguard // a Kafka for the bench where there is no Java
)

// clientSettings are what Kafka's client runs with when it stands alone: nothing but what
// the promise of a 202 demands of a producer, and the client's own defaults for the rest.
// Its own metrics are off, as in Kurier.
func clientSettings() *sarama.Config {
	metrics.UseNilMetrics = true
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Full = false
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Producer.MaxMessageBytes = 1_043_000 // a whole batch within Kafka's default of 1,048,588
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	return c
}

// produceConfig describes what is produced.
type produceConfig struct {
	Brokers  []string
	Topic    string
	Size     int   // of the data, in bytes
	InFlight int   // records that wait for their acknowledgement at once
	Count    int64 // records in all; 0: no end
	Keys     int   // different keys; 0: none
}

// beginProduce is the limit of storing: Kafka's client alone, with as many records under
// way as a server has requests. Each acknowledgement sends the next record.
func beginProduce(c produceConfig) (func() report, error) {
	settings := clientSettings()
	// All may come back before the first of them is looked at.
	settings.ChannelBufferSize = max(settings.ChannelBufferSize, c.InFlight+64)
	producer, err := sarama.NewAsyncProducer(c.Brokers, settings)
	if err != nil {
		return nil, err
	}
	t := &tally{}
	data := payload(c.Size)
	var number int64
	send := func() bool {
		if c.Count > 0 && number == c.Count {
			return false
		}
		key := ""
		if c.Keys > 0 {
			key = fmt.Sprintf("key-%d", number%int64(c.Keys))
		}
		rec := record(c.Topic, key, number, data)
		rec.Metadata = time.Now()
		number++
		producer.Input() <- rec
		return true
	}
	go func() {
		for failure := range producer.Errors() {
			t.fail(failure.Err.Error())
		}
	}()
	go func() {
		open := 0
		for range c.InFlight {
			if send() {
				open++
			}
		}
		for open > 0 {
			rec := <-producer.Successes()
			t.done(time.Since(rec.Metadata.(time.Time)))
			t.bytes.Add(int64(c.Size))
			if !send() {
				open--
			}
		}
		t.finished.Store(true)
	}()
	return t.report, nil
}

// consumeConfig describes what is consumed.
type consumeConfig struct {
	Brokers []string
	Topic   string
	Group   string
	Groups  int   // separate groups that each read all; 0 means 1
	Count   int64 // records of all groups together, after which nothing more comes
}

// beginConsume is the limit of fetching: consumer groups of Kafka's client that count and
// mark what they read.
func beginConsume(c consumeConfig) (func() report, error) {
	t := &tally{}
	for i := range max(c.Groups, 1) {
		settings := clientSettings()
		settings.Consumer.Return.Errors = false
		group, err := sarama.NewConsumerGroup(c.Brokers, fmt.Sprintf("%s-%d", c.Group, i), settings)
		if err != nil {
			return nil, err
		}
		go func() {
			for {
				if err := group.Consume(context.Background(), []string{c.Topic}, reader{t, c.Count}); err != nil {
					t.fail(err.Error())
					return
				}
			}
		}()
	}
	return t.report, nil
}

// reader counts records, and knows when it has them all.
type reader struct {
	*tally
	all int64
}

func (reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for rec := range claim.Messages() {
		if r.count.Add(1) >= r.all {
			r.finished.Store(true)
		}
		session.MarkMessage(rec, "")
	}
	return nil
}

// embeddedConfig tells where the embedded broker keeps its data.
type embeddedConfig struct {
	Dir  string
	Port int
}

// beginEmbedded is Kafka where there is no Java.
func beginEmbedded(c embeddedConfig) (func() report, error) {
	broker, err := embedded.Start(embedded.Options{DataDir: c.Dir, Port: c.Port})
	if err != nil {
		return nil, err
	}
	return func() report { return report{Address: broker.Brokers()[0]} }, nil
}
