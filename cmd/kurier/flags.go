package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kurier.dev/kurier/internal/iso8601"
)

// durationFlag is a flag that takes an ISO 8601 duration.
type durationFlag time.Duration

func (d *durationFlag) Type() string { return "duration" }

// String is empty for no duration, so that help shows no default.
func (d *durationFlag) String() string {
	if *d == 0 {
		return ""
	}
	return iso8601.Format(time.Duration(*d))
}

func (d *durationFlag) Set(text string) error {
	parsed, err := iso8601.Parse(text)
	if err != nil {
		return err
	}
	*d = durationFlag(parsed)
	return nil
}

// choiceFlag is a flag that takes one of a few words.
type choiceFlag struct {
	value   string
	allowed []string
}

func (f *choiceFlag) String() string { return f.value }
func (f *choiceFlag) Type() string   { return strings.Join(f.allowed, "|") }

func (f *choiceFlag) Set(text string) error {
	if !slices.Contains(f.allowed, text) {
		return fmt.Errorf("allowed: %s", strings.Join(f.allowed, ", "))
	}
	f.value = text
	return nil
}
