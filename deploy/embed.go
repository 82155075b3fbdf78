// Package deploy holds what is needed to run Kurier somewhere: the Dockerfile and
// the example manifests. As a Go package it only embeds those examples, so that
// `kurier dev` can write them into a fresh data folder; it never writes itself.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed examples/*.yaml
var files embed.FS

// Examples returns the example manifests as a read-only file tree whose root is
// the folder deploy/examples. The files serve `kurier dev` and Docker Compose alike.
func Examples() fs.FS {
	tree, err := fs.Sub(files, "examples")
	if err != nil { // only a malformed path can fail, and ours is a constant
		panic(err)
	}
	return tree
}
