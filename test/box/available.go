package box

import (
	"errors"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Available returns nil when boxes can be run here, else what is missing.
func Available() error {
	if os.Getuid() != 0 {
		return errors.New("no boxes: namespaces, mounts and chroot need root")
	}
	for tool, pkg := range map[string]string{"ip": "iproute2", "nsenter": "util-linux"} {
		if _, err := exec.LookPath(tool); err != nil {
			return errors.New("no boxes: there is no command " + tool + " (Debian package " + pkg + ")")
		}
	}
	err := onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	if err != nil {
		return errors.New("no boxes: this machine forbids network namespaces: " + err.Error())
	}
	return nil
}
