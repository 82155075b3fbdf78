package receiver

import (
	"slices"
	"strings"
)

// options answers the webhook handshake (CloudEvents http-webhook, section 4):
// which origin may send, and how often. An origin that is not on the list gets
// the plain 200 that any OPTIONS gets.
func (r *Receiver) options(req *request) answer {
	origin := "*"
	if req.origin != "" {
		origin = req.origin
	}
	allowed := r.cfg.WebhookAllowedOrigins
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(o string) bool { return o == "*" || strings.EqualFold(o, req.origin) }) {
		return answer{status: 200}
	}
	if !isHeaderText(origin) {
		return answer{status: 200}
	}
	return answer{status: 200, origin: strings.Clone(origin), rate: r.cfg.WebhookAllowedRate}
}
