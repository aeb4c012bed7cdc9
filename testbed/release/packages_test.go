//go:build packages

package release

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// TestReproducible builds the packages of the last commit in another folder, and then again: the same bytes.
func TestReproducible(t *testing.T) {
	testbed.Need(t, "git", "pkg-config")
	clone := filepath.Join(t.TempDir(), "elsewhere")
	run(t, "git", "clone", "-q", "--no-local", ".", clone)
	var trees [2]string
	for i, from := range []string{clone, filepath.Join(filepath.Dir(clone), "again")} {
		if i == 1 {
			run(t, "cp", "-a", clone, from)
		}
		if err := os.MkdirAll(filepath.Join(from, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Dir(filepath.Dir(tool(t, "nfpm"))), filepath.Join(from, "bin/tools")); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		trees[i] = filepath.Join(t.TempDir(), "dist")
		if out, err := output(from, "packaging/build", trees[i]); err != nil {
			t.Fatal(err, out)
		}
	}
	names := files(t, trees[0])
	if len(names) < 12 {
		t.Errorf("only %v", names)
	}
	for _, name := range names {
		first, err := os.ReadFile(filepath.Join(trees[0], name))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(filepath.Join(trees[1], name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("%s: built twice, it is not the same", name)
		}
	}
	t.Logf("%d files, twice the same", len(names))
}

// files are the files below a folder, by their path from there.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// TestSameFiles: make install and the packages install the same files.
func TestSameFiles(t *testing.T) {
	testbed.Need(t, "dpkg-deb", "rpm", "tar", "zstd")
	run(t, "make", "-s", "build")
	installed := t.TempDir()
	run(t, "packaging/install", "/usr", installed)
	want := map[string]bool{}
	for _, name := range files(t, installed) {
		want[strings.TrimSuffix(name, ".gz")] = true
	}
	delete(want, "usr/share/holdfast/installed") // for make uninstall

	for format, list := range map[string]func(name string) string{
		"deb": func(name string) string {
			return run(t, "sh", "-c", "dpkg-deb --fsys-tarfile "+built(t, name+"_*_amd64.deb")+" | tar -t | grep -v '/$'")
		},
		"rpm": func(name string) string {
			return run(t, "rpm", "-qp", "--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]", built(t, name+"-*.x86_64.rpm"))
		},
		"arch": func(name string) string {
			return run(t, "sh", "-c", "tar -I zstd -tf "+built(t, name+"-*-x86_64.pkg.tar.zst")+" | grep -v -e '/$' -e '^[.][A-Z]'")
		},
	} {
		got := map[string]bool{}
		for _, name := range []string{"holdfast", "holdfast-tray"} {
			pattern := name
			if name == "holdfast" && format != "deb" {
				pattern = "holdfast-[0-9]*"
			}
			for line := range strings.Lines(list(pattern)) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "d") && strings.Contains(line, " ") {
					continue // a folder
				}
				line = line[strings.LastIndexByte(line, ' ')+1:]
				line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(line, ".gz"), "."), "/")
				// A format's own.
				if strings.HasSuffix(line, "changelog.Debian") || strings.HasPrefix(line, "usr/share/lintian/") {
					continue
				}
				if format != "deb" { // Debian's zsh looks elsewhere
					line = strings.Replace(line, "zsh/site-functions", "zsh/vendor-completions", 1)
				}
				got[line] = true
			}
		}
		for name := range want {
			if !got[name] {
				t.Errorf("%s lacks %s", format, name)
			}
		}
		for name := range got {
			if !want[name] {
				t.Errorf("%s has %s, which make install does not install", format, name)
			}
		}
	}
}

// TestConffiles: what the administrator may change is kept over an upgrade.
func TestConffiles(t *testing.T) {
	testbed.Need(t, "dpkg-deb", "rpm")
	for name, want := range map[string]string{"holdfast": "/etc/holdfast/holdfast.conf", "holdfast-tray": "/etc/xdg/autostart/holdfast-tray.desktop"} {
		if got := strings.TrimSpace(run(t, "dpkg-deb", "-I", built(t, name+"_*_amd64.deb"), "conffiles")); got != want {
			t.Errorf("conffiles of %s are %q", name, got)
		}
		if got := strings.TrimSpace(run(t, "rpm", "-qpc", built(t, name+"-[0-9]*.x86_64.rpm"))); !strings.Contains(got, want) {
			t.Errorf("rpm's configuration files of %s are %q", name, got)
		}
	}
}

