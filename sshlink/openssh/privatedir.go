package openssh

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/tunnelfile"
)

// privatePrefix is what the names of our folders for sockets start with, and remotePrefix those of
// the folders of remote forwards, see [master.remoteDir].
const (
	privatePrefix = "holdfast-ssh-"
	remotePrefix  = privatePrefix + "r-"
)

// privateParent is where they are. A unix socket's path may have 107 bytes, and ssh needs 17
// more than the name for a moment.
func privateParent() string {
	parent := os.Getenv("XDG_RUNTIME_DIR")
	if tunnelfile.OfSystem(os.Getenv) {
		parent = tunnelfile.RuntimeDir(os.Getenv)
	}
	if parent == "" || len(parent) > 60 {
		parent = os.TempDir()
	}
	return parent
}

var sweepOnce sync.Once

// privateDir makes a folder that only this person can enter, and holds a lock on it as long as this
// process lives: what has none was left by one that was killed. Call remove when it is not
// needed any more.
func privateDir() (dir string, remove func(), err error) {
	sweepOnce.Do(func() { sweep(privateParent()) })
	dir, err = os.MkdirTemp(privateParent(), privatePrefix)
	if err != nil {
		return "", nil, err
	}
	lock, err := os.Open(dir)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_SH)
	}
	if err == nil {
		// Another process may have swept it away before the lock.
		_, err = os.Stat(dir)
	}
	if err != nil {
		lock.Close()
		os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, func() {
		os.RemoveAll(dir)
		lock.Close()
	}, nil
}

// sweep removes what killed processes of this person's left.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, privatePrefix+"*"))
	for _, dir := range dirs {
		if strings.HasPrefix(filepath.Base(dir), remotePrefix) {
			// It has a name for good, and no lock: whether somebody listens in it tells.
			socket := filepath.Join(dir, "r")
			if c, err := net.Dial("unix", socket); err == nil {
				c.Close()
			} else if errors.Is(err, syscall.ECONNREFUSED) {
				os.Remove(socket)
				os.Remove(dir)
			}
			continue
		}
		lock, err := os.Open(dir)
		if err != nil {
			continue // somebody else's
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
