package tunnelfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// RuntimeDirName is our folder's name in $XDG_RUNTIME_DIR, and in /run in system mode.
const RuntimeDirName = "holdfast"

// maxSocketPath is the longest path, in bytes, that unix(7) takes for a socket: sun_path
// has 108 and the last is a NUL.
const maxSocketPath = 107

// RuntimeDir is where sockets, locks and marks of running tunnels are: "holdfast" in
// $XDG_RUNTIME_DIR. Where that is not set, it is /run/holdfast for root (system mode), and for
// others a folder in /run/user or, as in a container, in the one for temporary files; see
// [MakeRuntimeDir]. A tunnel of the system has the folder of the user that it runs as, which
// systemd made for it.
func RuntimeDir(getenv func(string) string) string {
	if dir, ok := systemRuntimeDir(getenv); ok {
		return dir
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, RuntimeDirName)
	}
	uid := os.Getuid()
	if uid == 0 {
		return filepath.Join("/run", RuntimeDirName)
	}
	if dir := fmt.Sprintf("/run/user/%d", uid); isOwn(dir) {
		return filepath.Join(dir, RuntimeDirName)
	}
	temporary := "/tmp"
	if dir := getenv("TMPDIR"); filepath.IsAbs(dir) {
		temporary = dir
	}
	return filepath.Join(temporary, fmt.Sprintf("%s-%d", RuntimeDirName, uid))
}

// MakeRuntimeDir makes a RuntimeDir for this user alone. It fails where somebody else could
// put something into it, as in a folder for everybody's temporary files.
func MakeRuntimeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if !isOwn(dir) {
		return fmt.Errorf("%s is not a folder of this user alone", dir)
	}
	return nil
}

// isOwn says whether path is a folder, and no link to one, that this user alone may change.
func isOwn(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}

// usersDir has a folder for each user that tunnels of the system run as.
const usersDir = "/run/" + RuntimeDirName + "/user"

// UserRuntimeDir is the RuntimeDir of the system's tunnels that run as a user. Those of one
// user share it; nobody else but root can look into it.
func UserRuntimeDir(user string) string { return filepath.Join(usersDir, user) }

// OfSystem says whether this process belongs to a tunnel of the system, by what systemd
// put into its environment for RuntimeDirectory=.
func OfSystem(getenv func(string) string) bool {
	_, ok := systemRuntimeDir(getenv)
	return ok
}

func systemRuntimeDir(getenv func(string) string) (dir string, ok bool) {
	for _, dir := range filepath.SplitList(getenv("RUNTIME_DIRECTORY")) {
		if filepath.Dir(dir) == usersDir {
			return dir, true
		}
	}
	return "", false
}

// ReportSocket is the unix socket on which the worker of a tunnel gives its Report.
//
// In a deep runtime directory a long name would not fit in a socket's address; then the
// socket is called by a hash of the name, which both sides compute alike. "~" is in no
// tunnel's name, so the two kinds never meet.
func ReportSocket(runtimeDir, name string) string {
	path := filepath.Join(runtimeDir, name+".sock")
	if len(path) <= maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(runtimeDir, "~"+hex.EncodeToString(sum[:8])+".sock")
}
