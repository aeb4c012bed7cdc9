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

// RuntimeDir is the folder with the sockets, locks and markers of running tunnels: "holdfast" in
// $XDG_RUNTIME_DIR. If that is not set, it is /run/holdfast for root (system mode), and for other
// users a folder in /run/user or, as in a container, in the folder for temporary files; see
// [MakeRuntimeDir]. A tunnel of the system has the folder that systemd made for its user.
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

// MakeRuntimeDir makes a RuntimeDir for this user alone. It fails if other users can write to it,
// which is possible in a shared folder for temporary files.
func MakeRuntimeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if !isOwn(dir) {
		return fmt.Errorf("%s is not a folder of this user alone", dir)
	}
	return nil
}

// isOwn says whether path is a folder, and no link, that only this user may change.
func isOwn(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}

// usersDir has a folder for each user that a tunnel of the system runs as.
const usersDir = "/run/" + RuntimeDirName + "/user"

// UserRuntimeDir is the RuntimeDir that the system's tunnels of one user share. Only that user and
// root can read it.
func UserRuntimeDir(user string) string { return filepath.Join(usersDir, user) }

// OfSystem says whether this process belongs to a tunnel of the system: systemd sets
// RUNTIME_DIRECTORY for RuntimeDirectory=.
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
// If the path is too long for a socket, the socket's name is a hash of the tunnel's name. No
// tunnel's name has a "~", so the two never collide.
func ReportSocket(runtimeDir, name string) string {
	path := filepath.Join(runtimeDir, name+".sock")
	if len(path) <= maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(runtimeDir, "~"+hex.EncodeToString(sum[:8])+".sock")
}
