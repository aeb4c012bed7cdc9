package tunnelfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ReadText reads a regular file. It reads no more than one byte above MaxFileSize.
func ReadText(path string) (string, error) {
	// O_NONBLOCK: opening a FIFO that nobody writes to would otherwise wait for ever.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "read", Path: path, Err: errors.New("is not a regular file")}
	}
	// One byte more than may be shows that the file is too long; scan says so.
	text, err := io.ReadAll(io.LimitReader(file, MaxFileSize+1))
	return string(text), err
}

// fileMessage is what went wrong with a file, without the path, which the Problem has.
func fileMessage(err error) string {
	message := err.Error()
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		message = pathError.Err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			message = "is a symbolic link to nothing"
		}
	}
	return message
}

// Write replaces the text of a file as a whole: a reader finds the old text or the new one, even
// after a crash or on a full disk. It makes missing folders, keeps the mode of an existing file,
// and writes the target of a symbolic link.
func Write(path, text string) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	// The name of the new file begins with a dot, so it is no tunnel file.
	file, err := createBeside(path)
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
	if mode, ok := modeFor(path, text); ok {
		if err := file.Chmod(mode); err != nil {
			return err
		}
	}
	if _, err := file.WriteString(text); err != nil {
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
	return syncDir(dir)
}

// modeFor is the mode for the file at path with that text: the mode that it has, or 0600 if the text
// has a secret and the old one had none. It is false for a new file, which keeps the mode that it
// is made with.
func modeFor(path, text string) (mode fs.FileMode, ok bool) {
	before, _ := ReadText(path)
	if HoldsSecrets(text) && !HoldsSecrets(before) {
		return 0o600, true
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	return info.Mode().Perm(), true
}

// createBeside makes a new file in the folder of path, with mode 0644 less the umask. (os.CreateTemp
// would use 0600.)
func createBeside(path string) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.%d", filepath.Base(path), os.Getpid(), try))
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
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
