package event

import (
	"iter"

	"github.com/IBM/sarama"
)

// Mode is how an HTTP message carries its event.
type Mode int

const (
	Binary Mode = iota
	Structured
	Batch
)

func ModeOf(contentType string, headers HeaderSeq) (Mode, error) { panic("todo") }

type UnsupportedError struct{ ContentType string }

func (e *UnsupportedError) Error() string { return "" }

type InvalidError struct{ Name, Value, Reason string }

func (e *InvalidError) Error() string { return "" }

type NotCloudEventError struct{ Err error }

func (e *NotCloudEventError) Error() string { return "" }

func (m *Message) Validate() error                                { panic("todo") }
func FromBinary(headers HeaderSeq, body []byte) (*Message, error) { panic("todo") }
func FromStructured(body []byte) (*Message, error)                { panic("todo") }
func FromBatch(body []byte) ([]*Message, error)                   { panic("todo") }
func PassThrough(headers HeaderSeq) []Header                      { panic("todo") }
func (m *Message) BinaryHeaders() iter.Seq2[string, string]       { panic("todo") }
func (m *Message) Structured() ([]byte, error)                    { panic("todo") }
func DecodeValue(s string) (string, error)                        { panic("todo") }
func EncodeValue(s string) string                                 { panic("todo") }
func (m *Message) Record(topic string, structured bool) (*sarama.ProducerMessage, error) {
	panic("todo")
}
func FromRecord(rec *sarama.ConsumerMessage) (*Message, error) { panic("todo") }
func RecordSize(rec *sarama.ProducerMessage) int               { panic("todo") }

type ReplyKind int

const (
	ReplyNone ReplyKind = iota
	ReplyEvent
	ReplyOther
	ReplyMalformed
)

func FromResponse(headers HeaderSeq, body []byte, strict bool) (reply *Message, kind ReplyKind, err error) {
	panic("todo")
}
