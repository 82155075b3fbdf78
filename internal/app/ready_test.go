package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"kurier.dev/kurier/internal/status"
)

const channelAndSubscription = `
apiVersion: messaging.knative.dev/v1
kind: InMemoryChannel
metadata: {name: c%[1]d}
---
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {name: s%[1]d}
spec:
  channel: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: c%[1]d}
  subscriber: {uri: %[2]s}
`

// A Subscription that says Ready takes part in what its channel takes: an event sent from
// then on is accepted, also while other objects are being started.
func TestReadyMeansThatEventsAreTaken(t *testing.T) {
	const channels = 24
	sub := newSubscriber(t)
	r := startDev(t, t.TempDir(), map[string]string{"first.yaml": fmt.Sprintf(channelAndSubscription, 0, sub.URL)})
	for n := 1; n <= channels; n++ {
		writeManifest(t, r.manifests, fmt.Sprintf("more%d.yaml", n), fmt.Sprintf(channelAndSubscription, n, sub.URL))
	}
	sent := map[string]bool{"s0": true}
	eventually(t, "every Subscription is ready", func() bool {
		for _, name := range r.readySubscriptions(t) {
			if sent[name] {
				continue
			}
			sent[name] = true
			if code := r.send(t, "/channels/default/c"+name[1:], name, "t"); code != http.StatusAccepted {
				t.Errorf("%s is Ready, and an event is answered %d", name, code)
			}
		}
		return len(sent) == channels+1
	})
}

func (r *running) readySubscriptions(t *testing.T) (names []string) {
	t.Helper()
	response, err := client.Get(r.admin + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var list status.List
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		o := &list.Items[i]
		if ready := o.Condition(status.TypeReady); o.Kind == "Subscription" && ready != nil && ready.Status == status.True {
			names = append(names, o.Metadata.Name)
		}
	}
	return names
}
