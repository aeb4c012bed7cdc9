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

// The names of our folders for sockets start with privatePrefix, and those of the folders for
// remote forwards with remotePrefix, see [master.remoteDir].
const (
	privatePrefix = "holdfast-ssh-"
	remotePrefix  = privatePrefix + "r-"
)

// privateParent is the folder that they are in. The path of a unix socket may have 107 bytes
// (unix(7)), and ssh adds 17 to the name for a moment.
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

// privateDir makes a folder that only this account can enter, and keeps a lock on it as long as
// this process lives. A folder without a lock was left by a process that was killed. Call remove
// when the folder is not needed any more.
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
		// Another process may have removed it before it was locked.
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

// sweep removes the folders that killed processes of this account left.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, privatePrefix+"*"))
	for _, dir := range dirs {
		if strings.HasPrefix(filepath.Base(dir), remotePrefix) {
			// Its name is fixed, and it has no lock. It is in use if somebody listens in it.
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
			continue // another account's
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
