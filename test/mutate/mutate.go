// Package mutate gives fuzz targets some random inputs in ordinary test runs, where Go
// plays the seeds alone: seeds that were damaged, cut, doubled and mixed. A run is small
// and bounded; searching by coverage is left to `make fuzz`.
package mutate

import (
	"flag"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Env set to a number, as a failed run logs it, makes the same inputs again.
const Env = "KURIER_MUTATE_SEED"

// inputs that each target gets.
const inputs = 400

// tokens mean something to one parser or another.
var tokens = []string{
	"\r\n", "\n", "\r", "\x00", " ", "\t", ":", ",", ";", "\"", "'", "\\", "%", "%2", "%E2%82", "{", "}", "[", "]", "null", "true", "-1", "0",
	"2147483648", "99999999999999999999", "1e9", "PT", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "\xff", "\xc0\xa0",
	"\u20ac", "\U0001f600", "ce-", "- ", "---\n", "&a", "*a", "AND", "NOT ", "LIKE", "(",
}

// More hands n mutations of the seeds to add, which adds them to a fuzz target. While
// the target is fuzzed it does nothing.
func More(f *testing.F, seeds []string, add func(input string)) {
	f.Helper()
	if fuzzing := flag.Lookup("test.fuzz"); len(seeds) == 0 || fuzzing != nil && fuzzing.Value.String() != "" {
		return
	}
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv(Env), 10, 64); err == nil {
		seed = given
	}
	f.Logf("to play these inputs again set %s=%d", Env, seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range inputs {
		add(mutated(r, seeds))
	}
}

// mutated is a seed with one to four changes.
func mutated(r *rand.Rand, seeds []string) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	s := pick(seeds)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(s) + 1)
		end := at + r.IntN(len(s)-at+1)
		switch r.IntN(7) {
		case 0: // a bit
			if at < len(s) {
				s = s[:at] + string([]byte{s[at] ^ 1<<r.IntN(8)}) + s[at+1:]
			}
		case 1: // without a part
			s = s[:at] + s[end:]
		case 2: // a part twice
			s = s[:end] + s[at:]
		case 3:
			s = s[:at] + pick(tokens) + s[at:]
		case 4:
			s = s[:at] + pick(tokens) + s[end:]
		case 5: // the end of another one
			other := pick(seeds)
			s = s[:at] + other[r.IntN(len(other)+1):]
		default:
			s = s[:at] + string([]byte{byte(r.IntN(256))}) + s[at:]
		}
	}
	return s
}
