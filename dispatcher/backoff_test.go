package dispatcher

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kurier.dev/kurier/test/altered"
)

func noRand() float64 { return 0 }

func waits(b backoff, d *Delivery, n int) []time.Duration {
	var list []time.Duration
	for k := 1; k <= n; k++ {
		list = append(list, b.before(k, d))
	}
	return list
}

func seconds(list ...float64) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, time.Duration(s*float64(time.Second)))
	}
	return out
}

// DL-12: the table of section 4.6.
func TestBackoffTable(t *testing.T) {
	capped := seconds(2, 4, 8, 16, 32, 64, 128, 256, 512)
	for len(capped) < 40 {
		capped = append(capped, 10*time.Minute)
	}
	for name, c := range map[string]struct {
		delivery Delivery
		want     []time.Duration
	}{
		"linear PT2.5S":        {Delivery{Policy: Linear, Delay: 2500 * time.Millisecond}, seconds(2.5, 5, 7.5, 10, 12.5)},
		"exponential PT1.5S":   {Delivery{Policy: Exponential, Delay: 1500 * time.Millisecond}, seconds(3, 6, 12, 24, 48)},
		"exponential PT0.5S":   {Delivery{Policy: Exponential, Delay: 500 * time.Millisecond}, seconds(1, 2, 4, 8, 16)},
		"with a timeout":       {Delivery{Policy: Exponential, Delay: 500 * time.Millisecond, Timeout: 30 * time.Second}, seconds(1, 2, 4, 8, 16)},
		"with retryAfterMax":   {Delivery{Policy: Exponential, Delay: 500 * time.Millisecond, RetryAfterMax: 30 * time.Second}, seconds(1, 2, 4, 8, 16)},
		"no policy":            {Delivery{}, seconds(0, 0, 0, 0, 0)},
		"policy without delay": {Delivery{Policy: Linear}, seconds(0, 0)},
		"delay without policy": {Delivery{Delay: time.Second}, seconds(0, 0)},
		"default Broker":       {Delivery{Policy: Exponential, Delay: 200 * time.Millisecond}, seconds(.4, .8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8)},
		"cap":                  {Delivery{Policy: Exponential, Delay: time.Second}, capped},
		"backoffMax":           {Delivery{Policy: Exponential, Delay: time.Second, BackoffMax: 5 * time.Second}, seconds(2, 4, 5, 5, 5)},
		"JW-14 linear PT0.01S": {Delivery{Policy: Linear, Delay: 10 * time.Millisecond}, seconds(.01, .02)},
	} {
		t.Run("DL-12/"+name, func(t *testing.T) {
			want := altered.Want(c.want)
			if got := waits(backoff{rand: noRand}, &c.delivery, len(c.want)); !slices.Equal(got, want) {
				t.Errorf("waits %v, want %v", got, want)
			}
		})
	}
}

func TestBackoffMinimumAndJitter(t *testing.T) {
	d := &Delivery{Policy: Linear, Delay: time.Second}
	if got := (backoff{rand: noRand, minimum: 3 * time.Second}).before(1, d); got != 3*time.Second {
		t.Errorf("minimum 3s: %v", got)
	}
	if got := (backoff{rand: noRand, minimum: time.Second}).before(1, &Delivery{}); got != time.Second {
		t.Errorf("minimum without policy: %v", got)
	}
	half := backoff{rand: func() float64 { return .5 }, jitter: .2}
	if got := half.before(2, d); got != 2200*time.Millisecond {
		t.Errorf("jitter 0.2 * 0.5: %v, want 2.2s", got)
	}
}

func TestBackoffJitterIsNotConstant(t *testing.T) {
	cfg := &Config{RetryJitter: .2}
	d := &Delivery{Policy: Linear, Delay: time.Second}
	seen := map[time.Duration]bool{}
	for range 50 {
		wait := cfg.backoff().before(3, d)
		if wait < 3*time.Second || wait > 3600*time.Millisecond {
			t.Fatalf("wait(3) = %v, want 3s to 3.6s", wait)
		}
		seen[wait] = true
	}
	if len(seen) < 2 {
		t.Error("the wait is constant")
	}
}

func TestHoldingStartsAtOneSecond(t *testing.T) {
	d := &Delivery{BackoffMax: 10 * time.Second}
	var got []time.Duration
	for k := 1; k <= 6; k++ {
		got = append(got, backoff{rand: noRand}.holding(k, d))
	}
	if want := seconds(1, 2, 4, 8, 10, 10); !slices.Equal(got, want) {
		t.Errorf("holding %v, want %v", got, want)
	}
}

// A wait is never negative, never above the cap, and never shrinks from retry to
// retry, whatever the settings.
func TestBackoffProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Delivery{
			Policy:     rapid.SampledFrom([]Policy{"", Linear, Exponential}).Draw(t, "policy"),
			Delay:      time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "delay")),
			BackoffMax: time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "max")),
		}
		b := backoff{rand: noRand}
		last := time.Duration(0)
		for k := 1; k < 200; k++ {
			wait := b.before(k, d)
			if wait < last || wait > d.BackoffMax {
				t.Fatalf("wait(%d) = %v after %v, cap %v", k, wait, last, d.BackoffMax)
			}
			last = wait
		}
		if b.before(math.MaxInt, d) < last || b.holding(math.MaxInt, d) > d.BackoffMax {
			t.Fatal("a huge k overflows")
		}
	})
}
