package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// LockedError is returned by Start when another process uses the data folder.
type LockedError struct {
	Dir string
	PID int // of the holder; 0 when unknown
}

func (e *LockedError) Error() string {
	holder := "another process"
	if e.PID > 0 {
		holder = fmt.Sprintf("another process (pid %d)", e.PID)
	}
	return fmt.Sprintf("data folder %s is in use by %s: stop it, or set DATA_DIR to another folder", e.Dir, holder)
}

// NotWritableError is returned by Start when the data folder cannot be used.
type NotWritableError struct {
	Dir string
	Err error
}

func (e *NotWritableError) Error() string {
	return fmt.Sprintf("data folder %s is not writable: %v: change its permissions, or set DATA_DIR to another folder", e.Dir, reason(e.Err))
}

// Unwrap returns the system's error.
func (e *NotWritableError) Unwrap() error { return e.Err }

// reason leaves out the path, which the sentence already has.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// errLocked is returned by tryLock when another process holds the lock.
var errLocked = errors.New("locked")

// lockFolder creates the folder and locks it. The lock ends with the file or
// the process, however that ends; the file stays.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &NotWritableError{Dir: dir, Err: err}
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, &NotWritableError{Dir: dir, Err: err}
	}
	if err := tryLock(file); err != nil {
		defer file.Close()
		if errors.Is(err, errLocked) {
			return nil, &LockedError{Dir: dir, PID: readPID(file)}
		}
		return nil, &NotWritableError{Dir: dir, Err: err}
	}
	if err := writePID(file); err != nil {
		defer file.Close()
		return nil, &NotWritableError{Dir: dir, Err: err}
	}
	return file, nil
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func readPID(file *os.File) int {
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
