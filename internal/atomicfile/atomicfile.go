// Package atomicfile replaces files as a whole.
//
// It imports nothing of ours, and knows nothing of what is in the files.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Write replaces the content of a file: a reader finds the old content or the new one, even after a
// crash or on a full disk, and so do several processes that write at once. The folder must exist.
//
// perm is the mode of a new file, less the umask. A file that exists keeps its mode, unless perm
// allows only the owner.
func Write(path string, content []byte, perm fs.FileMode) (err error) {
	file, err := createBeside(path, perm)
	defer func() {
		if err != nil && file != nil {
			file.Close()
			os.Remove(file.Name())
		}
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			failed.Path = path // the name of the new file says nothing to people
		}
	}()
	if err != nil {
		return err
	}
	if info, statErr := os.Stat(path); statErr == nil && perm&0o077 != 0 {
		if err := file.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// createBeside makes a new file in the folder of path. Its name begins with a dot. (os.CreateTemp
// would always use mode 0600.)
func createBeside(path string, perm fs.FileMode) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.%d", filepath.Base(path), os.Getpid(), try))
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if errors.Is(err, fs.ErrExist) && try < 100 {
			continue
		}
		return file, err
	}
}

// syncDir makes a rename durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some file systems cannot sync a folder.
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
