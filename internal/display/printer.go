package display

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// colours are the terminal colours of labels, in the order in which labels
// first appear; they are readable on dark and on light grounds.
var colours = []int{36, 33, 35, 32, 34, 91, 96, 93, 95, 92, 94, 31}

// Printer writes whole texts to one writer for any number of displays. What is
// printed with one call is never mixed with another's. Safe for concurrent use.
type Printer struct {
	mu     sync.Mutex
	out    io.Writer
	colour map[string]int // nil: no colours
}

// NewPrinter returns a Printer that owns out. With colour each label has a
// colour of its own; use it for terminals alone.
func NewPrinter(out io.Writer, colour bool) *Printer {
	p := &Printer{out: out}
	if colour {
		p.colour = make(map[string]int)
	}
	return p
}

// Print writes text, each line after "label | " when there is a label, in one
// write. The error is the writer's.
func (p *Printer) Print(label, text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if label != "" {
		text = prefixed(p.prefix(label), text)
	}
	_, err := p.out.Write([]byte(text))
	return err
}

func (p *Printer) prefix(label string) string {
	if p.colour == nil {
		return label + " | "
	}
	colour, known := p.colour[label]
	if !known {
		colour = colours[len(p.colour)%len(colours)]
		p.colour[label] = colour
	}
	return fmt.Sprintf("\x1b[%dm%s |\x1b[0m ", colour, label)
}

// prefixed puts prefix before every line; text ends in a line break.
func prefixed(prefix, text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(prefix + line)
	}
	return lines.String()
}
