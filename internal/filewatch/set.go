package filewatch

import (
	"os"
	"path/filepath"
	"strings"
)

// Set is what is watched, by the folders that it lies in.
type Set struct{ folders map[string]*folder }

// folder is a folder without a link on the way to it, and what is of interest in it.
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

// File adds a file or a folder as such, there or not, and each link on the way to it.
func (s *Set) File(path string) {
	real, _ := s.follow(path)
	s.folder(filepath.Dir(real)).names[filepath.Base(real)] = true
}

// Folder adds what a folder holds, as far as match says so of a name, and each link on the way
// to it. Where there is no such folder it adds that it comes.
func (s *Set) Folder(path string, match func(name string) bool) {
	real, ok := s.follow(path)
	if info, err := os.Stat(real); !ok || err != nil || !info.IsDir() {
		s.folder(filepath.Dir(real)).names[filepath.Base(real)] = true
		return
	}
	f := s.folder(real)
	f.match = append(f.match, match)
}

// maxLinks is as many links on the way to a file as the kernel follows.
const maxLinks = 40

// follow adds each link on the way to path, and returns where the way leads. If it ends
// early, that is the first thing that is not there, and false.
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

// concerns says whether a change at a path is of interest.
func (s *Set) concerns(path string) bool {
	if s.folders[path] != nil {
		return true // a folder that is watched came or went
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
