package chaos

import (
	"encoding/gob"
	"fmt"
	"os"
	"time"

	"kurier.dev/kurier/offsets"
)

// EnvKeep names a file that a run's History is written to, for a later look.
const EnvKeep = "KURIER_CHAOS_KEEP"

// kept is a History as it stands in a file.
type kept struct {
	Triggers    []Trigger
	Topics      []offsets.TopicHash
	Events      []Event
	Requests    []Request
	Commits     []Commit
	Assignments []Assignment
	Lefts       []Left
	Faults      []Fault
	Buried      []map[int]int
	Length      time.Duration
}

// Keep writes a History that nobody records in any more.
func (h *History) Keep(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	defer f.Close()
	if err := gob.NewEncoder(f).Encode(kept{
		h.Triggers, h.Topics, h.Events, h.Requests, h.Commits, h.Assignments, h.Lefts, h.Faults, h.Buried, h.Now(),
	}); err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	return nil
}

// Recall reads a History that Keep has written.
func Recall(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recall a history: %w", err)
	}
	defer f.Close()
	var k kept
	if err := gob.NewDecoder(f).Decode(&k); err != nil {
		return nil, fmt.Errorf("recall a history: %w", err)
	}
	h := NewHistory()
	h.began = time.Now().Add(-k.Length)
	h.Triggers, h.Topics, h.Events, h.Requests, h.Commits = k.Triggers, k.Topics, k.Events, k.Requests, k.Commits
	h.Assignments, h.Lefts, h.Faults, h.Buried = k.Assignments, k.Lefts, k.Faults, k.Buried
	return h, nil
}
