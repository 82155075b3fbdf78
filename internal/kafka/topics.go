package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

const (
	// topicsPerRequest bounds the topics that one request names.
	topicsPerRequest = 200
	// settleTime is how long a topic may take until all its partitions have a
	// leader, after it was created or while it is being deleted.
	settleTime = 15 * time.Second
	settleWait = 100 * time.Millisecond
)

// EnsureTopic is EnsureTopics for one topic.
func (c *Cluster) EnsureTopic(ctx context.Context, spec TopicSpec) (TopicInfo, error) {
	result := c.EnsureTopics(ctx, []TopicSpec{spec})[spec.Name]
	return result.Info, result.Err
}

// EnsureTopics creates the topics that are missing and may be created, checks
// the others, and says of each what Kafka has or why it cannot be used. A
// thousand topics cost a few requests. Names must differ. The results have
// every name; errors are *TopicError, the context's or ErrClosed.
func (c *Cluster) EnsureTopics(ctx context.Context, specs []TopicSpec) map[string]TopicResult {
	results := make(map[string]TopicResult, len(specs))
	for len(specs) > 0 {
		n := min(len(specs), topicsPerRequest)
		batch := specs[:n]
		specs = specs[n:]
		answers, err := ask(ctx, c, func(a *adminConn) (map[string]TopicResult, error) {
			return (&topicWork{conn: a, ctx: c.ctx}).run(batch)
		})
		for _, spec := range batch {
			result, ok := answers[spec.Name]
			if !ok {
				result.Err = c.cannotAsk(ctx, spec.Name, err)
			} else if result.Err == nil {
				c.producer.gate(spec.Name).admit(result.Info.MaxMessageBytes)
			}
			results[spec.Name] = result
		}
	}
	return results
}

func (c *Cluster) cannotAsk(ctx context.Context, topic string, err error) error {
	if ctx.Err() != nil || errors.Is(err, ErrClosed) {
		return err
	}
	return topicErrorf(topic, ReasonKafkaUnreachable, err,
		"topic %s cannot be checked: Kafka at %s: %s", topic, c.address(), Describe(err))
}

// topicWork brings one batch of topics to their end, in rounds: a topic that is
// still being created or deleted is looked at again.
type topicWork struct {
	ctx     context.Context // the cluster's: ends with Close
	conn    *adminConn
	results map[string]TopicResult
	created map[string]bool
}

func (w *topicWork) run(specs []TopicSpec) (map[string]TopicResult, error) {
	w.results, w.created = map[string]TopicResult{}, map[string]bool{}
	deadline := time.Now().Add(settleTime)
	pending := specs
	for {
		var err error
		if pending, err = w.round(pending); err != nil {
			return nil, err
		}
		if len(pending) == 0 || time.Now().After(deadline) {
			break
		}
		select {
		case <-time.After(settleWait):
		case <-w.ctx.Done():
			return nil, ErrClosed
		}
	}
	for _, spec := range pending {
		w.fail(spec, topicErrorf(spec.Name, ReasonTopicNotUsableYet, nil,
			"topic %s is not usable yet: Kafka is still creating or deleting it, or a partition has no leader", spec.Name))
	}
	return w.results, nil
}

// round looks at all topics once and creates what is missing. It returns the
// topics that must be looked at again.
func (w *topicWork) round(specs []TopicSpec) (pending []TopicSpec, err error) {
	topics, err := w.describe(specs)
	if err != nil {
		return nil, err
	}
	var usable, missing []TopicSpec
	for _, spec := range specs {
		topic := topics[spec.Name]
		switch state, answer := stateOf(topic); {
		case state == topicReady:
			w.results[spec.Name] = TopicResult{Info: w.info(spec, topic)}
			usable = append(usable, spec)
		case state == topicPending, state == topicMissing && w.created[spec.Name]:
			pending = append(pending, spec)
		case state == topicMissing && spec.Create:
			missing = append(missing, spec)
		case state == topicMissing:
			w.fail(spec, missingError(spec))
		default:
			w.fail(spec, w.answerError(spec, answer, ""))
		}
	}
	created, err := w.create(missing)
	if err != nil {
		return nil, err
	}
	gone, err := w.readConfigs(usable)
	return slices.Concat(pending, created, gone), err
}

func (w *topicWork) fail(spec TopicSpec, err *TopicError) {
	w.results[spec.Name] = TopicResult{Err: err}
}

// describe asks any broker; the request creates nothing.
func (w *topicWork) describe(specs []TopicSpec) (map[string]*sarama.TopicMetadata, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	topics := make(map[string]*sarama.TopicMetadata, len(specs))
	err := w.conn.anyBroker(func(b *sarama.Broker) error {
		req := sarama.NewMetadataRequest(w.conn.client.Config().Version, names)
		req.AllowAutoTopicCreation = false
		resp, err := b.GetMetadata(req)
		if err != nil {
			return err
		}
		for _, topic := range resp.Topics {
			topics[topic.Name] = topic
		}
		return nil
	})
	return topics, err
}

type topicState int

const (
	topicReady   topicState = iota
	topicPending            // exists, but a partition has no leader yet
	topicMissing
	topicRefused // Kafka's answer says why
)

