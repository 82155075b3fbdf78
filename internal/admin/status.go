package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"kurier.dev/kurier/internal/status"
)

// readiness is what /readyz answers.
type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"`
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // fails only when the client has gone
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := s.config.Process.Ready()
	code := http.StatusOK
	if len(reasons) > 0 {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, readiness{Ready: len(reasons) == 0, Reasons: reasons})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	objects, err := s.config.Process.Status(r.Context())
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, status.NewList(objects))
}

func (s *Server) object(w http.ResponseWriter, r *http.Request) {
	if object := s.find(w, r); object != nil {
		writeJSON(w, http.StatusOK, object)
	}
}

// find returns the object that the path names. When there is none it answers
// the request and returns nil.
func (s *Server) find(w http.ResponseWriter, r *http.Request) *status.Object {
	objects, err := s.config.Process.Status(r.Context())
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err.Error())
		return nil
	}
	kind, namespace, name := r.PathValue("kind"), r.PathValue("namespace"), r.PathValue("name")
	object := status.Find(objects, kind, namespace, name)
	if object == nil {
		problem(w, http.StatusNotFound, fmt.Sprintf("%s/%s/%s is not in the manifests", strings.ToLower(kind), namespace, name))
	}
	return object
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, strings.TrimLeft(`
Kurier's admin port
  /healthz                          the process lives
  /readyz                           it can do its work; if not, why
  /metrics                          Prometheus
  /status                           every object
  /status/{kind}/{namespace}/{name} one object
  /tail/{kind}/{namespace}/{name}   the events that pass, a CloudEvent per line
        ?from=oldest|newest|N       where to begin (default newest)
        ?dead-letters=true          what was dead-lettered instead
`, "\n"))
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // fails only when the client has gone
}

// problem answers with an RFC 9457 body.
func problem(w http.ResponseWriter, code int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{ // fails only when the client has gone
		"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": detail,
	})
}
