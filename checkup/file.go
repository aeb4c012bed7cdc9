package checkup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// file reads and checks the tunnel file and its drop-ins. It returns false if they have errors.
func (x *examination) file() bool {
	name, _ := tunnelfile.NameOfFile(x.o.Path)
	t, err := tunnelfile.LoadFile(x.o.Path)
	var problems tunnelfile.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			mend := "holdfast edit " + name
			if p.Path != "" && filepath.Base(p.Path) != name+tunnelfile.Suffix { // a drop-in
				mend = "${EDITOR:-vi} " + p.Path
			}
			x.Problem(tunnelfile.SubjectFile, mend, "%v", p)
		}
		return false
	case err != nil:
		x.Problem(tunnelfile.SubjectFile, "", "%v", err)
		return false
	}
	x.tunnel = t
	x.OK(tunnelfile.SubjectFile, "%s is well", text.Tilde(t.Path))
	for _, path := range append([]string{t.Path}, t.DropIns...) {
		x.writable(path)
	}
	x.hidden()
	return true
}

// writable finds a file that everybody may write. Its settings can run commands as this user.
func (x *examination) writable(path string) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o002 != 0 {
		x.Problem(tunnelfile.SubjectFile, "chmod o-w "+path, "%s may be written by everybody, and what it says runs as you", text.Tilde(path))
	}
}

// hidden finds tunnel files of the same name that are not used, because this one takes precedence.
func (x *examination) hidden() {
	for _, dirs := range []tunnelfile.Dirs{tunnelfile.UserDirs(os.Getenv), tunnelfile.SystemDirs()} {
		i := slices.Index(dirs, filepath.Dir(x.tunnel.Path))
		if i < 0 {
			continue
		}
		for _, dir := range dirs[i+1:] {
			path := filepath.Join(dir, x.tunnel.Name+tunnelfile.Suffix)
			if _, err := os.Lstat(path); err == nil {
				x.Hint(tunnelfile.SubjectFile, "", "%s is not used: %s takes precedence", path, text.Tilde(x.tunnel.Path))
			}
		}
	}
}
