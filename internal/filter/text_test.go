package filter

import (
	"testing"

	"kurier.dev/kurier/test/mutate"
)

type wanted = map[string]string

// TestExactPrefixSuffix is the unit table of 5.1 for the three text dialects.
func TestExactPrefixSuffix(t *testing.T) {
	for _, c := range []struct {
		name                  string
		event                 attrs
		exact, prefix, suffix wanted
		want                  bool
	}{
		{"Wrong type", eventE, wanted{"type": "some-other-type"}, wanted{"type": "wrong.prefix"}, wanted{"type": "wrong.suffix"}, false},
		{"Wrong source", eventE, wanted{"source": "some-other-source"}, wanted{"source": "wrong.prefix"}, wanted{"source": "wrong.suffix"}, false},
		{"Wrong extension", eventE, wanted{"myextension": "some-other-extension"}, wanted{"myextension": "wrong.prefix"}, wanted{"myextension": "wrong.suffix"}, false},
		{"Match type", eventE, wanted{"type": "dev.knative.example"}, wanted{"type": "dev.knative"}, wanted{"type": ".knative.example"}, true},
		{"Match extension", eventEPlus, wanted{"myextension": "my-extension-value"}, wanted{"myextension": "my-extension"}, wanted{"myextension": "extension-value"}, true},
		{"Missing attribute", eventE, wanted{"missingattribute": "missingvalue"}, wanted{"some-other-attribute": "wrong.prefix"}, wanted{"some-other-attribute": "wrong.suffix"}, false},
		{"Wrong type and source", eventE, wanted{"type": "some-other-type", "source": "some-other-source"}, wanted{"type": "wrong.prefix", "source": "wrong.prefix"}, wanted{"type": "wrong.suffix", "source": "wrong.suffix"}, false},
		{"Match type and wrong source", eventE, wanted{"type": "dev.knative.example", "source": "some-other-source"}, wanted{"type": "dev.knative", "source": "wrong.prefix"}, wanted{"type": ".knative.example", "source": "wrong.suffix"}, false},
		{"Match type and match source", eventE, wanted{"type": "dev.knative.example", "source": "knativesource"}, wanted{"type": "dev.knative", "source": "knative"}, wanted{"type": ".knative.example", "source": "source"}, true},
		{"Match type and missing extension", eventE, wanted{"type": "dev.knative.example", "myextension": "my-extension-value"}, wanted{"type": "dev.knative", "myextension": "attri.prefix"}, wanted{"type": ".knative.example", "myextension": "attri.suffix"}, false},
		{"Match type and match extension", eventEPlus, wanted{"type": "dev.knative.example", "myextension": "my-extension-value"}, wanted{"type": "dev.knative", "myextension": "my-extension"}, wanted{"type": ".knative.example", "myextension": "extension-value"}, true},
	} {
		t.Run("5.1/text/"+c.name, func(t *testing.T) {
			check(t, mustCompile(t, nil, Spec{Exact: c.exact}), c.event, c.want)
			check(t, mustCompile(t, nil, Spec{Prefix: c.prefix}), c.event, c.want)
			check(t, mustCompile(t, nil, Spec{Suffix: c.suffix}), c.event, c.want)
		})
	}
}

// TestExactTimeMatchIsStable: FI-19, history never matters.
func TestExactTimeMatchIsStable(t *testing.T) {
	f := mustCompile(t, nil, Spec{Exact: wanted{"time": "2020-03-21T12:34:56.78Z"}})
	for range 1000 {
		check(t, f, fullEvent, true)
	}
}

