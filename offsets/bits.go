package offsets

import "math/bits"

// writer appends single bits to bytes, the highest bit of a byte first.
type writer struct {
	b    []byte
	free uint // bits of the last byte that are not used yet
}

// put appends the lowest n bits of v, the highest of them first; n <= 64.
func (w *writer) put(v uint64, n uint) {
	for n > 0 {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		k := min(n, w.free)
		part := v >> (n - k) & (1<<k - 1)
		w.b[len(w.b)-1] |= byte(part << (w.free - k))
		w.free -= k
		n -= k
	}
}

// ones appends n bits that are 1 and one that is 0.
func (w *writer) ones(n uint64) {
	for ; n >= 64; n -= 64 {
		w.put(1<<64-1, 64)
	}
	w.put(1<<(n+1)-2, uint(n)+1)
}

// gamma appends v >= 1 in Elias gamma coding.
func (w *writer) gamma(v uint64) {
	n := uint(bits.Len64(v))
	w.put(0, n-1)
	w.put(v, n)
}

// gammaBits is the length of gamma(v).
func gammaBits(v uint64) int { return 2*bits.Len64(v) - 1 }

// reader reads what writer wrote. Behind the end it reads zeros and remembers
// that it failed.
type reader struct {
	b      []byte
	pos    int // in bits
	failed bool
}

func (r *reader) left() int { return 8*len(r.b) - r.pos }

// get reads n <= 64 bits.
func (r *reader) get(n uint) (v uint64) {
	if int(n) > r.left() {
		r.failed, r.pos = true, 8*len(r.b)
		return 0
	}
	for n > 0 {
		used := uint(r.pos % 8)
		k := min(n, 8-used)
		part := r.b[r.pos/8] << used >> (8 - k)
		v = v<<k | uint64(part)
		r.pos += int(k)
		n -= k
	}
	return v
}

// ones counts the bits that are 1 up to the next 0.
func (r *reader) ones() (n uint64) {
	for r.get(1) == 1 {
		n++
	}
	return n
}

func (r *reader) gamma() uint64 {
	n := uint(1)
	for r.get(1) == 0 {
		if n++; r.failed || n > 64 {
			r.failed = true
			return 1
		}
	}
	return 1<<(n-1) | r.get(n-1)
}
