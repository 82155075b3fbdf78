package resources

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// pingSource is the body of a PingSource.
type pingSource struct {
	schedule, timezone, contentType string
	data                            []byte
	extensions                      map[string]string
	sink                            *destination
}

var extensionName = regexp.MustCompile(`^[a-z0-9]+$`)

// decodePingSource reads a PingSource (VA-24).
func decodePingSource(d *decoder) any {
	spec := d.at("spec")
	p := &pingSource{
		schedule: "* * * * *", timezone: spec.at("timezone").text(), contentType: spec.at("contentType").text(),
		extensions: d.overrides(spec), sink: d.destination(spec.at("sink")),
	}
	if schedule := spec.at("schedule"); schedule.text() != "" {
		p.schedule = schedule.text()
	}
	d.schedule(spec.at("schedule"), p.schedule)
	d.timezone(spec.at("timezone"))
	p.data = d.pingData(spec, p.contentType)
	d.noPolicy()
	return p
}

// overrides reads spec.ceOverrides.extensions. What every event has itself is
// no extension.
func (d *decoder) overrides(spec field) map[string]string {
	extensions := spec.at("ceOverrides").at("extensions")
	for name := range extensions.pairs() {
		switch {
		case !extensionName.MatchString(name):
			d.invalidKey(extensions, name, "keys are expected to be alphanumeric")
		case slices.Contains(contextAttributes, name):
			d.invalidKey(extensions, name, "it is an attribute of the event, not an extension")
		}
	}
	return extensions.texts()
}

var contextAttributes = []string{
	"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "schemaurl", "datacontentencoding", "data",
}

func (d *decoder) schedule(f field, schedule string) {
	if err := parseSchedule(schedule); err != nil {
		d.invalid(f, err.Error(), "")
	}
}

// parseSchedule checks a schedule of five fields, six with leading seconds, or a
// descriptor such as @hourly. A time zone inside it is refused: spec.timezone
// says it.
func parseSchedule(schedule string) (err error) {
	if strings.HasPrefix(schedule, "@every") {
		return fmt.Errorf("unsupported descriptor @every")
	}
	if strings.HasPrefix(schedule, "TZ=") || strings.HasPrefix(schedule, "CRON_TZ=") {
		return fmt.Errorf("a time zone belongs into spec.timezone: %s", schedule)
	}
	defer func() { // the parser's own bugs are the schedule's fault
		if r := recover(); r != nil {
			err = fmt.Errorf("not a schedule: %s", schedule)
		}
	}()
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	_, err = parser.Parse(schedule)
	return err
}

func (d *decoder) timezone(f field) {
	if f.text() == "" {
		return
	}
	if _, err := time.LoadLocation(f.text()); err != nil {
		d.invalid(f, fmt.Sprintf("provided bad location %s: %v", f.text(), err), "")
	}
}

// pingData reads data or dataBase64.
func (d *decoder) pingData(spec field, contentType string) []byte {
	plain, encoded := spec.at("data"), spec.at("dataBase64")
	used, data := plain, []byte(plain.text())
	if plain.text() != "" && encoded.text() != "" {
		d.bothOf(spec, plain, encoded)
		return nil
	}
	for _, f := range []field{plain, encoded} {
		if limit := d.settings.pingLimit; limit >= 0 && int64(len(f.text())) > limit {
			name := f.path[len(spec.path)+1:]
			d.invalid(f, fmt.Sprintf("the %s length of %d bytes exceeds limit set at %d.", name, len(f.text()), limit), "")
			return nil
		}
	}
	if encoded.text() != "" {
		decoded, err := base64.StdEncoding.DecodeString(encoded.text())
		if err != nil {
			d.invalid(encoded, err.Error(), "")
			return nil
		}
		used, data = encoded, decoded
	}
	if contentType == "application/json" && len(data) > 0 {
		var value json.RawMessage
		if err := json.Unmarshal(data, &value); err != nil {
			d.invalid(used, err.Error(), "")
		}
	}
	if len(data) == 0 {
		return nil
	}
	return data
}
