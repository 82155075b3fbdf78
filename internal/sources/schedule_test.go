package sources

import (
	"strings"
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestVA24Schedules(t *testing.T) {
	for _, tc := range []struct{ expr, zone, after, want string }{
		{"", "", "2026-03-01T10:00:30Z", "2026-03-01T10:01:00Z"},
		{"*/2 * * * *", "", "2026-03-01T10:00:30Z", "2026-03-01T10:02:00Z"},
		{"0/5 * * * * *", "", "2026-03-01T10:00:31Z", "2026-03-01T10:00:35Z"},
		{"10 0/5 * * * ?", "", "2026-03-01T10:00:31Z", "2026-03-01T10:05:10Z"},
		{"@hourly", "", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"},
		{"0 9 * * 1-5", "Europe/Paris", "2026-03-27T12:00:00Z", "2026-03-30T07:00:00Z"}, // summer time began
		{"0 9 * * *", "Europe/Paris", "2026-03-01T00:00:00Z", "2026-03-01T08:00:00Z"},
		{"0 9 * * *", "", "2026-03-01T00:00:00Z", "2026-03-01T09:00:00Z"},
	} {
		s, err := parseSchedule(tc.expr, tc.zone)
		if err != nil {
			t.Errorf("%q %q: %v", tc.expr, tc.zone, err)
			continue
		}
		if got := s.next(at(t, tc.after)); !got.Equal(at(t, tc.want)) {
			t.Errorf("%q %q after %s: %s, want %s", tc.expr, tc.zone, tc.after, got.UTC(), tc.want)
		}
	}
}

func TestVA24BadSchedules(t *testing.T) {
	for _, tc := range []struct{ expr, zone, want string }{
		{"2", "", "expected 5 to 6 fields, found 1"},
		{"@every 2h", "", "unsupported descriptor @every"},
		{"@every 2h", "Europe/Paris", "unsupported descriptor @every"},
		{"* * * * *", "Knative/Land", "unknown time zone Knative/Land"},
		{"61 * * * *", "", "61"},
	} {
		if err := CheckSchedule(tc.expr, tc.zone); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q %q: %v, want …%s…", tc.expr, tc.zone, err, tc.want)
		}
	}
}

func TestDue(t *testing.T) {
	p := newPlan()
	pings := []Ping{{Namespace: "n", Name: "minute"}, {Namespace: "n", Name: "second", Schedule: "* * * * * *"}}
	if err := p.set(pings, at(t, "2026-03-01T00:00:00Z")); err != nil {
		t.Fatal(err)
	}
	minute, _ := p.of(key{"n", "minute"})
	second, _ := p.of(key{"n", "second"})
	for _, tc := range []struct {
		name, after, now string
		want             []string
	}{
		{"nothing yet", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", nil},
		{"one", "2026-03-01T10:00:00Z", "2026-03-01T10:00:01Z", []string{"second 10:00:01"}},
		{"both", "2026-03-01T10:00:58Z", "2026-03-01T10:01:00Z", []string{"minute 10:01:00", "second 10:01:00"}},
		{"the last of several", "2026-03-01T10:00:01Z", "2026-03-01T10:00:09Z", []string{"second 10:00:09"}},
		{"missed and still good", "2026-03-01T09:00:00Z", "2026-03-01T10:00:11Z", []string{"minute 10:00:00", "second 10:00:11"}},
		{"missed and too old", "2026-03-01T09:00:00Z", "2026-03-01T10:00:13Z", []string{"second 10:00:13"}},
		{"taken by another owner", "2026-03-01T10:00:05Z", "2026-03-01T10:00:03Z", nil},
	} {
		var got []string
		for _, e := range []*entry{minute, second} {
			if tick, ok := e.due(at(t, tc.after), at(t, tc.now), 12*time.Second); ok {
				got = append(got, e.ping.Name+" "+tick.UTC().Format("15:04:05"))
			}
		}
		if strings.Join(got, ",") != strings.Join(tc.want, ",") {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestApplyKeepsWhatDidNotChange(t *testing.T) {
	p := newPlan()
	start := at(t, "2026-03-01T10:00:00Z")
	one, two := Ping{Namespace: "n", Name: "one"}, Ping{Namespace: "n", Name: "two"}
	if err := p.set([]Ping{one, two}, start); err != nil {
		t.Fatal(err)
	}
	before, changed := p.current()
	two.Data = []byte("new")
	later := Ping{Namespace: "n", Name: "later"}
	err := p.set([]Ping{one, two, later, {Namespace: "n", Name: "bad", Schedule: "x"}}, start.Add(time.Hour))
	if err == nil || !strings.Contains(err.Error(), "PingSource n/bad: ") {
		t.Errorf("a bad schedule: %v", err)
	}
	select {
	case <-changed:
	default:
		t.Error("the change is not announced")
	}
	after, _ := p.current()
	if len(after) != 3 || after[one.key()] != before[one.key()] {
		t.Fatalf("entries %v", after)
	}
	if e := after[two.key()]; !e.since.IsZero() || string(e.ping.Data) != "new" {
		t.Error("new data moved the start of an old schedule")
	}
	if !after[later.key()].since.Equal(start.Add(time.Hour)) {
		t.Error("a new source takes ticks from before it existed")
	}
}
