package main

import (
	"errors"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/app"
)

func TestUsageErrorsExitWith2(t *testing.T) {
	tests := map[string]string{ // command line -> part of the complaint
		"nonsense":                       `unknown command "nonsense"`,
		"statsu":                         "did you mean status?",
		"--nonsense":                     "unknown flag: --nonsense",
		"help nonsense":                  `no help about "nonsense"`,
		"dev extra":                      `unknown argument "extra"`,
		"run --port 1":                   "unknown flag: --port",
		"receiver -x":                    "unknown shorthand flag",
		"dispatcher a b":                 `unknown argument "a"`,
		"version x":                      `unknown argument "x"`,
		"validate --nonsense":            "unknown flag: --nonsense",
		"health x":                       `unknown argument "x"`,
		"health --timeout 3s":            "use ISO 8601",
		"health --timeout -PT3S":         "negative durations",
		"health --live --url http://x":   "not both",
		"display x":                      `unknown argument "x"`,
		"display --port 70000":           "invalid argument",
		"display --status 99":            "status 99",
		"display --fail-status 200":      "fail status 200",
		"display --reply-data x":         "--reply-type",
		"display --delay 1s":             "use ISO 8601",
		"send":                           "a target is missing",
		"send nowhere":                   "is no target",
		"send trigger/default/x":         "takes no events: send to the broker or channel it reads from",
		"send pingsource/default/x":      "takes no events; what does: broker, channel",
		"send ftp://x/y":                 "allowed: an http or https URL",
		"send broker/x --repeat 0":       "--repeat 0",
		"send broker/x --rate -1":        "--rate -1",
		"send broker/x --rate 0":         "--rate 0",
		"send broker/x --extension x":    "NAME=VALUE",
		"send broker/x --key a --keys b": "not both",
		"send broker/x f --repeat 2":     "not with a file",
		"send broker/x f --data x":       "do not go together",
		"send broker/x f g":              `unknown argument "g"`,
		"send --to broker/x f g":         `unknown argument "g"`,
		"status a/b/c/d":                 "does not name an object",
		"status a/b c":                   `unknown argument "c"`,
		"status -o xml":                  "allowed: table, json, yaml",
		"status --timeout 90":            "use ISO 8601",
		"tail":                           "say of which object",
		"tail orders":                    "does not name an object",
		"tail broker/x --from tomorrow":  "oldest, newest",
		"tail broker/x -o yaml":          "allowed: text, json",
	}
	for line, says := range tests {
		got := newFixture().run(t, strings.Fields(line)...)
		if got.code != 2 || !strings.Contains(got.err, says) || !strings.Contains(got.err, "--help' for how to use it.") {
			t.Errorf("kurier %s: status %d, %q, want %q", line, got.code, got.err, says)
		}
		if got.out != "" {
			t.Errorf("kurier %s: prints %q", line, got.out)
		}
	}
}

func TestHelp(t *testing.T) {
	lines := []string{
		"", "dev", "run", "receiver", "dispatcher", "display", "send", "tail", "status", "validate", "health", "version",
	}
	for _, name := range lines {
		got := newFixture().run(t, strings.Fields(name+" --help")...)
		if got.code != 0 || got.err != "" {
			t.Errorf("%s --help: %+v", name, got)
		}
		again := newFixture().run(t, strings.Fields("help "+name)...)
		if again != got {
			t.Errorf("help %s differs from %s --help:\n%s", name, name, again.out)
		}
		for line := range strings.Lines(got.out) {
			if len([]rune(line)) > 121 {
				t.Errorf("%s --help has a long line: %s", name, line)
			}
		}
		if name == "" {
			name = "kurier"
		}
		golden(t, "help-"+name+".txt", got.out)
	}
	if bare, help := newFixture().run(t), newFixture().run(t, "--help"); bare != help {
		t.Errorf("kurier alone does not print its help: %+v", bare)
	}
}

func TestHelpEnvPrintsTheTable(t *testing.T) {
	got := newFixture().run(t, "help", "env")
	if got.code != 0 || !strings.Contains(got.out, app.EnvTable()) {
		t.Errorf("%+v", got)
	}
}

func TestVersion(t *testing.T) {
	if got := newFixture().run(t, "version"); got.code != 0 || !strings.HasPrefix(got.out, "kurier v1.2.3 (go1.") {
		t.Errorf("%+v", got)
	}
	if versionText("") == "" {
		t.Error("a build without a linked version has none")
	}
}

func TestRoles(t *testing.T) {
	for _, role := range []app.Role{app.RoleDev, app.RoleRun, app.RoleReceiver, app.RoleDispatcher} {
		f := newFixture()
		f.config.DataDir = "here"
		if got := f.run(t, string(role)); got != (outcomeOf{}) {
			t.Errorf("%s: %+v", role, got)
		}
		if f.ran == nil || f.ran.Role != role || f.ran.Config.DataDir != "here" || f.ran.Out == nil || f.ran.Err == nil {
			t.Errorf("%s: %+v", role, f.ran)
		}
		f.result = errors.New("port 8080 is taken")
		if got := f.run(t, string(role)); got.code != 1 || got.err != "kurier: port 8080 is taken\n" {
			t.Errorf("%s: %+v", role, got)
		}
	}
}

func TestABadEnvironmentExitsWith2(t *testing.T) {
	for _, line := range []string{"dev", "status", "tail broker/x", "send broker/x", "validate x", "health"} {
		f := newFixture()
		f.failed = &app.EnvError{Problems: []string{`INGRESS_PORT="x": allowed: a whole number`, "another"}}
		got := f.run(t, strings.Fields(line)...)
		if got.code != 2 || !strings.Contains(got.err, "INGRESS_PORT") || !strings.Contains(got.err, "another") || f.ran != nil {
			t.Errorf("%s: %+v", line, got)
		}
	}
}
