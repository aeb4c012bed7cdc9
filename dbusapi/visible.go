package dbusapi

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// On the system bus, everybody reads signals and may call. What a tunnel file says goes only
// to those who may read the file itself; in signals and GetManagedObjects, which are for all
// alike, it goes to nobody unless everybody may read it, and the file's text not even then.

// fromFile are the properties that repeat what is in the tunnel file.
var fromFile = []string{"Text", "Description", "Destination", "Status", "Tags", "LocalForward", "RemoteForward", "DynamicForward", "Forwards"}

// mayRead says whether the sender may read the tunnel's file.
func (s *server) mayRead(msg dbus.Message, t listing.Tunnel) bool {
	if !s.system || worldReadable(t.FilePath) {
		return true
	}
	uid, err := s.conn.UID(senderOf(msg))
	if err != nil {
		return false
	}
	if uid == 0 {
		return true
	}
	return s.runsAs(t.Name, uid) || s.allowedByPolkit(msg)
}

// mayReadNamed is mayRead for the tunnel of this name.
func (s *server) mayReadNamed(msg dbus.Message, name string) bool {
	if !s.system {
		return true
	}
	t, err := answerFor(s, name, s.backend.Tunnel)
	return err == nil && s.mayRead(msg, t)
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

// visible is a tunnel's properties for who may read its file, or for who may not.
func visible(t listing.Tunnel, mayRead bool) map[string]dbus.Variant {
	all := properties(t)
	if !mayRead {
		for _, name := range fromFile {
			delete(all, name)
		}
	}
	return all
}

// forAll is a tunnel's properties as everybody on the bus may know them.
func (s *server) forAll(t listing.Tunnel) map[string]dbus.Variant {
	all := visible(t, !s.system || worldReadable(t.FilePath))
	if s.system {
		delete(all, "Text")
	}
	return all
}

// withhold takes the properties that not everybody may know out of changed, and names them.
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

// hiddenProblem is in place of what is wrong with a file that not everybody may read.
const hiddenProblem = "only who may read the file is told what is wrong with it"

// globalFor is what the manager says of itself to somebody who may read all files, or may not.
func (s *server) globalFor(g listing.Global, mayRead bool) listing.Global {
	if !s.system || mayRead {
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
