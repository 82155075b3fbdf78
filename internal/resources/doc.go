// Package resources turns Knative manifests into plain data: it reads a folder
// of YAML and JSON, applies defaults, validates with file and line, resolves
// every reference, and answers a Plan of topics, ingress addresses, consumers
// and pings. A Watcher tells when the folder has changed; Reload makes the next
// Plan and keeps the last good version of what is broken.
//
// It knows nothing of Kafka connections, HTTP or running consumers: a Plan says
// what should be, and carries the conditions that can be known from the
// manifests alone. Another source of manifests (an API server) would feed the
// same documents to the same steps.
package resources
