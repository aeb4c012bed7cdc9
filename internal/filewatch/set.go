package filewatch

import (
	"os"
	"path/filepath"
	"strings"
)

// Set is the files to watch, by folder.
type Set struct{ folders map[string]*folder }

// folder is a folder whose path has no link, and the names that matter in it.
type folder struct {
	names map[string]bool
	match []func(name string) bool
}

func (s *Set) folder(path string) *folder {
	f := s.folders[path]
	if f == nil {
		f = &folder{names: make(map[string]bool)}
		s.folders[path] = f
	}
	return f
}

// File adds a file, or a folder without its content, and each link on the way to it. The file need
// not exist.
func (s *Set) File(path string) {
	real, _ := s.follow(path)
	s.folder(filepath.Dir(real)).names[filepath.Base(real)] = true
}

// Folder adds the content of a folder whose names match accepts, and each link on the way to it. If
// the folder does not exist, it adds the place where it will appear.
func (s *Set) Folder(path string, match func(name string) bool) {
	real, ok := s.follow(path)
	if info, err := os.Stat(real); !ok || err != nil || !info.IsDir() {
		s.folder(filepath.Dir(real)).names[filepath.Base(real)] = true
		return
	}
	f := s.folder(real)
	f.match = append(f.match, match)
}

// maxLinks is how many links the kernel follows on the way to a file.
const maxLinks = 40

// follow adds each link on the way to path, and returns the target. If a part of the way does not
// exist, it returns the first such part, and false.
func (s *Set) follow(path string) (real string, ok bool) {
	left := strings.Split(filepath.Clean(path), "/")
	real = "/"
	for links := 0; len(left) > 0; {
		next := filepath.Join(real, left[0])
		left = left[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return next, false
		}
		if info.Mode().Type() != os.ModeSymlink {
			real = next
			continue
		}
		s.folder(filepath.Dir(next)).names[filepath.Base(next)] = true
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return next, false
		}
		if filepath.IsAbs(target) {
			real = "/"
		}
		left = append(strings.Split(filepath.Clean(target), "/"), left...)
	}
	return real, true
}

// concerns says whether a change at a path matters.
func (s *Set) concerns(path string) bool {
	if s.folders[path] != nil {
		return true // a watched folder has appeared or disappeared
	}
	f := s.folders[filepath.Dir(path)]
	if f == nil {
		return false
	}
	name := filepath.Base(path)
	if f.names[name] {
		return true
	}
	for _, match := range f.match {
		if match(name) {
			return true
		}
	}
	return false
}