// TestFI5 is the canonical form: an instant, case, media types.
func TestFI5(t *testing.T) {
	berlin := eventA.with("time", "2020-03-21T13:34:56.780+01:00")
	typed := eventA.with("datacontenttype", "Application/JSON ; charset=utf-8")
	for _, c := range []struct {
		name  string
		spec  Spec
		event attrs
		want  bool
	}{
		{"same instant, other offset", Spec{Exact: wanted{"time": "2020-03-21T12:34:56.78Z"}}, berlin, true},
		{"wanted with an offset", Spec{Exact: wanted{"time": "2020-03-21T13:34:56.78+01:00"}}, fullEvent, true},
		{"other instant", Spec{Exact: wanted{"time": "2020-03-21T12:34:56.781Z"}}, berlin, false},
		{"wanted is no time", Spec{Exact: wanted{"time": "yesterday"}}, berlin, false},
		{"event's time is no time", Spec{Exact: wanted{"time": "2020-03-21T12:34:56.78Z"}}, eventA.with("time", "yesterday"), false},
		{"time missing", Spec{Exact: wanted{"time": "2020-03-21T12:34:56.78Z"}}, eventA, false},
		{"prefix in UTC", Spec{Prefix: wanted{"time": "2020-03-21T12:"}}, berlin, true},
		{"prefix as written", Spec{Prefix: wanted{"time": "2020-03-21T13:"}}, berlin, false},
		{"suffix in UTC", Spec{Suffix: wanted{"time": "56.78Z"}}, berlin, true},
		{"prefix without time", Spec{Prefix: wanted{"time": "2020"}}, eventA, false},
		{"prefix of no time", Spec{Prefix: wanted{"time": "yester"}}, eventA.with("time", "yesterday"), true},
		{"case", Spec{Exact: wanted{"type": "Com.example.someevent"}}, eventA, false},
		{"case of a prefix", Spec{Prefix: wanted{"type": "COM"}}, eventA, false},
		{"bool", Spec{Exact: wanted{"exbool": "true"}}, fullEvent, true},
		{"integer", Spec{Exact: wanted{"exint": "42"}}, fullEvent, true},
		{"binary", Spec{Exact: wanted{"exbinary": "AAECAw=="}}, fullEvent, true},
		{"datacontenttype as received", Spec{Exact: wanted{"datacontenttype": "Application/JSON ; charset=utf-8"}}, typed, true},
		{"datamediatype", Spec{Exact: wanted{"datamediatype": "application/json"}}, typed, true},
		{"datamediatype, parameters", Spec{Exact: wanted{"datamediatype": "application/json; charset=utf-8"}}, typed, false},
		{"datamediatype, prefix", Spec{Prefix: wanted{"datamediatype": "application/"}}, typed, true},
		{"datamediatype, suffix", Spec{Suffix: wanted{"datamediatype": "json"}}, typed, true},
		{"datamediatype, long suffix", Spec{Suffix: wanted{"datamediatype": "x-application/json"}}, typed, false},
		{"datamediatype missing", Spec{Exact: wanted{"datamediatype": "application/json"}}, eventA, false},
		{"prefix of an absent subject", Spec{Prefix: wanted{"subject": "x"}}, eventA, false},
		{"suffix of an absent subject", Spec{Suffix: wanted{"subject": "x"}}, eventA, false},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, mustCompile(t, nil, c.spec), c.event, c.want) })
	}
}

