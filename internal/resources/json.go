package resources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds how deep JSON may be nested, as the YAML parser does by
// itself.
const maxDepth = 1000

// parseJSON reads every value of a file, one after the other.
func parseJSON(data []byte) (documents []document, broken []fault) {
	reader := jsonReader{decoder: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	reader.decoder.UseNumber()
	for {
		root, err := reader.next("", 0)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return documents, []fault{reader.broken(err)}
		}
		documents = append(documents, document{root: root, faults: reader.faults})
		reader.faults = nil
	}
}

// jsonReader reads tokens and keeps count of the lines.
type jsonReader struct {
	decoder *json.Decoder
	data    []byte
	counted int64 // bytes whose lines are counted
	line    int
	faults  []fault
}

func (r *jsonReader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	r.count(r.decoder.InputOffset())
	return token, err
}

func (r *jsonReader) count(offset int64) {
	offset = min(offset, int64(len(r.data)))
	if offset > r.counted {
		r.line += bytes.Count(r.data[r.counted:offset], []byte("\n"))
		r.counted = offset
	}
}

// broken words an error of the decoder.
func (r *jsonReader) broken(err error) fault {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		r.count(syntax.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		r.count(int64(len(r.data)))
		err = errors.New("the file ends too early")
	}
	return fault{line: r.line, message: "broken JSON", details: strings.TrimPrefix(err.Error(), "json: ")}
}

// next reads one value; io.EOF only where a document could begin.
func (r *jsonReader) next(path string, depth int) (*node, error) {
	token, err := r.token()
	if errors.Is(err, io.EOF) && depth > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	line := r.line
	switch value := token.(type) {
	case json.Delim:
		if value == '{' {
			return r.object(path, depth, line)
		}
		return r.array(path, depth, line)
	case string:
		return &node{line: line, text: value}, nil
	case bool:
		return &node{line: line, scalar: boolScalar, text: fmt.Sprint(value)}, nil
	case json.Number:
		n := &node{line: line, scalar: intScalar, text: value.String()}
		if strings.ContainsAny(n.text, ".eE") {
			n.scalar = floatScalar
		}
		return n, nil
	}
	return nil, nil
}

func (r *jsonReader) object(path string, depth, line int) (*node, error) {
	m := &node{kind: mapNode, line: line}
	seen := newNames(0)
	for r.decoder.More() {
		token, err := r.token()
		if err != nil {
			return nil, err
		}
		name, line := fmt.Sprint(token), r.line
		inner := join(path, name)
		value, err := r.next(inner, depth+1)
		if err != nil {
			return nil, err
		}
		if first, again := seen.add(name, line); again {
			r.faults = append(r.faults, duplicate(inner, line, first))
			continue
		}
		m.entries = append(m.entries, entry{name: name, line: line, value: value})
	}
	return m, r.end()
}

func (r *jsonReader) array(path string, depth, line int) (*node, error) {
	list := &node{kind: listNode, line: line}
	for r.decoder.More() {
		item, err := r.next(fmt.Sprintf("%s[%d]", path, len(list.items)), depth+1)
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, item)
	}
	return list, r.end()
}

// end reads the closing bracket.
func (r *jsonReader) end() error {
	_, err := r.token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
