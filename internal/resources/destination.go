package resources

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
)

// reference names another object, as written; namespace is filled in.
type objectRef struct {
	apiVersion, group, kind, namespace, name string
}

// groupOf is the API group that the reference names, by apiVersion or by group.
func (r objectRef) groupOf() string {
	if r.apiVersion == "" {
		return r.group
	}
	group, _ := splitVersion(r.apiVersion)
	return group
}

func (r objectRef) key() key {
	return key{group: r.groupOf(), kind: r.kind, namespace: r.namespace, name: r.name}
}

func (r objectRef) ref() Ref { return Ref{Kind: r.kind, Namespace: r.namespace, Name: r.name} }

// destination is an address as written: ref, uri or both.
type destination struct {
	ref     *objectRef
	uri     string
	caCerts string
	file    string
	at      field
}

// readRef reads a reference without checking it; the object's own namespace is
// the default.
func (d *decoder) readRef(f field) objectRef {
	ref := objectRef{
		apiVersion: f.at("apiVersion").text(), group: f.at("group").text(), kind: f.at("kind").text(),
		namespace: f.at("namespace").text(), name: f.at("name").text(),
	}
	if ref.namespace == "" {
		ref.namespace = d.namespace
	}
	return ref
}

// requireText reports each field that is absent or empty.
func (d *decoder) requireText(fields ...field) {
	for _, f := range fields {
		if f.text() == "" {
			d.missing(f)
		}
	}
}

// destination reads and checks an address (VA-1 to VA-4). Nil when it is absent
// or wrong; absence is an error.
func (d *decoder) destination(f field) *destination {
	ref, uri := f.at("ref"), f.at("uri")
	if !ref.present() && uri.text() == "" {
		d.noneOf(f, ref, uri)
		return nil
	}
	result := &destination{uri: uri.text(), caCerts: f.at("CACerts").text(), file: d.file, at: f}
	if result.caCerts != "" && !validCerts(result.caCerts) {
		d.add(f.at("CACerts").line, "invalid value: CA Cert provided is invalid", "", f.path+".caCert")
	}
	parsed, err := url.Parse(result.uri)
	if err != nil {
		d.invalid(uri, result.uri, "not a URI: "+reason(err))
		return nil
	}
	switch {
	case !ref.present():
		if !parsed.IsAbs() || parsed.Host == "" {
			d.invalid(uri, "Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent", "")
		}
	case parsed.IsAbs():
		d.add(f.line, "Absolute URI is not allowed when Ref or [apiVersion, kind, name] is present", "",
			ref.path, uri.path, f.path+"[apiVersion, kind, name]")
	default:
		d.checkRef(ref)
		read := d.readRef(ref)
		result.ref = &read
	}
	return result
}

// checkRef checks the reference of an address (VA-2).
func (d *decoder) checkRef(f field) {
	apiVersion, group := f.at("apiVersion"), f.at("group")
	d.requireText(f.at("kind"), f.at("name"))
	switch {
	case !d.settings.features.kreferenceGroup:
		if group.present() {
			d.disallowed(group, "")
		}
		d.requireText(apiVersion)
	case apiVersion.text() == "" && group.text() == "":
		d.missing(apiVersion)
		d.missing(group)
	case apiVersion.text() != "" && group.text() != "":
		if named, _ := splitVersion(apiVersion.text()); named != group.text() {
			d.add(group.line, "both apiVersion and group are specified and they refer to different API groups",
				"Only one of them must be specified", apiVersion.path, group.path)
		}
	}
}

// reason is the inner text of a URL error, without the URL.
func reason(err error) string {
	var inner *url.Error
	if errors.As(err, &inner) {
		return inner.Err.Error()
	}
	return err.Error()
}

func validCerts(text string) bool {
	rest := []byte(text)
	found := false
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return false
		}
		found = true
	}
}
