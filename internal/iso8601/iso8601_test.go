package iso8601

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"kurier.dev/kurier/test/altered"
	"kurier.dev/kurier/test/mutate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestParseDL9 is the table of DL-9, and the edges of its grammar.
func TestParseDL9(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
	}{
		{"PT0.2S", 200 * time.Millisecond},
		{"PT0.25S", 250 * time.Millisecond},
		{"PT1.55S", 1550 * time.Millisecond},
		{"PT0.05S", 50 * time.Millisecond},
		{"P0", 0},
		{"PT0S", 0},
		{"+PT1S", time.Second},
		{"P1D", 24 * time.Hour},
		{"P1W", 168 * time.Hour},
		{"P1M", 730*time.Hour + 29*time.Minute + 6*time.Second},
		{"P1Y", 8765*time.Hour + 49*time.Minute + 12*time.Second},
		{"PT1,5S", 1500 * time.Millisecond},
		{"PT1H30.5M", time.Hour + 30*time.Minute + 30*time.Second},
		{"PT1000000S", 277*time.Hour + 46*time.Minute + 40*time.Second},
		{"PT168H", 168 * time.Hour},

		{"+P0", 0},
		{"P0D", 0},
		{"PT0.000000001S", 1},
		{"PT0.0000000019S", 1},
		{"PT0.1M", 6 * time.Second},
		{"PT0.000000000016666666666666666667M", 1},
		{"P0.5Y", 15778476 * time.Second},
		{"P1Y1M1W1DT1H1M1.5S", year + month + week + day + time.Hour + time.Minute + 1500*time.Millisecond},
		{"PT0000000000000000000000000000000001S", time.Second},
		{"PT9223372036.854775807S", math.MaxInt64},
		{"PT9223372036.8547758079S", math.MaxInt64},
	} {
		t.Run("DL-9/"+c.in, func(t *testing.T) {
			got, err := Parse(c.in)
			if want := altered.Want(c.want); err != nil || got != want {
				t.Errorf("Parse(%q) = %v, %v; want %v", c.in, got, err, want)
			}
		})
	}
}

func TestParseDL9Refused(t *testing.T) {
	for _, in := range []string{
		"", "-PT1S", "PT-1S", "P", "PT", "5s", "p1d", "PT1s", " PT1S", "1985-04-12T23:20:50.52Z",
		"PT1S ", "-P0", "+", "++PT1S", "P1", "PT1", "P1S", "P1H", "PT1D", "PT1W", "P1YT", "P1DT", "PTT1S",
		"P1D1W", "PT1S1M", "PT1S1S", "P1.5DT1S", "PT1.5H30M", "PT1.S", "PT.5S", "PT1.5.5S", "PT1e3S", "PT+1S", "P+1D",
		"PT1_0S", "PT\u0661S", "P0T", "PT1S\x00", "invalid time",
		"PT9223372036.854775808S", "P1000Y", "P99999999999999999999999999Y", "PT9223372036S1S", "PT9223372036.9S",
	} {
		name := in
		switch in {
		case "":
			name = "empty"
		case " PT1S":
			name = "with a space"
		}
		t.Run("DL-9/"+name, func(t *testing.T) {
			got, err := Parse(in)
			var e *Error
			if got != 0 || !errors.As(err, &e) || e.Input != altered.Want(in) {
				t.Errorf("Parse(%q) = %v, %v; want an *Error that holds the input", in, got, err)
			}
		})
	}
}

func TestParseSaysWhatToWrite(t *testing.T) {
	for in, want := range map[string]string{
		"30s":     "use ISO 8601, for example PT30S",
		"5s":      "5s is PT5S",
		"1h30m":   "1h30m is PT1H30M",
		"-5s":     Hint,
		"":        Hint,
		"30":      Hint,
		"p1d":     "it must be in upper case: P1D",
		"PT1s":    "it must be in upper case: PT1S",
		"-PT1S":   "negative durations are not allowed",
		"P1000Y":  "longer than 2^63-1 ns",
		"PT1.5H1": "only the last component may have a fraction",
		"P":       "is missing",
		"PT1":     "no unit",
		"PT1.S":   "behind the decimal sign",
		"P1H":     `"H" is not expected`,
		"PTT1S":   "T stands twice",
		"PTxS":    "a digit is expected",
	} {
		_, err := Parse(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) says %v, want it to contain %q", in, err, want)
		}
	}
}

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "PT0S",
		1:                        "PT0.000000001S",
		30 * time.Second:         "PT30S",
		200 * time.Millisecond:   "PT0.2S",
		90 * time.Second:         "PT1M30S",
		24 * time.Hour:           "PT24H",
		10 * time.Minute:         "PT10M",
		-1500 * time.Microsecond: "-PT0.0015S",
		math.MaxInt64:            "PT2562047H47M16.854775807S",
		math.MinInt64:            "-PT2562047H47M16.854775808S",
	} {
		if got := Format(d); got != want {
			t.Errorf("Format(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestFormatThenParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Min(0).Draw(t, "d"))
		if got, err := Parse(Format(d)); err != nil || got != d {
			t.Fatalf("Parse(Format(%d)) = %d, %v", d, got, err)
		}
	})
}

// FuzzParse: no input panics, no result is negative, and what is accepted
// survives a round through Format.
func FuzzParse(f *testing.F) {
	seeds := []string{"PT0.2S", "P1Y2M3W4DT5H6M7,8S", "P0", "+PT1S", "-PT1S", "5s", "P", "PT9223372036.854775808S"}
	for _, s := range seeds {
		f.Add(s)
	}
	mutate.More(f, seeds, func(s string) { f.Add(s) })
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			if d != 0 {
				t.Fatalf("Parse(%q) = %v beside the error %v", s, d, err)
			}
			return
		}
		if d < 0 {
			t.Fatalf("Parse(%q) = %v", s, d)
		}
		if again, err := Parse(Format(d)); err != nil || again != d {
			t.Fatalf("Parse(%q) = %v, but Format gives %q, which is %v, %v", s, d, Format(d), again, err)
		}
	})
}
