package tunnelfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Dirs are the folders with tunnel files and drop-ins, the most important first. As with systemd's
// units, the first NAME.tunnel counts, even if it is wrong; of drop-ins with the same file name
// the first counts; and a symbolic link to /dev/null hides the files in the folders after it.
type Dirs []string

// UserDirs is the search path for a person's own tunnels.
func UserDirs(getenv func(string) string) Dirs {
	dirs := Dirs{"/etc/holdfast/user", "/usr/lib/holdfast/user"}
	config := getenv("XDG_CONFIG_HOME")
	// The XDG Base Directory Specification says to ignore a relative path.
	if home := getenv("HOME"); !filepath.IsAbs(config) && filepath.IsAbs(home) {
		config = filepath.Join(home, ".config")
	}
	if filepath.IsAbs(config) {
		dirs = slices.Insert(dirs, 0, filepath.Join(config, "holdfast"))
	}
	return dirs
}

// SystemDirs is the search path in system mode.
func SystemDirs() Dirs { return Dirs{"/etc/holdfast/system", "/usr/lib/holdfast/system"} }

// NameOfFile is the name of the tunnel that a path belongs to: a NAME.tunnel, a NAME.tunnel.d, or a
// drop-in in such a folder.
func NameOfFile(path string) (name string, ok bool) {
	base := filepath.Base(path)
	if strings.HasSuffix(base, DropInSuffix) {
		base = filepath.Base(filepath.Dir(path))
	}
	name, ok = strings.CutSuffix(strings.TrimSuffix(base, ".d"), Suffix)
	if !ok || !ValidName(name) {
		return "", false
	}
	return name, true
}

// LoadAll reads every tunnel, sorted by name. It leaves out tunnels with problems. The problems say
// everything that is wrong with these, each with the path of its file.
func (d Dirs) LoadAll() ([]Tunnel, Problems) {
	paths, problems := d.find()
	var tunnels []Tunnel
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		t, err := d.load(name, paths[name])
		switch broken, isProblems := errors.AsType[Problems](err); {
		case isProblems:
			problems = append(problems, broken...)
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
		case err != nil:
			problems = append(problems, Problem{Path: paths[name], Message: fileMessage(err)})
		default:
			tunnels = append(tunnels, t)
		}
	}
	return tunnels, problems
}

// Load reads one tunnel by name. The error is fs.ErrNotExist if there is none of that name, or
// Problems, or why the file cannot be read.
func (d Dirs) Load(name string) (Tunnel, error) {
	path, err := d.path(name)
	if err != nil {
		return Tunnel{}, err
	}
	return d.load(name, path)
}

// Files are the paths that a tunnel is read from: its file, then its drop-ins in order. They may
// have problems. The error is fs.ErrNotExist if there is no such tunnel.
func (d Dirs) Files(name string) ([]string, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	dropIns, err := d.dropIns(name)
	return append([]string{path}, dropIns...), err
}

// path is where the file of a tunnel is.
func (d Dirs) path(name string) (string, error) {
	if !ValidName(name) {
		return "", fmt.Errorf("%q is not a tunnel's name (%s): %w", name, nameRule, fs.ErrNotExist)
	}
	for _, dir := range d {
		path := filepath.Join(dir, name+Suffix)
		switch _, err := os.Lstat(path); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", err
		}
		if masked(path) {
			break
		}
		return path, nil
	}
	return "", fmt.Errorf("tunnel %s: %w", name, fs.ErrNotExist)
}

// LoadFile reads one tunnel file and its drop-ins: those beside it and, if it is in a folder of a
// search path, those in all folders of that path. The error may be Problems.
func LoadFile(path string) (Tunnel, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Tunnel{}, err
	}
	name, ok := strings.CutSuffix(filepath.Base(path), Suffix)
	if !ok || !ValidName(name) {
		return Tunnel{}, Problems{{Path: path, Message: fileNameMessage(filepath.Base(path))}}
	}
	dirs := Dirs{filepath.Dir(path)}
	for _, known := range []Dirs{UserDirs(os.Getenv), SystemDirs()} {
		if slices.Contains(known, dirs[0]) {
			dirs = known
		}
	}
	return dirs.load(name, path)
}

