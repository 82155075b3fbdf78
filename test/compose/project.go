package compose

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads the repository's docker-compose.yaml as `docker compose` does in a shell whose
// environment has none of its variables.
func load(ctx context.Context, root string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yaml")},
		cli.WithWorkingDirectory(root), cli.WithEnv(nil), cli.WithResolvedPaths(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// environment is what the file gives to a service, name=value, sorted.
func environment(s types.ServiceConfig) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		if value := s.Environment[name]; value != nil {
			all = append(all, name+"="+*value)
		}
	}
	return all
}

// variables is the same as a map.
func variables(s types.ServiceConfig) map[string]string {
	all := map[string]string{}
	for _, entry := range environment(s) {
		name, value, _ := strings.Cut(entry, "=")
		all[name] = value
	}
	return all
}

// merge adds entries to an environment; later ones win.
func merge(env ...[]string) []string {
	all := map[string]string{}
	for _, list := range env {
		for _, entry := range list {
			name, value, _ := strings.Cut(entry, "=")
			all[name] = value
		}
	}
	var sorted []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sorted = append(sorted, name+"="+all[name])
	}
	return sorted
}
