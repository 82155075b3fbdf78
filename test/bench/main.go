package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == childWord {
		if err := runChild(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// command parses the flags and does what they say.
func command(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var (
		o        options
		list     = flags.Bool("list", false, "print the names of the parts and end")
		report   = flags.String("report", "", "also write the results as a page of Markdown")
		from     = flags.String("from", "", "measure nothing, make the page from these JSON files, comma-separated: of several runs the median")
		existing = flags.String("kafka", "", "host:port of an existing Kafka to use")
		embedded = flags.Bool("embedded", false, "use the embedded broker even if Java is there")
	)
	flags.IntVar(&o.rounds, "rounds", 3, "rounds of each comparison; medians count")
	flags.DurationVar(&o.lasts, "time", 4*time.Second, "longest time of one window")
	flags.DurationVar(&o.soak, "soak", 10*time.Minute, "how long the part soak lasts")
	flags.Float64Var(&o.scale, "scale", 1, "scale of the numbers of events, triggers and connections")
	flags.StringVar(&o.json, "json", "bench.json", "file to write the results to, after each part")
	flags.StringVar(&o.binary, "binary", "", "kurier binary to measure; built when not given")
	flags.StringVar(&o.other, "other", "", "another kurier binary to measure in the same rounds: before and after a change (receive, deliver-unordered)")
	flags.StringVar(&o.env, "env", "", "more of kurier's environment, NAME=VALUE, comma-separated; not for the other binary")
	flags.StringVar(&o.profiles, "profiles", "", "folder for processor and allocation profiles of kurier; they cost a little time themselves")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *list {
		for _, p := range parts() {
			fmt.Printf("%-20s %s\n", p.name, p.what) //nolint:forbidigo // this is the output
		}
		return nil
	}
	if *from != "" {
		return reportFrom(strings.Split(*from, ","), *report)
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	r, err := measureAll(o, chosen, *existing, *embedded)
	if err != nil {
		return err
	}
	r.print(os.Stdout)
	if *report != "" {
		return reportFrom([]string{o.json}, *report)
	}
	return nil
}

// measureAll runs the parts one after the other on one Kafka.
func measureAll(o options, chosen []part, existing string, embeddedOnly bool) (*result, error) {
	dir, err := os.MkdirTemp("", "kurier-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, out: os.Stderr}
	if b.binary == "" {
		if b.binary, err = buildKurier(dir); err != nil {
			return nil, err
		}
	}
	if b.broker, err = startBroker(existing, embeddedOnly, dir); err != nil {
		return nil, err
	}
	defer b.broker.close()
	b.result = result{
		When: time.Now().UTC().Format(time.DateOnly), Kafka: b.broker.Kind, Go: runtime.Version(), Load: loadAverage(),
		Machine: fmt.Sprintf("%d processors, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH), Rounds: o.rounds,
		Skipped: map[string]string{},
	}
	fmt.Fprintf(b.out, "bench: %s; %s; load average before: %s\n", b.broker.Kind, b.result.Machine, b.result.Load)
	if err := b.warmKafka(); err != nil {
		return nil, err
	}
	for _, p := range chosen {
		fmt.Fprintf(b.out, "%s: %s (load average %s)\n", p.name, p.what, loadAverage())
		b.part = p.name
		if err := p.run(b); err != nil {
			fmt.Fprintf(b.out, "  %v\n", err)
			b.result.Skipped[p.name] = err.Error()
		}
		if err := b.result.save(o.json); err != nil {
			return nil, err
		}
	}
	return &b.result, nil
}
