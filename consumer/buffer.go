package consumer

// Buffer bounds the memory of unsettled records of all consumers of a process.
type Buffer struct {
	limit int64
}

// NewBuffer makes a Buffer for that many bytes.
func NewBuffer(bytes int64) *Buffer { return &Buffer{limit: bytes} }
