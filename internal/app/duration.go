package app

import (
	"fmt"
	"strconv"
	"time"

	"kurier.dev/kurier/internal/iso8601"
)

// Duration is a span of time that the environment writes in ISO 8601 (DL-9),
// for example PT30S.
type Duration time.Duration

// Decode reads value for envconfig. A Go-style duration such as 30s is refused
// with the ISO 8601 spelling to use.
func (d *Duration) Decode(value string) error {
	parsed, err := iso8601.Parse(value)
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the ISO 8601 form.
func (d Duration) String() string { return iso8601.Format(time.Duration(d)) }

// Retention is how long a topic keeps its records: an ISO 8601 duration, or -1
// for ever.
type Retention time.Duration

// Forever is the Retention of a topic that never forgets.
const Forever = Retention(-1)

// Decode reads value for envconfig.
func (r *Retention) Decode(value string) error {
	if value == "-1" {
		*r = Forever
		return nil
	}
	parsed, err := iso8601.Parse(value)
	if err != nil {
		return fmt.Errorf("%w, or -1 for unlimited", err)
	}
	*r = Retention(parsed)
	return nil
}

// Milliseconds is the value of Kafka's retention.ms.
func (r Retention) Milliseconds() string {
	if r == Forever {
		return "-1"
	}
	return strconv.FormatInt(time.Duration(r).Milliseconds(), 10)
}

// String is the form that the environment takes.
func (r Retention) String() string {
	if r == Forever {
		return "-1"
	}
	return iso8601.Format(time.Duration(r))
}
