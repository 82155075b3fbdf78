package main

import (
	"fmt"
	"net/url"
	"strings"

	"kurier.dev/kurier/internal/app"
	"kurier.dev/kurier/internal/client"
)

// targetURL is the address of an ingress target: a URL as it is, an object's
// name below ingress.
func targetURL(target, ingress string) (string, error) {
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return "", fmt.Errorf("%q: allowed: an http or https URL with a host", target)
		}
		return target, nil
	}
	ref, err := client.ParseRef(target)
	if err != nil {
		return "", fmt.Errorf("%q is no target: use a URL, or kind/namespace/name of a broker, channel, sink, sequence or parallel", target)
	}
	path := "/" + url.PathEscape(ref.Namespace) + "/" + url.PathEscape(ref.Name)
	switch ref.Kind {
	case "broker":
		return ingress + path, nil
	case "channel", "kafkachannel", "inmemorychannel":
		return ingress + "/channels" + path, nil
	case "sink", "kafkasink":
		return ingress + "/sinks" + path, nil
	case "sequence": // its first channel takes its events
		return ingress + "/channels" + path + "-kn-sequence-0", nil
	case "parallel":
		return ingress + "/channels" + path + "-kn-parallel", nil
	case "trigger", "subscription":
		return "", fmt.Errorf("a %s takes no events: send to the broker or channel it reads from", ref.Kind)
	}
	return "", fmt.Errorf("a %s takes no events; what does: broker, channel, kafkachannel, inmemorychannel, sink, sequence, parallel", ref.Kind)
}

// ingressURL is where the receiver is, without a final slash.
func ingressURL(config *app.Config) string {
	if config.IngressURL != "" {
		return strings.TrimRight(config.IngressURL, "/")
	}
	return fmt.Sprintf("http://localhost:%d", config.IngressPort)
}