// TestPrograms: static, or position-independent, and with the package's version in them.
func TestPrograms(t *testing.T) {
	testbed.Need(t, "dpkg-deb", "readelf", "objdump")
	version := strings.TrimSuffix(strings.TrimSpace(run(t, "dpkg-deb", "-f", built(t, "holdfast_*_amd64.deb"), "Version")), "-1")
	for _, arch := range []string{"amd64", "arm64"} {
		dir := t.TempDir()
		run(t, "dpkg-deb", "-x", built(t, "holdfast_*_"+arch+".deb"), dir)
		for _, program := range []string{"holdfast", "holdfastd", "holdfast-tunnel"} {
			path := filepath.Join(dir, "usr/bin", program)
			if headers := run(t, "readelf", "-lW", path); strings.Contains(headers, "INTERP") {
				t.Errorf("%s for %s is not static", program, arch)
			}
			if arch == "amd64" {
				if out := run(t, path, map[bool]string{true: "version", false: "--version"}[program == "holdfast"]); !strings.Contains(out, version) {
					t.Errorf("%s says %q, not %s", program, out, version)
				}
			}
		}
	}
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", built(t, "holdfast-tray_*_amd64.deb"), dir)
	tray := filepath.Join(dir, "usr/bin/holdfast-tray")
	for _, fact := range []string{"Type:[[:space:]]*DYN", "BIND_NOW|FLAGS_1.*NOW", "GNU_RELRO"} {
		run(t, "sh", "-c", "readelf -hldW "+tray+" | grep -qE '"+fact+"'")
	}
	// What the package asks for of libc is enough.
	newest := strings.TrimSpace(run(t, "sh", "-c", "objdump -T "+tray+" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1 | cut -d _ -f 2"))
	run(t, "dpkg", "--compare-versions", newest, "le", "2.34")
}

// TestTarball: a tarball, which has no git, prints its version.
func TestTarball(t *testing.T) {
	testbed.Need(t, "git", "tar")
	dir := t.TempDir()
	run(t, "git", "clone", "-q", ".", filepath.Join(dir, "clone"))
	if _, err := output(filepath.Join(dir, "clone"), "sh", "-ec", "git tag v7.8.9 && mkdir ../tree && git archive HEAD | tar -x -C ../tree"); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	cmd := exec.Command("make", "-s", "build", "TRAY=")
	cmd.Dir = tree
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := output(tree, "bin/holdfast-tunnel", "--version"); err != nil || strings.TrimSpace(got) != "holdfast-tunnel 7.8.9" {
		t.Errorf("the tarball of v7.8.9 says %q (%v)", got, err)
	}
}

// TestLinters has those look at the packages who look at a distribution's.
func TestLinters(t *testing.T) {
	testbed.Need(t, "lintian", "rpmlint", "cpio", "appstreamcli", "desktop-file-validate")
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	debs, _ := filepath.Glob(dir + "/*.deb")
	rpms, _ := filepath.Glob(dir + "/*.rpm")
	for _, argv := range [][]string{
		append([]string{"lintian", "--allow-root", "-I", "--fail-on", "error,warning,info", "--tag-display-limit", "0"}, debs...),
		append([]string{"testbed/rpmlint", "--strict"}, rpms...),
		{"appstreamcli", "validate", "--no-net", "packaging/desktop/io.github.holdfast.Holdfast.metainfo.xml"},
		{"desktop-file-validate", "packaging/desktop/holdfast-tray.desktop", "packaging/desktop/holdfast-tray-autostart.desktop"},
	} {
		out, err := output(root, argv...)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s:\n%s", filepath.Base(argv[0]), out)
	}
}
