package receiver

import (
	"fmt"
	"strings"
)

// Kind is what a Route leads to.
type Kind int

// The kinds of targets.
const (
	// Broker: events get knativebrokerttl and knativearrivaltime.
	Broker Kind = iota
	// Channel: a Channel, KafkaChannel or InMemoryChannel.
	Channel
	// Sink: a KafkaSink.
	Sink
)

// String is the value of the metrics' label kind.
func (k Kind) String() string {
	switch k {
	case Broker:
		return "broker"
	case Channel:
		return "channel"
	default:
		return "sink"
	}
}

// Route is one address and the topic behind it.
type Route struct {
	Kind            Kind
	Namespace, Name string
	// Path is the raw path without trailing slash: /ns/name,
	// /channels/ns/name or /sinks/ns/name.
	Path string
	// Hosts are the names under which path / leads here, without port; the
	// suffix .cluster.local may be there or not, in the route and the request.
	Hosts []string
	// Topic gets the records.
	Topic string
	// Structured writes the events' JSON envelopes instead of binary records.
	Structured bool
	// Producer stores the records.
	Producer Producer
	// MaxBytes is the largest record the topic takes, in bytes; 0: unknown.
	// The receiver itself keeps room for a dead letter's extensions.
	MaxBytes int
	// Unavailable, when not empty, makes every event be answered 503 with this
	// detail. The producer is not asked.
	Unavailable string
}

// entry is a route with what the core derives from it.
type entry struct {
	Route
	limit   int // of a record, in bytes
	metrics *routeMetrics
}

// table finds routes; it never changes once it is in use.
type table struct {
	paths map[string]*entry
	hosts map[string]*entry
}

func newTable(routes []Route, maxEventBytes int, m *metrics) *table {
	t := &table{paths: make(map[string]*entry, len(routes)), hosts: map[string]*entry{}}
	used := make(map[routeKey]*routeMetrics, len(routes))
	for _, route := range routes {
		limit := maxEventBytes
		if route.MaxBytes > 0 {
			limit = min(limit, route.MaxBytes)
		}
		key := routeKey{route.Kind.String(), route.Namespace, route.Name}
		e := &entry{Route: route, limit: limit - reserved(limit), metrics: m.route(key)}
		used[key] = e.metrics
		if route.Path != "" {
			t.paths[route.Path] = e
		}
		for _, host := range route.Hosts {
			t.hosts[canonicalHost(host)] = e
		}
	}
	m.keep(used)
	return t
}

// reserved is kept free below a limit for the error extensions of a dead
// letter: 4 KiB, or a quarter of a limit that is very small.
func reserved(limit int) int { return min(4<<10, limit/4) }

// find routes a request on its raw target and Host. On failure the entry is nil
// and the answer says why.
func (t *table) find(target, host string) (*entry, answer) {
	path, host := splitTarget(target, host)
	if path == "/" {
		if e := t.hosts[canonicalHost(host)]; e != nil {
			return e, answer{}
		}
		return nil, problem(404, fmt.Sprintf("no channel has the host %q; "+
			"POST to /<namespace>/<broker>, /channels/<namespace>/<channel> or /sinks/<namespace>/<sink>", shorten(host)))
	}
	path = strings.TrimSuffix(path, "/")
	if e := t.paths[path]; e != nil {
		return e, answer{}
	}
	kind, namespace, name, ok := parsePath(path)
	if !ok {
		return nil, problem(400, fmt.Sprintf("path %q is no address, want "+
			"/<namespace>/<broker>, /channels/<namespace>/<channel> or /sinks/<namespace>/<sink>", shorten(path)))
	}
	return nil, problem(404, fmt.Sprintf("there is no %s %q in namespace %q", kind, shorten(name), shorten(namespace)))
}

// splitTarget takes the raw path, without query, and the host out of a request
// target, which may be in absolute form.
func splitTarget(target, host string) (path, authority string) {
	path, authority = target, host
	if !strings.HasPrefix(path, "/") {
		if _, rest, ok := strings.Cut(path, "://"); ok {
			if end := strings.IndexAny(rest, "/?"); end >= 0 {
				authority, path = rest[:end], rest[end:]
			} else {
				authority, path = rest, "/"
			}
		}
	}
	path, _, _ = strings.Cut(path, "?")
	if path == "" {
		path = "/"
	}
	return path, authority
}

// parsePath splits a path that has lost its trailing slash. It takes nothing
// for granted: no decoding, no merging of slashes, no "..".
func parsePath(path string) (kind, namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", "", "", false
	}
	first, rest, _ := strings.Cut(rest, "/")
	second, third, three := strings.Cut(rest, "/")
	switch {
	case first == "channels" && three:
		kind, namespace, name = "channel", second, third
	case first == "sinks" && three:
		kind, namespace, name = "KafkaSink", second, third
	case first == "channels" || first == "sinks" || three:
		return "", "", "", false
	default:
		kind, namespace, name = "Broker", first, second
	}
	return kind, namespace, name, namespace != "" && name != "" && !strings.Contains(name, "/")
}

// canonicalHost is a host in lower case, without port, final dot and
// .cluster.local.
func canonicalHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.TrimSuffix(host, ".cluster.local")
}

// shorten bounds what an answer repeats of a request, and copies it.
func shorten(s string) string {
	const most = 120
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
