package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Producers send numbered events, each key in the hands of one of them, and try an event
// a few times before they give it up.
type Producers struct {
	History *History
	URLs    []string // the same Broker at several receivers
	Workers int
	Keys    int     // each worker's
	Rate    float64 // events per second, all workers together
	Padding int     // bytes that an extension attribute adds to each event
}

const (
	triesEach   = 4
	tryWithin   = 8 * time.Second
	betweenTry  = 100 * time.Millisecond
	catchUp     = 2 * time.Second // of events, after a time in which none were taken
	withoutKeys = 10              // every so many events has no key
)

// Run sends until ctx ends.
func (p *Producers) Run(ctx context.Context) {
	client := &http.Client{
		Timeout:   tryWithin,
		Transport: &http.Transport{MaxIdleConnsPerHost: p.Workers, IdleConnTimeout: 5 * time.Second},
	}
	defer client.CloseIdleConnections()
	limit := rate.NewLimiter(rate.Limit(p.Rate), int(p.Rate*catchUp.Seconds()))
	limit.AllowN(time.Now(), limit.Burst()) // a run begins with an empty bucket
	var workers sync.WaitGroup
	for w := range p.Workers {
		workers.Go(func() {
			for i := 0; limit.Wait(ctx) == nil; i++ {
				key := w*p.Keys + i%p.Keys
				if i%withoutKeys == 0 {
					key = NoKey
				}
				p.send(ctx, client, key, w)
			}
		})
	}
	workers.Wait()
}

// send sends one event, to one receiver after the other.
func (p *Producers) send(ctx context.Context, client *http.Client, key, worker int) {
	event := p.History.Send(key)
	for try := range triesEach {
		acked := p.try(client, p.URLs[(worker+try)%len(p.URLs)], event, key)
		p.History.Tried(event, acked)
		if acked || ctx.Err() != nil {
			return
		}
		Pass(ctx, betweenTry)
	}
}

// try sends once. An event under way is always waited for: its answer is history.
func (p *Producers) try(client *http.Client, url string, event, key int) bool {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(payload(event)))
	if err != nil {
		return false
	}
	for name, value := range map[string]string{
		"Ce-Id": fmt.Sprint(event), "Ce-Source": "/chaos", "Ce-Type": "com.example.chaos", "Ce-Specversion": "1.0",
		"Content-Type": "application/json",
	} {
		req.Header[name] = []string{value}
	}
	if key != NoKey {
		req.Header.Set("Ce-Partitionkey", keyText(key))
	}
	if p.Padding > 0 {
		req.Header.Set("Ce-Padding", strings.Repeat("x", p.Padding))
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusAccepted
}

// keyText is a key as producers send it, and as it stands in the record.
func keyText(key int) string { return fmt.Sprint("key-", key) }

// key is the record's key, nil for none.
func (e *Event) key() []byte {
	if e.Key == NoKey {
		return nil
	}
	return []byte(keyText(e.Key))
}
