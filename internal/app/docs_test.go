package app

import (
	"os"
	"strings"
	"testing"
)

// The page is the table that `kurier help env` prints, under a heading.
func TestConfigurationPageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), EnvTable()) {
		t.Errorf("docs/configuration.md is not what the code reads; put this table into it:\n%s", EnvTable())
	}
}