// find is the path of every tunnel by its name.
func (d Dirs) find() (map[string]string, Problems) {
	var problems Problems
	paths := make(map[string]string)
	hidden := make(map[string]bool)
	for _, dir := range d {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, Problem{Path: dir, Message: fileMessage(err)})
		}
		for _, file := range files {
			// Editors have their own files beside ours, whose names begin with a dot.
			if strings.HasPrefix(file.Name(), ".") || !strings.HasSuffix(file.Name(), Suffix) {
				continue
			}
			path := filepath.Join(dir, file.Name())
			name := strings.TrimSuffix(file.Name(), Suffix)
			if !ValidName(name) {
				// The name may be any bytes, and a Problem's path is text.
				path = strings.ToValidUTF8(path, "\uFFFD")
				problems = append(problems, Problem{Path: path, Message: fileNameMessage(file.Name())})
				continue
			}
			if paths[name] != "" || hidden[name] {
				continue
			}
			if masked(path) {
				hidden[name] = true
				continue
			}
			paths[name] = path
		}
	}
	return paths, problems
}

// load reads the tunnel file at path and the drop-ins of that name in all folders.
func (d Dirs) load(name, path string) (Tunnel, error) {
	text, err := ReadText(path)
	switch {
	case vanished(path, err):
		return Tunnel{}, err
	case err != nil:
		return Tunnel{}, Problems{{Path: path, Message: fileMessage(err)}}
	}
	return d.merge(name, source{path, text})
}

// LoadAs is the tunnel as it would be if its file in the first folder had this text. The drop-ins
// count, and nothing is written. The error may be Problems.
func (d Dirs) LoadAs(name, text string) (Tunnel, error) {
	return d.merge(name, source{filepath.Join(d[0], name+Suffix), text})
}

// merge is a tunnel file with the drop-ins of that name in all folders.
func (d Dirs) merge(name string, file source) (Tunnel, error) {
	sources := []source{file}
	var unreadable Problems
	dropIns, err := d.dropIns(name)
	if err != nil {
		return Tunnel{}, err
	}
	for _, dropIn := range dropIns {
		text, err := ReadText(dropIn)
		switch {
		case vanished(dropIn, err):
			continue
		case err != nil:
			unreadable = append(unreadable, Problem{Path: dropIn, Message: fileMessage(err)})
			continue
		}
		sources = append(sources, source{dropIn, text})
	}
	t, problems := merge(name, sources)
	if problems = append(problems, unreadable...); len(problems) > 0 {
		return Tunnel{}, problems
	}
	return t, nil
}

// vanished says whether a file could not be read because it was removed meanwhile. It is false for
// a link to nothing, which a person has to correct.
func vanished(path string, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err = os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// dropIns are the paths of NAME.tunnel.d/*.conf, sorted by file name.
func (d Dirs) dropIns(name string) ([]string, error) {
	paths := make(map[string]string) // by file name
	for _, dir := range d {
		folder := filepath.Join(dir, name+Suffix+".d")
		files, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, Problems{{Path: folder, Message: fileMessage(err)}}
		}
		for _, file := range files {
			if strings.HasPrefix(file.Name(), ".") || !strings.HasSuffix(file.Name(), DropInSuffix) {
				continue
			}
			if !utf8.ValidString(file.Name()) {
				path := strings.ToValidUTF8(filepath.Join(folder, file.Name()), "\uFFFD")
				return nil, Problems{{Path: path, Message: "the file's name is not UTF-8 text"}}
			}
			if _, taken := paths[file.Name()]; !taken {
				paths[file.Name()] = filepath.Join(folder, file.Name())
			}
		}
	}
	var sorted []string
	for _, fileName := range slices.Sorted(maps.Keys(paths)) {
		if path := paths[fileName]; !masked(path) {
			sorted = append(sorted, path)
		}
	}
	return sorted, nil
}

// masked says whether path is a symbolic link to /dev/null: as with systemd, there is no such file
// then, whatever the other folders have.
func masked(path string) bool {
	target, err := os.Readlink(path)
	return err == nil && target == os.DevNull
}

func fileNameMessage(base string) string {
	return fmt.Sprintf("%q is not a name for a tunnel file: NAME%s, where NAME is %s", base, Suffix, nameRule)
}
