package app

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// banner tells a person at a terminal what runs and what to try.
func (p *process) banner(out io.Writer) {
	port := p.ingress.Addr().(*net.TCPAddr).Port
	ingress := fmt.Sprintf("http://localhost:%d", port)
	send, admin := "./bin/kurier send", ""
	if port != 8080 {
		send = "INGRESS_URL=" + ingress + " " + send
	}
	if at := p.admin.Addr().(*net.TCPAddr).Port; at != 9090 {
		admin = fmt.Sprintf("ADMIN_URL=http://localhost:%d ", at)
	}
	targets := p.manifests.plan().Targets
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	say("")
	say("Kurier takes events at %s; manifests: %s (edit them, a change is live at once).", ingress, p.manifests.path)
	say("Ctrl-C stops; the next start goes on where this one ends. In a second terminal:")
	say("")
	if p.hasExamples() {
		say("  # a Broker with an ordered, an unordered and an ordered-by-key Trigger")
		say(`  %s broker/default/orders --type order.created --extension region=eu --key customer-1 --data '{"id": 1}'`, send)
		say("  # retried twice, then dead-lettered: to a service, to a Kafka topic, to the default dead letter topic")
		say(`  %s broker/default/orders --type demo.fail --data '{"id": 13}'`, send)
		say("  %s./bin/kurier tail trigger/default/fail-to-topic --dead-letters --from oldest", admin)
		say("  %s./bin/kurier tail sink/default/failed-orders --from oldest", admin)
		say("  # channels: every subscriber gets every event")
		say(`  %s channel/default/pingevents --type greeting --data '{"hello": "world"}'`, send)
		say(`  %s channel/default/pingevents-kafka --type greeting --data '{"hello": "Kafka"}'`, send)
		say("  # delivery settings, inherited and overridden")
		say(`  %s broker/default/handbook --type greeting --data '{"hello": "broker"}'`, send)
		say(`  %s channel/default/handbook --type greeting --data '{"hello": "channel"}'`, send)
		say("  # any HTTP client will do")
		say(`  curl -i %s/default/orders -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /me' -H 'ce-type: order.created' -H 'content-type: application/json' -d '{"id": 2}'`, ingress)
		say("  # what is ready, and what passes")
		say("  %s./bin/kurier status", admin)
		say("  %s./bin/kurier tail broker/default/orders", admin)
	} else {
		for _, target := range targets {
			say(`  %s %s --type greeting --data '{"hello": "world"}'`, send, target.Ref)
		}
		say("  %s./bin/kurier status", admin)
		if len(targets) > 0 {
			say("  %s./bin/kurier tail %s", admin, targets[0].Ref)
		}
	}
	say("")
	_, _ = io.WriteString(out, text.String())
}

// hasExamples tells whether the objects that the banner names are there.
func (p *process) hasExamples() bool {
	wanted := map[string]bool{"broker/default/orders": true, "broker/default/handbook": true, "channel/default/handbook": true, "trigger/default/fail-to-topic": true, "channel/default/pingevents-kafka": true, "inmemorychannel/default/pingevents": true}
	for _, object := range p.manifests.plan().Objects {
		delete(wanted, object.String())
	}
	return len(wanted) == 0
}
