package box

import (
	"fmt"
	"os"
	"path/filepath"
)

// machineFolders are what programs of the machine need to run in a box.
var machineFolders = []string{"/usr", "/etc", "/dev", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// MachineRoot fills root so that the machine's own programs run in it, and returns the
// mounts for that: the box then has the machine's software, which it cannot change, and
// files of its own.
func MachineRoot(root string) ([]Mount, error) {
	var all []Mount
	for _, dir := range machineFolders {
		info, err := os.Lstat(dir)
		switch {
		case os.IsNotExist(err):
			continue
		case err != nil:
			return nil, err
		case info.Mode()&os.ModeSymlink != 0: // /bin is usr/bin
			link, err := os.Readlink(dir)
			if err != nil {
				return nil, err
			}
			if err := os.Symlink(link, filepath.Join(root, dir)); err != nil {
				return nil, err
			}
		default:
			all = append(all, Mount{Source: dir, Target: dir, ReadOnly: dir != "/dev"})
		}
	}
	tmp := filepath.Join(root, "tmp")
	if err := os.MkdirAll(tmp, 0o777); err != nil {
		return nil, fmt.Errorf("make /tmp: %w", err)
	}
	return all, os.Chmod(tmp, 0o1777)
}
