package resources

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
)

// maxTopicName is Kafka's limit, in characters.
const maxTopicName = 249

// isTopicName tells whether Kafka takes a name.
func isTopicName(name string) bool {
	if len(name) == 0 || len(name) > maxTopicName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

const topicRule = "a topic's name has letters, digits, '.', '_' and '-', 249 at most"

// checkTopicName says what is wrong with a name, or nothing.
func checkTopicName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case name == "." || name == "..":
		return "Kafka does not allow it"
	case len(name) > maxTopicName:
		return fmt.Sprintf("it has %d characters, Kafka allows %d", len(name), maxTopicName)
	case !isTopicName(name):
		return topicRule
	}
	return ""
}

// The templates of names (6.3).
const (
	brokerTopicTemplate     = "knative-broker-{{ .Namespace }}-{{ .Name }}"
	channelTopicTemplate    = "knative-messaging-kafka.{{ .Namespace }}.{{ .Name }}"
	triggerGroupTemplate    = "knative-trigger-{{ .Namespace }}-{{ .Name }}"
	deadLetterTopicTemplate = "{{.ConsumerGroup}}.dead-letter"
)

// metadata is what the templates of topics and groups see.
type metadata struct {
	Name, Namespace, UID string
	Labels, Annotations  map[string]string
}

// deadLetterData is what the template of dead letter topics sees.
type deadLetterData struct {
	ConsumerGroup, Kind, Namespace, Name, Topic string
}

// nameTemplate makes names. The default one is built in, so that a thousand
// names cost nothing.
type nameTemplate struct {
	compiled *texttemplate.Template
	fast     func(namespace, name string) string
}

func parseNameTemplate(text string) (nameTemplate, error) {
	compiled, err := texttemplate.New("name").Option("missingkey=error").Parse(text)
	if err != nil {
		return nameTemplate{}, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	return nameTemplate{compiled: compiled}, nil
}

// make answers the name for m.
func (t nameTemplate) make(m *manifest) (string, error) {
	if t.fast != nil {
		return t.fast(m.namespace, m.name), nil
	}
	return t.execute(metadata{Name: m.name, Namespace: m.namespace, UID: m.uid, Labels: m.labels, Annotations: m.annotations})
}

func (t nameTemplate) execute(data any) (string, error) {
	var name strings.Builder
	if err := t.compiled.Execute(&name, data); err != nil {
		text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "template: "), " in type ") // a type of ours tells nobody anything
		return "", errors.New(text)
	}
	return name.String(), nil
}

func defaultNames() (brokers, channels, triggers nameTemplate) {
	brokers.fast = func(namespace, name string) string { return "knative-broker-" + namespace + "-" + name }
	channels.fast = func(namespace, name string) string { return "knative-messaging-kafka." + namespace + "." + name }
	triggers.fast = func(namespace, name string) string { return "knative-trigger-" + namespace + "-" + name }
	return brokers, channels, triggers
}

// subscriptionGroup is the group of a Subscription; its uid keeps the group of
// a migrated one.
func subscriptionGroup(namespace, channel, uid, name string) string {
	if uid == "" {
		uid = name
	}
	return "kafka." + namespace + "." + channel + "." + uid
}

// CheckDeadLetterTopicTemplate says what is wrong with
// Options.DeadLetterTopicTemplate, or nil.
func CheckDeadLetterTopicTemplate(text string) error {
	_, err := parseDeadLetterTemplate(text)
	return err
}

func parseDeadLetterTemplate(text string) (nameTemplate, error) {
	if text == "" {
		text = deadLetterTopicTemplate
	}
	t, err := parseNameTemplate(text)
	if err != nil {
		return t, err
	}
	name, err := t.execute(deadLetterData{ConsumerGroup: "group", Kind: kindTrigger, Namespace: "default", Name: "name", Topic: "topic"})
	if err != nil {
		return t, err
	}
	if wrong := checkTopicName(name); wrong != "" {
		return t, fmt.Errorf("it makes the name %q: %s", name, wrong)
	}
	return t, nil
}

const serversRule = "expected host:port"

var server = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}$`)

// isServers tells whether text is a comma list of host:port.
func isServers(text string) bool {
	for part := range strings.SplitSeq(text, ",") {
		if !server.MatchString(strings.TrimSpace(part)) {
			return false
		}
	}
	return true
}

// cluster is the name of the cluster at these servers: sorted, each once,
// comma-joined. Each text may be a comma list itself.
func cluster(servers ...string) string {
	var all []string
	for _, text := range servers {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}
