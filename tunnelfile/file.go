package tunnelfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/atomicfile"
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

// Write replaces the text of a file as a whole, see [atomicfile.Write]. It makes missing folders,
// keeps the mode of an existing file, and writes the target of a symbolic link. A file that gets
// its first secret gets mode 0600.
func Write(path, text string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if before, _ := ReadText(path); HoldsSecrets(text) && !HoldsSecrets(before) {
		mode = 0o600
	}
	return atomicfile.Write(path, []byte(text), mode)
}