// TestAttributes is the unit table of 5.1 for filter.attributes.
func TestAttributes(t *testing.T) {
	const typ, src = "com.example.someevent", "/mycontext"
	for _, c := range []struct {
		name   string
		wanted wanted
		event  attrs
		want   bool
	}{
		{"Wrong type", wanted{"type": "some-other-type", "source": ""}, eventA, false},
		{"Wrong type with attribs", wanted{"type": "some-other-type", "source": ""}, eventA, false},
		{"Wrong source", wanted{"type": "", "source": "some-other-source"}, eventA, false},
		{"Wrong source with attribs", wanted{"type": "", "source": "some-other-source"}, eventA, false},
		{"Wrong extension", wanted{"type": "", "source": "some-other-source"}, eventA, false},
		{"Any", wanted{"type": "", "source": ""}, eventA, true},
		{"Specific", wanted{"type": typ, "source": src}, eventA, true},
		{"Extension with attribs", wanted{"type": typ, "source": src, "myextension": "my-extension-value"}, eventAPlus, true},
		{"Any Extension with attribs - without Extension", wanted{"type": typ, "source": src, "myextension": ""}, eventA, false},
		{"Any Extension with attribs - with Extension", wanted{"type": typ, "source": src, "myextension": ""}, eventAPlus, true},
		{"Subject with attribs", wanted{"type": typ, "source": src, "subject": "mysubject"}, eventAs, true},
		{"Any Subject with attribs - without Subject", wanted{"type": typ, "source": src, "subject": ""}, eventA, false},
		{"Any Subject with attribs - with Subject", wanted{"type": typ, "source": src, "subject": ""}, eventAs, true},
		{"Any with attribs - Arrival extension", wanted{"type": "", "source": ""}, eventA.with("knativearrivaltime", "2019-08-26T23:38:17.834384404Z"), true},
		{"Wrong Extension with attribs", wanted{"type": typ, "source": src, "myextension": "some-other-extension-value"}, eventAPlus, false},
		{"FI-4 set but empty", wanted{"myextension": ""}, eventA.with("myextension", ""), false},
		{"FI-7 no time", wanted{"time": ""}, eventA, false},
		{"FI-7 a time", wanted{"time": ""}, fullEvent, true},
		{"FI-21 position", wanted{"knativekafkapartition": "0", "knativekafkaoffset": ""}, eventA.with("knativekafkapartition", "0", "knativekafkaoffset", "17"), true},
	} {
		t.Run("5.1/attributes/"+c.name, func(t *testing.T) { check(t, mustCompile(t, c.wanted), c.event, c.want) })
	}
}

func TestAllSupportedAttributeFieldsV1(t *testing.T) {
	e := eventA.with("dataschema", "wow", "subject", "cool", "datacontenttype", "cheers;mate", "time", "2020-03-21T12:34:56.78Z")
	check(t, mustCompile(t, wanted{
		"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext", "subject": "cool", "id": "1234",
		"time": "2020-03-21T12:34:56.78Z", "dataschema": "wow", "schemaurl": "wow",
		"datacontenttype": "cheers;mate", "datamediatype": "cheers",
	}), e, true)
}

func TestV03Event(t *testing.T) {
	e := attrs{
		"specversion": "0.3", "type": "com.example.someevent", "source": "/mycontext", "id": "1234",
		"schemaurl": "wow", "datacontentencoding": "perfect",
	}
	check(t, mustCompile(t, wanted{"specversion": "0.3", "datacontentencoding": "perfect", "schemaurl": "wow", "dataschema": "wow"}), e, true)
}

// FuzzText: what the dialects for texts say of any value agrees with each other, and no
// value panics.
func FuzzText(f *testing.F) {
	seeds := []string{"a", "2020-03-21T13:34:56.780+01:00", "Application/JSON ; charset=utf-8", "com.example.FullEvent", ""}
	names := []string{"type", "time", "datamediatype", "schemaurl", "x"}
	add := func(s string) {
		for _, name := range names {
			f.Add(name, s, s)
		}
	}
	for _, s := range seeds {
		add(s)
	}
	mutate.More(f, seeds, add)
	f.Fuzz(func(t *testing.T, name, value, want string) {
		if name == "" || want == "" {
			return
		}
		e := eventA.with(name, value)
		if name == "datamediatype" {
			e = eventA.with("datacontenttype", value)
		}
		outcome := func(attributes wanted, specs ...Spec) bool {
			ok, err := mustCompile(t, attributes, specs...).Match(e)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		exact := outcome(nil, Spec{Exact: wanted{name: want}})
		inner := Spec{Exact: wanted{name: want}}
		if outcome(wanted{name: want}) != exact || outcome(nil, Spec{Not: &inner}) == exact {
			t.Fatalf("%s=%q for %q: exact, filter.attributes and not disagree", name, want, value)
		}
		if exact && name != "time" && (!outcome(nil, Spec{Prefix: wanted{name: want}}) || !outcome(nil, Spec{Suffix: wanted{name: want}})) {
			t.Fatalf("%s=%q for %q: exact, but neither its prefix nor its suffix", name, want, value)
		}
		if exact && !outcome(wanted{name: ""}) {
			t.Fatalf("%s=%q for %q: exact, but not there", name, want, value)
		}
	})
}
