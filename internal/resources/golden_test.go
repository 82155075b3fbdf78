package resources

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGoldenBad: for each manifest of testdata/bad, what `kurier validate`
// prints.
func TestGoldenBad(t *testing.T) {
	golden(t, "testdata/bad", func(file string) string {
		text, ok := Validate([]string{file}, options())
		if ok {
			t.Errorf("%s is good", file)
		}
		return text
	})
}

// TestGoldenGood: for each manifest of testdata/good, the plan that it becomes.
func TestGoldenGood(t *testing.T) {
	o := options()
	o.Strict = true
	golden(t, "testdata/good", func(file string) string {
		plan, err := Load(file, o)
		if err != nil {
			t.Error(err)
		}
		return describe(plan)
	})
}

// TestGoldenChanged: for each manifest of testdata/changed and its next version,
// what a reload refuses, and which objects are at their second generation.
func TestGoldenChanged(t *testing.T) {
	golden(t, "testdata/changed", func(file string) string {
		start, err := Load(file, options())
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".next")
		if err != nil {
			t.Fatal(err)
		}
		next := reload(start, []source{{name: file, data: data}}, options())
		if len(next.Errors) == 0 {
			t.Errorf("%s: nothing is refused", file)
		}
		return told(next) + "# changed\n" + changed(next)
	})
}

// told is what a server says of the problems of a Plan.
func told(p *Plan) string {
	var text strings.Builder
	for _, problem := range slices.Concat(p.Errors, p.Warnings) {
		fmt.Fprintln(&text, problem)
	}
	return text.String()
}

func changed(p *Plan) string {
	var text strings.Builder
	for _, o := range p.Objects {
		if o.Generation > 1 && o.Owner.IsZero() {
			fmt.Fprintln(&text, o.Ref)
		}
	}
	return text.String()
}

// TestValidateAndReloadAgree: a running server says of bad manifests what
// `kurier validate` says of them.
func TestValidateAndReloadAgree(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no manifests", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, _ := Validate([]string{file}, options())
			empty, err := load(nil, options(), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := told(Reload(empty, file, options()))
			if want := text[:strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1]; got != want {
				t.Errorf("a reload says:\n%s\nvalidate says:\n%s", got, want)
			}
		})
	}
}

func golden(t *testing.T, folder string, output func(file string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no manifests", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got, name := output(file), strings.TrimSuffix(file, ".yaml")+".golden"
			if *update {
				write(t, name, got)
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; got:\n%s", name, got)
			}
		})
	}
}

// describe prints a plan for people.
func describe(p *Plan) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# topics")
	for _, topic := range p.Topics {
		made := "must exist"
		if topic.Create {
			made = fmt.Sprintf("partitions %d, replication %s %s", topic.Partitions, orDefault(int(topic.Replication)), config(topic.Config))
		}
		line("%s%s: %s", at(topic.Cluster), topic.Name, strings.TrimSpace(made))
	}
	line("\n# addresses")
	for _, target := range p.Targets {
		line("POST %s -> %s%s%s", target.Path, at(target.Cluster), target.Topic, when(target.Structured, " (structured)"))
	}
	line("\n# consumers")
	for _, c := range p.Consumers {
		describeConsumer(line, c)
	}
	line("\n# pings")
	for _, ping := range p.Pings {
		line("%s: %s %s -> %s", ping.Ref, ping.Schedule, ping.Timezone, ping.Sink.URL)
	}
	line("\n# objects")
	for _, o := range p.Objects {
		line("%s", o.Ref)
		for _, c := range o.Conditions {
			line("  %s=%s %s", c.Type, c.Status, strings.TrimPrefix(c.Reason+": "+c.Message, ": "))
		}
	}
	for _, warning := range p.Warnings {
		line("\n%s", warning)
	}
	return strings.ReplaceAll(text.String(), " \n", "\n")
}

func describeConsumer(line func(string, ...any), c Consumer) {
	line("%s", c.Ref)
	line("  reads       %s%s as %s, %s, %d at once, from %s", at(c.Cluster), c.Topic, c.Group, c.Order, c.Concurrency, []string{"latest", "earliest", "timestamp"}[c.InitialOffset.Kind])
	line("  sends to    %s", c.Subscriber.URL)
	if c.Reply.Kind != ReplyNone {
		line("  replies to  %s", c.Reply.Destination.URL)
	}
	d := c.Delivery
	line("  delivery    retry %d, timeout %v, backoff %s %v up to %v, %s", d.Retry, d.Timeout, d.Policy, d.Delay, d.BackoffMax, d.Format)
	if d.DeadLetterSink != nil {
		line("  dead letter %s", d.DeadLetterSink.URL)
	} else {
		line("  dead letter topic %s", c.DeadLetter.Topic)
	}
	for _, b := range c.Blocked {
		line("  not started %s", b.Message)
	}
}

func at(cluster string) string {
	if cluster == "" {
		return ""
	}
	return cluster + "/"
}

func orDefault(n int) string {
	if n == 0 {
		return "as the cluster's default"
	}
	return fmt.Sprint(n)
}

func config(c map[string]string) string {
	if len(c) == 0 {
		return ""
	}
	return fmt.Sprint(c)
}

func when(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}
