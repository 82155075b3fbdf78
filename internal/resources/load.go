package resources

import (
	"context"
	"log/slog"
)

type memory struct{}

// Load reads path, a folder or one file. The Plan is never nil; the error is
// Problems, every error of every file, and nil when there is none.
func Load(path string, o Options) (*Plan, error) { return &Plan{}, nil }

// Reload reads path again. Objects in error keep the version that old has, the
// others proceed; what is gone from the folder is gone from the Plan. A path
// that cannot be read keeps everything. Plan.Errors tells what was wrong.
func Reload(old *Plan, path string, o Options) *Plan { return &Plan{} }

// Validate reads paths as the server would and answers the full text to print;
// ok is false when there is an error in it.
func Validate(paths []string, o Options) (text string, ok bool) { return "", true }

// CheckDefaultDelivery says what is wrong with Options.DefaultDelivery, or nil.
func CheckDefaultDelivery(text string) error { return nil }

// CheckDeadLetterTopicTemplate says what is wrong with
// Options.DeadLetterTopicTemplate, or nil.
func CheckDeadLetterTopicTemplate(text string) error { return nil }

// Watch tells when something below path may have changed. It takes its first
// look before it returns: call it before Load and no change is missed. The
// channel holds one signal; it is closed when ctx has ended and nothing of the
// watcher runs any more. A path that is not there yet is fine.
func Watch(ctx context.Context, path string, logger *slog.Logger) <-chan struct{} {
	changes := make(chan struct{}, 1)
	go func() { defer close(changes); <-ctx.Done() }()
	return changes
}
