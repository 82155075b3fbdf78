package compose

import (
	"testing"

	"kurier.dev/kurier/test/box"
	"kurier.dev/kurier/test/harness"
)

// TestKafkaAlone: the service kafka starts from nothing but its variables, answers inside
// and on the host's port, and keeps its data across a restart.
func TestKafkaAlone(t *testing.T) {
	needBoxes(t)
	p := project(t)
	s := &stack{project: p, network: box.NewNetwork(t), images: map[string]*image{},
		volumes: map[string]string{"kafka-data": t.TempDir()}, boxes: map[string]*container{}}
	s.images["kafka"] = s.kafka(t, p.Services["kafka"])
	kafka := s.create(t, "kafka", "kafka-1")
	s.start(t, kafka)
	s.healthy(t, kafka)
	conn, err := s.network.Dial(t.Context(), "tcp", "localhost:29092")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	s.stop(t, kafka)
	s.start(t, kafka)
	s.healthy(t, kafka)
	if lines := kafka.output.Lines("ERROR"); len(lines) > 0 {
		t.Errorf("Kafka complains: %s", harness.Join(lines))
	}
}
