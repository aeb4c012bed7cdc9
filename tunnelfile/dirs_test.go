package tunnelfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// tree makes files below a new folder. A text that begins with "-> " is a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, isLink := strings.CutPrefix(text, "-> "); isLink && err == nil {
			err = os.Symlink(target, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// threeDirs is a search path below root.
func threeDirs(root string) Dirs {
	return Dirs{filepath.Join(root, "home"), filepath.Join(root, "etc"), filepath.Join(root, "usr")}
}

func to(host string) string { return "[Tunnel]\nDestination=" + host + "\n" }

func destinations(tunnels []Tunnel) string {
	var list []string
	for _, t := range tunnels {
		list = append(list, t.Name+"="+t.Destination)
	}
	return strings.Join(list, " ")
}

func TestSearchPaths(t *testing.T) {
	for _, test := range []struct {
		home, config string
		want         Dirs
	}{
		{"/home/me", "", Dirs{"/home/me/.config/holdfast", "/etc/holdfast/user", "/usr/lib/holdfast/user"}},
		{"/home/me", "/elsewhere", Dirs{"/elsewhere/holdfast", "/etc/holdfast/user", "/usr/lib/holdfast/user"}},
		{"/home/me", "relative", Dirs{"/home/me/.config/holdfast", "/etc/holdfast/user", "/usr/lib/holdfast/user"}},
		{"", "", Dirs{"/etc/holdfast/user", "/usr/lib/holdfast/user"}},
	} {
		got := UserDirs(func(key string) string {
			return map[string]string{"HOME": test.home, "XDG_CONFIG_HOME": test.config}[key]
		})
		if !slices.Equal(got, test.want) {
			t.Errorf("HOME=%s XDG_CONFIG_HOME=%s: %v", test.home, test.config, got)
		}
	}
}

func TestLoadAll(t *testing.T) {
	root := tree(t, map[string]string{
		"home/a.tunnel":         to("a-home"),
		"etc/a.tunnel":          to("a-etc"),
		"etc/b.tunnel":          to("b-etc"),
		"usr/b.tunnel":          to("b-usr"),
		"usr/c.tunnel":          to("c-usr"),
		"home/masked.tunnel":    "-> /dev/null",
		"usr/masked.tunnel":     to("masked-usr"),
		"home/broken.tunnel":    "[Tunnel]\nDestinaton=h\n",
		"usr/broken.tunnel":     to("broken-usr"), // the first one has the say all the same
		"home/link.tunnel":      "-> ../elsewhere",
		"elsewhere":             to("link"), // its name is the link's
		"home/dangling.tunnel":  "-> nowhere",
		"home/.#a.tunnel":       "-> somebody@editor",
		"home/a.tunnel~":        "nonsense",
		"home/notes.txt":        "nonsense",
		"home/b c.tunnel":       to("x"),
		"home/dir.tunnel/x":     "",
		"etc/c.tunnel.d/x.conf": "[Tunnel]\nStart=manual\n",
	})
	tunnels, problems := threeDirs(root).LoadAll()
	if got, want := destinations(tunnels), "a=a-home b=b-etc c=c-usr link=link"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if i := slices.IndexFunc(tunnels, func(t Tunnel) bool { return t.Name == "c" }); tunnels[i].Start != StartManual {
		t.Error("a drop-in in a folder without the file is not read")
	}
	want := map[string]string{
		"b c.tunnel":      "is not a name for a tunnel file",
		"broken.tunnel":   "did you mean Destination?",
		"dangling.tunnel": "is a symbolic link to nothing",
		"dir.tunnel":      "is not a regular file",
	}
	for _, problem := range problems {
		base := filepath.Base(problem.Path)
		if problem.Key == "Destination" { // is missing, too
			continue
		}
		if why, expected := want[base]; !expected || !strings.Contains(problem.Message, why) {
			t.Errorf("unexpected: %v", problem)
		}
		delete(want, base)
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
}

func TestLoadAllOfNothing(t *testing.T) {
	if tunnels, problems := threeDirs(t.TempDir()).LoadAll(); len(tunnels) > 0 || len(problems) > 0 {
		t.Errorf("%v, %v", tunnels, problems)
	}
}

func TestTenBrokenAmongGood(t *testing.T) {
	files := make(map[string]string)
	for i := range 10 {
		files[fmt.Sprintf("home/good%d.tunnel", i)] = to("h")
		files[fmt.Sprintf("home/bad%d.tunnel", i)] = to("h") + strings.Repeat("\n", i) + "Strat=auto\n"
	}
	tunnels, problems := threeDirs(tree(t, files)).LoadAll()
	if len(tunnels) != 10 || len(problems) != 10 {
		t.Fatalf("%d tunnels, %v", len(tunnels), problems)
	}
	for i, problem := range problems {
		if problem.Line != i+3 || problem.Key != "Strat" || filepath.Base(problem.Path) != fmt.Sprintf("bad%d.tunnel", i) {
			t.Errorf("problem %d: %v", i, problem)
		}
	}
}

func TestLoad(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/a.tunnel":       to("a-etc"),
		"usr/a.tunnel":       to("a-usr"),
		"home/masked.tunnel": "-> /dev/null",
		"etc/masked.tunnel":  to("x"),
		"home/bad.tunnel":    "nonsense\n",
		"home/dead.tunnel":   "-> nowhere",
	})
	dirs := threeDirs(root)
	if got, err := dirs.Load("a"); err != nil || got.Destination != "a-etc" || got.Path != filepath.Join(root, "etc/a.tunnel") {
		t.Errorf("%+v, %v", got, err)
	}
	for _, name := range []string{"none", "masked", "../etc/a", "", "a.tunnel/../a"} {
		if _, err := dirs.Load(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"bad", "dead"} {
		if _, err := dirs.Load(name); !isProblems(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func isProblems(err error) bool {
	_, ok := errors.AsType[Problems](err)
	return ok
}

func TestDropIns(t *testing.T) {
	root := tree(t, map[string]string{
		"usr/a.tunnel":              to("file") + "LocalForward=1:a:1\nHoldTimeout=1s\n[SSH]\nPort=1\nUser=me\n",
		"usr/a.tunnel.d/10.conf":    "[Tunnel]\nDestination=usr10\nLocalForward=2:a:2\n",
		"etc/a.tunnel.d/20.conf":    "[Tunnel]\nDestination=etc20\n[SSH]\nPort=2\n",
		"home/a.tunnel.d/10.conf":   "[Tunnel]\nDestination=home10\nLocalForward=3:a:3\n", // in the place of usr's
		"home/a.tunnel.d/30.conf":   "[Tunnel]\nHoldTimeout=\n[SSH]\nUser=\n",
		"home/a.tunnel.d/40.conf":   "-> /dev/null",
		"usr/a.tunnel.d/40.conf":    "[Tunnel]\nDestination=hidden\n",
		"home/a.tunnel.d/50.txt":    "nonsense",
		"home/a.tunnel.d/.60.conf":  "nonsense",
		"home/b.tunnel.d/10.conf":   "[Tunnel]\nDestination=b\n", // of no file
		"usr/c.tunnel":              to("c"),
		"home/c.tunnel.d/10.conf":   "[Tunnel]\n\nStrat=auto\n",
		"usr/d.tunnel":              to("d") + "LocalForward=1:a:1\n",
		"usr/d.tunnel.d/10.conf":    "[Tunnel]\nLocalForward=\nLocalForward=2:a:2\n",
		"usr/e.tunnel":              to("e") + "LocalForward=1:a:1\n",
		"usr/e.tunnel.d/10.conf":    "[Tunnel]\nLocalForward=1:b:1\n",
		"usr/f.tunnel":              to("f"),
		"usr/f.tunnel.d/10.conf":    "-> nowhere",
		"usr/f.tunnel.d/sub.conf/x": "",
	})
	dirs := threeDirs(root)

	got, err := dirs.Load("a")
	if err != nil {
		t.Fatal(err)
	}
	if got.Destination != "etc20" || len(got.Forwards) != 2 || got.Forwards[1].Listen.Port != 3 || got.HoldTimeout != defaults("").HoldTimeout {
		t.Errorf("a is %+v", got)
	}
	if len(got.SSH) != 1 || got.SSH[0].Key != "Port" || got.SSH[0].Value != "2" || got.SSH[0].Path != filepath.Join(root, "etc/a.tunnel.d/20.conf") {
		t.Errorf("[SSH] of a is %+v", got.SSH)
	}
	want := []string{"home/a.tunnel.d/10.conf", "etc/a.tunnel.d/20.conf", "home/a.tunnel.d/30.conf"}
	for i, path := range got.DropIns {
		if i >= len(want) || path != filepath.Join(root, want[i]) {
			t.Errorf("drop-ins are %v", got.DropIns)
		}
	}
	if _, err := dirs.Load("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("b: %v", err)
	}
	if _, err := dirs.Load("c"); err == nil || err.Error() != filepath.Join(root, "home/c.tunnel.d/10.conf")+":3: Strat: is not a key of [Tunnel] (did you mean Start?)" {
		t.Errorf("c: %v", err)
	}
	if got, err := dirs.Load("d"); err != nil || len(got.Forwards) != 1 || got.Forwards[0].Listen.Port != 2 {
		t.Errorf("d: %+v, %v", got, err)
	}
	if _, err := dirs.Load("e"); err == nil || !strings.Contains(err.Error(), "taken already by LocalForward on "+filepath.Join(root, "usr/e.tunnel")+":3") {
		t.Errorf("e: %v", err)
	}
	if _, err := dirs.Load("f"); err == nil || !strings.Contains(err.Error(), "10.conf: is a symbolic link to nothing") || !strings.Contains(err.Error(), "sub.conf: is not a regular file") {
		t.Errorf("f: %v", err)
	}
}

func TestLoadFile(t *testing.T) {
	root := tree(t, map[string]string{
		"x/a.tunnel":                        to("a"),
		"x/a.tunnel.d/10.conf":              "[Tunnel]\nStart=manual\n",
		"x/bad name.tunnel":                 to("a"),
		"x/a.conf":                          to("a"),
		"config/holdfast/b.tunnel.d/x.conf": "[Tunnel]\nStart=manual\n",
		"config/holdfast/b.tunnel":          to("b"),
	})
	if got, err := LoadFile(filepath.Join(root, "x/a.tunnel")); err != nil || got.Name != "a" || got.Start != StartManual {
		t.Errorf("%+v, %v", got, err)
	}
	t.Chdir(filepath.Join(root, "x"))
	if got, err := LoadFile("a.tunnel"); err != nil || got.Path != filepath.Join(root, "x/a.tunnel") {
		t.Errorf("%+v, %v", got, err)
	}
	for _, path := range []string{"bad name.tunnel", "a.conf"} {
		if _, err := LoadFile(path); !isProblems(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := LoadFile("none.tunnel"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	// In a folder of the search path the worker reads what the daemon does.
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(root, "config"))
	dirs := UserDirs(os.Getenv)
	viaDirs, err1 := dirs.Load("b")
	viaFile, err2 := LoadFile(filepath.Join(dirs[0], "b.tunnel"))
	if err1 != nil || err2 != nil || viaFile.Start != StartManual || SettingsHash(viaDirs) != SettingsHash(viaFile) {
		t.Errorf("%+v, %v and %+v, %v", viaDirs, err1, viaFile, err2)
	}
}

func TestOddFiles(t *testing.T) {
	root := tree(t, map[string]string{"home/long.tunnel": to("h") + "#" + strings.Repeat("x", 2*MaxFileSize)})
	if err := syscall.Mkfifo(filepath.Join(root, "home/fifo.tunnel"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems := threeDirs(root).LoadAll() // and does not wait for a writer
	if len(problems) == 0 || !strings.Contains(problems[0].Message, "is not a regular file") {
		t.Errorf("FIFO: %v", problems)
	}
	if _, err := threeDirs(root).Load("long"); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("long: %v", err)
	}
}

func TestNamesThatAreNoText(t *testing.T) {
	root := tree(t, map[string]string{"home/\xff.tunnel": to("h"), "home/a.tunnel": to("h"), "home/a.tunnel.d/\xff.conf": ""})
	_, problems := threeDirs(root).LoadAll()
	if len(problems) != 2 {
		t.Errorf("%v", problems)
	}
	for _, problem := range problems {
		if !utf8.ValidString(problem.Error()) {
			t.Errorf("%q is no text", problem.Error())
		}
	}
}

func TestNameOfFile(t *testing.T) {
	for path, want := range map[string]string{
		"/x/a.tunnel": "a", "a.tunnel": "a", "/x/a.tunnel.d": "a", "/x/a.tunnel.d/10.conf": "a",
		"/x/a.tunnel.d.tunnel": "a.tunnel.d", "/x/a.conf": "", "/x/.a.tunnel": "", "/x/a b.tunnel": "", "/x/a": "", "": "",
	} {
		if got, ok := NameOfFile(path); got != want || ok != (want != "") {
			t.Errorf("NameOfFile(%q) = %q, %v", path, got, ok)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub/folder/a.tunnel")
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	check := func(text string, mode fs.FileMode) {
		t.Helper()
		got, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(got) != text || info.Mode().Perm() != mode {
			t.Errorf("%q, %v, %v, %v", got, info.Mode(), err, statErr)
		}
		if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
			t.Errorf("left behind: %v", files)
		}
	}
	if err := Write(path, "one"); err != nil {
		t.Fatal(err)
	}
	check("one", 0o640)
	os.Chmod(path, 0o600)
	if err := Write(path, "two"); err != nil {
		t.Fatal(err)
	}
	check("two", 0o600)

	// Through a link, which stays one.
	link := filepath.Join(dir, "link.tunnel")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, "three"); err != nil {
		t.Fatal(err)
	}
	check("three", 0o600)
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link is %q, %v", target, err)
	}

	// What cannot be written changes nothing.
	if err := Write(filepath.Join(path, "below/a/file"), "x"); err == nil {
		t.Error("a folder was made below a file")
	}
	if err := os.Mkdir(filepath.Join(dir, "taken.tunnel"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "taken.tunnel"), "x"); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if files, _ := filepath.Glob(filepath.Join(dir, ".*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	check("three", 0o600)
}

// TestWriteNames: an error of Write names the file that was to be written.
func TestWriteNames(t *testing.T) {
	path := filepath.Join("/proc/self/fdinfo", "web.tunnel") // where nobody can make a file
	if err := Write(path, "[Tunnel]\n"); err == nil || !strings.Contains(err.Error(), " "+path+": ") {
		t.Errorf("%v", err)
	}
}
