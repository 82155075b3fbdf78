package event_test

import (
	"errors"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/event"
)

// Section 3.5, attribute by attribute.
func TestValidate_DP37_DP38(t *testing.T) {
	ok := func(version, name, value string) {
		t.Helper()
		if err := with(version, name, value).Validate(); err != nil {
			t.Errorf("%s %s=%q: %v, want it valid", version, name, value, err)
		}
	}
	bad := func(version, name, value string) {
		t.Helper()
		err := with(version, name, value).Validate()
		invalid := (*event.InvalidError)(nil)
		if !errors.As(err, &invalid) || invalid.Name != name {
			t.Errorf("%s %s=%q: %v, want an error that names it", version, name, value, err)
		}
	}
	for _, v := range []string{"9000.1", "19.0", "10.0", "1.1", "1", "0.2", " 1.0", "v1.0", ""} {
		bad(v, event.SpecVersion, v)
	}
	for _, version := range []string{"1.0", "0.3"} {
		for _, name := range []string{"id", "type", "source"} {
			bad(version, name, "")
			bad(version, name, " \t")
		}
		for _, source := range []string{"/s", "s", "knativesource", "https://example.com/a?b#c", "urn:uuid:6e8b",
			"/a b", "/100%", "/%zz", "../up", "//host/path", "mailto:a@b.c", "/a:b", "?q", "#f", "./a:b", "/€", "http://[::1]:80/"} {
			ok(version, "source", source)
		}
		for _, source := range []string{":a", "1a:b", "a b:c", "/a\nb", "a\x00", "/\x7f"} {
			bad(version, "source", source)
		}
		for _, at := range []string{"2020-03-21T12:34:56.78Z", "2020-03-21t12:34:56z", "2020-02-29T00:00:00+01:00",
			"2016-12-31T23:59:60Z", "1985-04-12T23:20:50.52-08:00", "2020-03-21T12:34:56.123456789123Z"} {
			ok(version, "time", at)
		}
		for _, at := range []string{"", "now", "2020-03-21", "2020-03-21 12:34:56Z", "2020-03-21T12:34:56", "2021-02-29T00:00:00Z",
			"2020-13-01T00:00:00Z", "2020-00-01T00:00:00Z", "2020-01-32T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:60:00Z",
			"2020-01-01T00:00:61Z", "2020-01-01T5:00:00Z", "2020-01-01T00:00:00,5Z", "2020-01-01T00:00:00.Z", "2020-01-01T00:00:00+24:00",
			"2020-01-01T00:00:00+0100", "2020-01-01T00:00:00+ab:00", "2020-01-01T00:00:00Zz", "2020-01-01T00:00:00.5"} {
			bad(version, "time", at)
		}
		ok(version, "subject", " ")
		bad(version, "subject", "")
		for _, dct := range []string{"application/json", "text/plain; charset=utf-8", "application/vnd.apache.thrift.binary",
			`a/b; c="d e"`, "text/plain;", "*/*", "text/plain; charset"} {
			ok(version, "datacontenttype", dct)
		}
		for _, dct := range []string{"", "json", "text/", "/plain", "a b/c", "a/b/c", "text/plain\r\nX: y", "text/plain;\x00"} {
			bad(version, "datacontenttype", dct)
		}
		ok(version, "myext", "")
		ok(version, "123", "x")
		for _, name := range []string{"MyExt", "my_ext", "my-ext", "é", "", "data", "a b"} {
			bad(version, name, "x")
		}
	}
	ok("1.0", "dataschema", "https://example.com/schema")
	ok("1.0", "dataschema", "urn:x:y")
	bad("1.0", "dataschema", "/relative")
	bad("1.0", "dataschema", "")
	ok("0.3", "dataschema", "/just an extension")
	ok("0.3", "schemaurl", "/relative")
	bad("0.3", "schemaurl", ":x")
	ok("1.0", "schemaurl", ":just an extension")
}

// with is a valid event of a version with one attribute changed.
func with(version, name, value string) *event.Message {
	m := &event.Message{}
	m.Set("specversion", version)
	m.Set("id", "1")
	m.Set("type", "t")
	m.Set("source", "/s")
	m.Set(name, value)
	return m
}

func TestValidate_MissingAttributes(t *testing.T) {
	for _, name := range []string{"specversion", "id", "source", "type"} {
		m := with("1.0", "x", "y")
		m.Delete(name)
		if err := m.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+" is missing") {
			t.Errorf("without %s: %v, want an error that names it", name, err)
		}
	}
}

// The texts that a client reads.
func TestErrorsTellWhatIsAllowed(t *testing.T) {
	for _, tc := range []struct {
		headers event.HeaderSeq
		want    string
	}{
		{pairs("ce-specversion", "9000.1", "ce-id", "1", "ce-type", "t", "ce-source", "/s"),
			`ce-specversion "9000.1" is not supported, want 1.0 or 0.3`},
		{pairs("ce-specversion", "1.0", "ce-type", "t", "ce-source", "/s"), `ce-id is missing, every CloudEvent has one`},
		{minimal("Ce-Subject", ""), `ce-subject is empty, leave it out or give it a value`},
		{minimal("Ce-My_Ext", "1"), `ce-my_ext is no attribute name, want letters a-z and digits only`},
		{minimal("ce-", "1"), `ce- has an empty attribute name, want letters a-z and digits`},
		{minimal("Content-Type", "nonsense"), `Content-Type "nonsense" is not a media type, for example application/json; charset=utf-8`},
		{minimal("CE-A", "1", "ce-a", "1"), `ce-a is given twice, want it once`},
		{minimal("Ce-A", "%ff"), `ce-a "%ff" is not UTF-8 after percent-decoding`},
		{minimal("ce-time", strings.Repeat("9", 500)), `ce-time "` + strings.Repeat("9", 80) +
			`…" is not a time, want RFC 3339, for example 2020-03-21T12:34:56.78Z`},
	} {
		_, err := event.FromBinary(tc.headers, nil)
		if err == nil || err.Error() != tc.want {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}
