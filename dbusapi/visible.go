package dbusapi

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// On the system bus, everybody can read signals and call. What is in a tunnel file goes only to users
// who may read the file. Signals and GetManagedObjects are the same for everybody, so they have it
// only if everybody may read the file, and never the text of the file.

// fromFile are the properties that have something of the tunnel file.
var fromFile = []string{"Text", "Description", "Destination", "Status", "Tags", "LocalForward", "RemoteForward", "DynamicForward", "Forwards"}

// mayRead says whether the sender may read the tunnel's file.
func (s *server) mayRead(msg dbus.Message, t listing.Tunnel) bool {
	if !s.system || worldReadable(t.FilePath) {
		return true
	}
	refused := s.unlessRoot(msg, func(uid uint32) *dbus.Error {
		if s.runsAs(t.Name, uid) || s.allowedByPolkit(msg) {
			return nil
		}
		return accessDenied(hiddenProblem)
	})
	return refused == nil
}

// worldReadable says whether everybody may read a tunnel file and its drop-ins.
func worldReadable(path string) bool {
	files := []string{path}
	for _, dir := range append(tunnelfile.SystemDirs(), filepath.Dir(path)) {
		dropIns, _ := filepath.Glob(filepath.Join(dir, filepath.Base(path)+".d", "*.conf"))
		files = append(files, dropIns...)
	}
	return !slices.ContainsFunc(files, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Mode().Perm()&0o004 == 0
	})
}

// visible is a tunnel's properties for somebody who may read its file, or who may not.
func visible(t listing.Tunnel, mayRead bool) map[string]dbus.Variant {
	all := properties(t)
	if !mayRead {
		for _, name := range fromFile {
			delete(all, name)
		}
	}
	return all
}

// forAll is the properties of a tunnel that everybody on the bus may read.
func (s *server) forAll(t listing.Tunnel) map[string]dbus.Variant {
	all := visible(t, !s.system || worldReadable(t.FilePath))
	if s.system {
		delete(all, "Text")
	}
	return all
}

// withhold removes the properties that not everybody may read from changed, and returns their names.
func (s *server) withhold(t listing.Tunnel, changed map[string]dbus.Variant) (withheld []string) {
	known := s.forAll(t)
	for name := range changed {
		if _, ok := known[name]; !ok {
			withheld = append(withheld, name)
			delete(changed, name)
		}
	}
	slices.Sort(withheld)
	return withheld
}

// hiddenProblem replaces the message for a file that not everybody may read.
const hiddenProblem = "only who may read the file is told what is wrong with it"

// globalFor is what the manager publishes of itself for the sender. Only root may read all files.
func (s *server) globalFor(g listing.Global, msg dbus.Message) listing.Global {
	notRoot := func(uint32) *dbus.Error { return accessDenied(hiddenProblem) }
	if s.unlessRoot(msg, notRoot) == nil {
		return g
	}
	problems := slices.Clone(g.Problems)
	for i := range problems {
		if !worldReadable(problems[i].Path) {
			problems[i] = tunnelfile.Problem{Path: problems[i].Path, Message: hiddenProblem}
		}
	}
	g.Problems = problems
	return g
}
