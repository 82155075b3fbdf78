package otlp

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// NewSampler makes the sampler that OTEL_TRACES_SAMPLER and its argument name.
// The error says what is allowed.
func NewSampler(name, arg string) (sdktrace.Sampler, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	base, ofParent := strings.CutPrefix(name, "parentbased_")
	var sampler sdktrace.Sampler
	switch base {
	case "":
		sampler, ofParent = sdktrace.AlwaysSample(), true
	case "always_on":
		sampler = sdktrace.AlwaysSample()
	case "always_off":
		sampler = sdktrace.NeverSample()
	case "traceidratio":
		ratio, err := parseRatio(arg)
		if err != nil {
			return nil, err
		}
		sampler = sdktrace.TraceIDRatioBased(ratio)
	default:
		return nil, fmt.Errorf("sampler %q is not known; allowed: always_on, always_off, traceidratio, "+
			"parentbased_always_on, parentbased_always_off, parentbased_traceidratio", name)
	}
	if ofParent {
		sampler = sdktrace.ParentBased(sampler)
	}
	return sampler, nil
}

// ErrRatio is the error for an argument that is no share.
var ErrRatio = errors.New("allowed: a share from 0 to 1, for example 0.1")

func parseRatio(arg string) (float64, error) {
	if arg = strings.TrimSpace(arg); arg == "" {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) { // NaN is neither
		return 0, ErrRatio
	}
	return ratio, nil
}

// ParseAttributes reads OTEL_RESOURCE_ATTRIBUTES: key=value, comma-separated,
// both percent-encoded.
func ParseAttributes(text string) ([]attribute.KeyValue, error) {
	var all []attribute.KeyValue
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		rawKey, rawValue, ok := strings.Cut(pair, "=")
		key, errKey := url.PathUnescape(strings.TrimSpace(rawKey))
		value, errValue := url.PathUnescape(strings.TrimSpace(rawValue))
		if !ok || key == "" || errKey != nil || errValue != nil {
			return nil, fmt.Errorf("%q is not of the form key=value, percent-encoded, for example deployment.environment=test", pair)
		}
		all = append(all, attribute.String(key, value))
	}
	return all, nil
}
