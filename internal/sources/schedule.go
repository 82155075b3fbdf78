package sources

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// defaultSchedule is a PingSource's when it names none.
const defaultSchedule = "* * * * *"

var errEvery = errors.New("unsupported descriptor @every")

// schedule is one cron expression in one time zone.
type schedule struct {
	cron cron.Schedule
	zone *time.Location
}

// parseSchedule reads five fields, six with leading seconds, or a descriptor
// such as @hourly. An empty zone is UTC.
func parseSchedule(expr, zone string) (schedule, error) {
	if expr == "" {
		expr = defaultSchedule
	}
	if strings.HasPrefix(expr, "@every") {
		return schedule{}, errEvery
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return schedule{}, fmt.Errorf("time zone %q: %w", zone, err)
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(expr)
	if err != nil {
		return schedule{}, fmt.Errorf("schedule %q: %w", expr, err)
	}
	return schedule{cron: parsed, zone: location}, nil
}

// next returns the first tick after t; zero when there is none within the next
// five years.
func (s schedule) next(t time.Time) time.Time { return s.cron.Next(t.In(s.zone)) }

// last returns the last tick in (after, until]; ok is false when there is none.
func (s schedule) last(after, until time.Time) (tick time.Time, ok bool) {
	for next := s.next(after); !next.IsZero() && !next.After(until); next = s.next(next) {
		tick, ok = next, true
	}
	return tick, ok
}

// CheckSchedule says what is wrong with a schedule and its time zone, or
// returns nil.
func CheckSchedule(expr, zone string) error {
	_, err := parseSchedule(expr, zone)
	return err
}
