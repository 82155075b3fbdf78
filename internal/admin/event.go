package admin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
)

// TypeForeignRecord is the event type under which a tail shows a record that
// is no CloudEvent.
const TypeForeignRecord = "dev.kurier.record.foreign"

// Position is a record's place in Kafka.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is the form topic/partition/offset.
func (p Position) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// ForeignRecord shows a record that is no CloudEvent as one: its value as
// binary data, why it is none in the extension kurierreason.
func ForeignRecord(at Position, reason string, value []byte) Event {
	envelope := map[string]string{
		"specversion":           "1.0",
		"type":                  TypeForeignRecord,
		"source":                "/kafka/" + at.Topic,
		"id":                    at.String(),
		"kurierreason":          reason,
		"knativekafkapartition": strconv.Itoa(int(at.Partition)),
		"knativekafkaoffset":    strconv.FormatInt(at.Offset, 10),
	}
	if len(value) > 0 {
		envelope["datacontenttype"] = "application/octet-stream"
		envelope["data_base64"] = base64.StdEncoding.EncodeToString(value)
	}
	encoded, err := json.Marshal(envelope)
	if err != nil { // strings always marshal
		panic(err)
	}
	return Event{CloudEvent: encoded}
}
