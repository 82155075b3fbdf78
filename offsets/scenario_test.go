package offsets

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestScenarios runs the scripts of testdata/scenarios. A line is a command; the
// indented lines below it are what the Tracker then shows, and are compared.
//
//	new 100            a group that committed 100, nothing known beyond it
//	track 100-105 110  fetched records; shows which of them are fresh
//	done 101 103-104   settled
//	attempts 100 3     the offset has had 3 attempts
//	commit             Kafka acknowledged a snapshot
//	crash              a new owner starts from the last commit
//	limit 40           the metadata may be no longer
//	topic 8            the topic's id is another one
//	fits 200           may this offset be started
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := scenario{t: t, k: New(0), topic: 7}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				switch {
				case strings.HasPrefix(line, "  "):
				case line == "" || strings.HasPrefix(line, "#"):
					fmt.Fprintln(&s.out, line)
				default:
					fmt.Fprintln(&s.out, line)
					s.run(strings.Fields(line))
				}
			}
			golden(t, path, s.out.String())
		})
	}
}

type scenario struct {
	t     *testing.T
	k     *Tracker
	topic TopicHash
	last  Position
	out   strings.Builder
}

func (s *scenario) run(words []string) {
	args := s.offsets(words[1:])
	switch words[0] {
	case "new":
		s.k = New(args[0])
		s.k.SetTopic(s.topic)
		s.last = Position{Offset: args[0]}
	case "track":
		var fresh []entry
		for _, o := range args {
			if s.k.Track(o, nil) == Unsettled {
				fresh = append(fresh, entry{offset: o})
			}
		}
		s.say("fresh%s", list(fresh))
	case "done":
		for _, o := range args {
			s.k.Done(o)
		}
	case "attempts":
		s.k.SetAttempts(args[0], int(args[1]))
	case "commit":
		s.last = s.k.Snapshot()
		s.say("commit %d, %d characters, %d dropped", s.last.Offset, len(s.last.Metadata), s.last.Dropped)
	case "crash":
		var err error
		if s.k, err = Decode(s.last.Offset, s.last.Metadata, s.topic); err != nil {
			s.say("%v", err)
		}
		s.say("known to %d", s.k.Known())
	case "limit":
		s.k.SetLimit(int(args[0]))
	case "topic":
		s.topic = TopicHash(args[0])
	case "fits":
		s.say("%v", s.k.Fits(args[0]))
	default:
		s.t.Fatalf("unknown command %q", words)
	}
	var open []entry
	for _, e := range s.k.win[s.k.head:] {
		if !e.done {
			open = append(open, e)
		}
	}
	s.say("frontier %d, next %d, unsettled%s", s.k.Frontier(), s.k.Next(), list(open))
}

func (s *scenario) say(format string, args ...any) { fmt.Fprintf(&s.out, "  "+format+"\n", args...) }

// offsets reads numbers and ranges of them.
func (s *scenario) offsets(words []string) (all []int64) {
	for _, w := range words {
		first, last, ranged := strings.Cut(w, "-")
		if !ranged {
			last = first
		}
		low, err := strconv.ParseInt(first, 10, 64)
		high, err2 := strconv.ParseInt(last, 10, 64)
		if err != nil || err2 != nil {
			s.t.Fatalf("%q is no offset", w)
		}
		for o := low; o <= high; o++ {
			all = append(all, o)
		}
	}
	return all
}

// list writes entries, those in a row as a range.
func list(entries []entry) string {
	if len(entries) == 0 {
		return " none"
	}
	var b strings.Builder
	for i := 0; i < len(entries); {
		j := i + 1
		for j < len(entries) && entries[j].offset == entries[j-1].offset+1 && entries[j].attempts == entries[i].attempts {
			j++
		}
		fmt.Fprintf(&b, " %d", entries[i].offset)
		if j > i+1 {
			fmt.Fprintf(&b, "-%d", entries[j-1].offset)
		}
		if entries[i].attempts > 0 {
			fmt.Fprintf(&b, "x%d", entries[i].attempts)
		}
		i = j
	}
	return b.String()
}
