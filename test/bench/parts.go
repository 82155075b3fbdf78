package main

import (
	"fmt"
	"slices"
)

// part is one scenario of the table, or a few that share their preparation.
type part struct {
	name, what string
	run        func(*bench) error
	onDemand   bool // runs only when it is named
}

func parts() []part {
	return []part{
		{name: "receive", what: "1 KiB binary events, 64 and 256 connections", run: partReceive},
		{name: "structured", what: "structured events beside binary ones", run: partStructured},
		{name: "batch", what: "batches of 100 beside single events", run: partBatch},
		{name: "latency", what: "one connection", run: partLatency},
		{name: "connections", what: "10,000 connections, 1 % active", run: partConnections},
		{name: "large", what: "events of 64 KiB and 1 MiB", run: partLarge},
	}
}

// choose returns the parts of the given names, or all that need not be asked for.
func choose(names []string) ([]part, error) {
	var chosen []part
	for _, p := range parts() {
		if slices.Contains(names, p.name) || len(names) == 0 && !p.onDemand {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return nil, fmt.Errorf("there is no part %q; -list prints them", name)
		}
	}
	return chosen, nil
}
