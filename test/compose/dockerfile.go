package compose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// instruction is one step of a Dockerfile.
type instruction struct {
	line  int
	name  string            // upper case
	flags map[string]string // --from=build; a flag given twice is joined by a space
	text  string            // what follows name and flags
}

// fields splits the text at spaces.
func (i instruction) fields() []string { return strings.Fields(i.text) }

// list is a JSON array, the exec form; the shell form is refused.
func (i instruction) list() ([]string, error) {
	var all []string
	if err := json.Unmarshal([]byte(i.text), &all); err != nil {
		return nil, fmt.Errorf("line %d: %s wants the exec form, a JSON list: %w", i.line, i.name, err)
	}
	return all, nil
}

// stage is one FROM and what follows it.
type stage struct {
	base, name string
	steps      []instruction
}

// known are the instructions that this package can carry out; another one is an error, so
// that a Dockerfile never does something that the test leaves out.
var known = strings.Fields("FROM WORKDIR COPY RUN ARG ENV USER EXPOSE HEALTHCHECK ENTRYPOINT CMD")

// parseDockerfile splits a Dockerfile into its stages.
func parseDockerfile(text string) ([]stage, error) {
	var stages []stage
	for _, i := range instructions(text) {
		switch {
		case !slices.Contains(known, i.name):
			return nil, fmt.Errorf("line %d: %s is not known here", i.line, i.name)
		case i.name == "FROM":
			f := i.fields()
			s := stage{base: f[0]}
			if len(f) == 3 && strings.EqualFold(f[1], "AS") {
				s.name = f[2]
			}
			stages = append(stages, s)
		case len(stages) == 0:
			return nil, fmt.Errorf("line %d: %s before FROM", i.line, i.name)
		default:
			last := &stages[len(stages)-1]
			last.steps = append(last.steps, i)
		}
	}
	return stages, nil
}

// instructions joins continued lines and leaves out comments.
func instructions(text string) []instruction {
	var all []instruction
	var whole string
	begin := 0
	for n, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if whole == "" {
			begin = n + 1
		}
		if rest, ok := strings.CutSuffix(trimmed, `\`); ok {
			whole += rest + " "
			continue
		}
		all = append(all, split(begin, whole+trimmed))
		whole = ""
	}
	return all
}

// split takes the name and the flags off an instruction.
func split(line int, whole string) instruction {
	name, rest, _ := strings.Cut(whole, " ")
	i := instruction{line: line, name: strings.ToUpper(name), flags: map[string]string{}}
	rest = strings.TrimSpace(rest)
	for strings.HasPrefix(rest, "--") {
		var flag string
		flag, rest, _ = strings.Cut(rest, " ")
		key, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		i.flags[key] = strings.TrimSpace(i.flags[key] + " " + value)
		rest = strings.TrimSpace(rest)
	}
	i.text = rest
	return i
}