func stateOf(topic *sarama.TopicMetadata) (topicState, sarama.KError) {
	if topic == nil {
		return topicMissing, sarama.ErrUnknownTopicOrPartition
	}
	switch topic.Err {
	case sarama.ErrNoError:
	case sarama.ErrUnknownTopicOrPartition:
		return topicMissing, topic.Err
	case sarama.ErrLeaderNotAvailable:
		return topicPending, topic.Err
	default:
		return topicRefused, topic.Err
	}
	for _, partition := range topic.Partitions {
		if partition.Leader < 0 {
			return topicPending, partition.Err
		}
	}
	if len(topic.Partitions) == 0 {
		return topicPending, topic.Err
	}
	return topicReady, topic.Err
}

// create asks the controller for all topics at once and returns those that
// exist then, or soon.
func (w *topicWork) create(specs []TopicSpec) (created []TopicSpec, err error) {
	if len(specs) == 0 {
		return nil, nil
	}
	details := make(map[string]*sarama.TopicDetail, len(specs))
	for _, spec := range specs {
		details[spec.Name] = detailOf(spec)
	}
	cfg := w.conn.client.Config()
	controller, err := w.conn.Controller()
	if err != nil {
		return nil, err
	}
	resp, err := controller.CreateTopics(sarama.NewCreateTopicsRequest(cfg.Version, details, cfg.Admin.Timeout, false))
	if err != nil {
		_ = controller.Close()
		_, refreshErr := w.conn.client.RefreshController()
		return specs, refreshErr // next round, unless nobody answers
	}
	for _, spec := range specs {
		answer, ok := resp.TopicErrors[spec.Name]
		switch {
		case !ok, answer.Err == sarama.ErrNotController, temporary(answer.Err):
			created = append(created, spec)
		case answer.Err == sarama.ErrNoError:
			w.created[spec.Name] = true
			created = append(created, spec)
		default:
			w.fail(spec, w.answerError(spec, answer.Err, deref(answer.ErrMsg)))
		}
		if ok && answer.Err == sarama.ErrNotController {
			_, _ = w.conn.client.RefreshController()
		}
	}
	return created, nil
}

// temporary reports whether a topic that was refused with this answer may exist
// a moment later. "Already exists" is the answer while a topic is being
// deleted, and when another process was faster.
func temporary(answer sarama.KError) bool {
	switch answer {
	case sarama.ErrTopicAlreadyExists, sarama.ErrRequestTimedOut, sarama.ErrLeaderNotAvailable, sarama.ErrThrottlingQuotaExceeded:
		return true
	default:
		return false
	}
}

func detailOf(spec TopicSpec) *sarama.TopicDetail {
	detail := &sarama.TopicDetail{NumPartitions: spec.Partitions, ReplicationFactor: spec.Replication}
	if spec.Partitions == 0 {
		detail.NumPartitions = -1
	}
	if spec.Replication == 0 {
		detail.ReplicationFactor = -1
	}
	if len(spec.Config) > 0 {
		detail.ConfigEntries = make(map[string]*string, len(spec.Config))
		for name, value := range spec.Config {
			detail.ConfigEntries[name] = &value
		}
	}
	return detail
}

func (w *topicWork) info(spec TopicSpec, topic *sarama.TopicMetadata) TopicInfo {
	info := TopicInfo{Partitions: int32(len(topic.Partitions)), ID: topic.Uuid, Created: w.created[spec.Name]}
	for _, partition := range topic.Partitions {
		if n := int16(len(partition.Replicas)); info.Replication == 0 || n < info.Replication {
			info.Replication = n
		}
	}
	info.Warning = warning(spec, info)
	return info
}

// readConfigs adds what the topics' properties say; a client that may not read
// them does without. It returns the topics that do not exist: a broker goes on
// listing a topic for a moment after it was deleted.
func (w *topicWork) readConfigs(specs []TopicSpec) (gone []TopicSpec, err error) {
	resources := make([]*sarama.ConfigResource, len(specs))
	for i, spec := range specs {
		resources[i] = &sarama.ConfigResource{
			Type: sarama.TopicResource, Name: spec.Name, ConfigNames: []string{"max.message.bytes", "retention.ms"},
		}
	}
	answers, err := w.conn.DescribeConfigs(resources, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, err
	}
	byName := make(map[string]*sarama.ConfigResourceResult, len(answers))
	for _, answer := range answers {
		byName[answer.Name] = answer
	}
	for _, spec := range specs {
		answer := byName[spec.Name]
		switch {
		case answer == nil:
		case answer.ErrorCode == sarama.ErrUnknownTopicOrPartition:
			delete(w.results, spec.Name)
			w.created[spec.Name] = false
			gone = append(gone, spec)
		case answer.ErrorCode == sarama.ErrNoError:
			result := w.results[spec.Name]
			result.Info.setConfigs(answer.Configs)
			w.results[spec.Name] = result
		}
	}
	return gone, nil
}

func (i *TopicInfo) setConfigs(entries []sarama.ConfigEntry) {
	for _, entry := range entries {
		value, err := strconv.ParseInt(entry.Value, 10, 64)
		switch {
		case err != nil:
		case entry.Name == "max.message.bytes":
			i.MaxMessageBytes = int(value)
		case entry.Name == "retention.ms":
			i.Retention = milliseconds(value)
		}
	}
}

// milliseconds turns a property's value into a duration; negative and too large
// mean unlimited.
func milliseconds(ms int64) time.Duration {
	if ms < 0 || ms > int64(1<<63-1)/int64(time.Millisecond) {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
