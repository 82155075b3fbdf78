package client

import (
	"fmt"
	"net/url"
	"strings"
)

// Ref names an object as the commands take it.
type Ref struct{ Kind, Namespace, Name string }

// ParseRef reads kind/namespace/name, or kind/name for the namespace default.
// The kind's case does not matter.
func ParseRef(text string) (Ref, error) {
	parts := strings.Split(text, "/")
	for _, part := range parts {
		if part == "" {
			parts = nil
		}
	}
	switch len(parts) {
	case 2:
		return Ref{strings.ToLower(parts[0]), "default", parts[1]}, nil
	case 3:
		return Ref{strings.ToLower(parts[0]), parts[1], parts[2]}, nil
	}
	return Ref{}, fmt.Errorf("%q does not name an object: use kind/namespace/name, for example trigger/default/orders", text)
}

// String is the form ParseRef reads.
func (r Ref) String() string { return r.Kind + "/" + r.Namespace + "/" + r.Name }

func (r Ref) path() string {
	return url.PathEscape(r.Kind) + "/" + url.PathEscape(r.Namespace) + "/" + url.PathEscape(r.Name)
}
