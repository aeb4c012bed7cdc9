package testbed

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packageTree is a copy of what packaging/install reads, with stand-ins for the programs.
func packageTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"packaging", "dbusapi", "cli/completion"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS("../"+folder)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte("# Changes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"holdfast", "holdfastd", "holdfast-tunnel", "holdfast-tray"} {
		if err := os.WriteFile(filepath.Join(dir, "bin", program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func runScript(t *testing.T, dir string, argv ...string) {
	t.Helper()
	cmd := exec.Command("bash", argv...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		found = append(found, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInstallAndUninstall(t *testing.T) {
	source, destination := packageTree(t), t.TempDir()
	// Something of somebody else's lies there already, and a folder that is empty.
	for _, dir := range []string{"usr/share/dbus-1", "usr/bin", "usr/lib/systemd/user"} {
		if err := os.MkdirAll(filepath.Join(destination, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(destination, "usr/bin/other"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	before := listing(t, destination)
	runScript(t, source, "packaging/install", "/usr", destination)
	runScript(t, source, "packaging/install", "/usr", destination) // an upgrade forgets nothing
	for _, file := range []string{"usr/bin/holdfastd", "usr/lib/systemd/user/holdfastd.service", "usr/share/dbus-1/services/io.github.holdfast.Holdfast1.service",
		"usr/lib/systemd/system/holdfastd.service", "usr/lib/systemd/system/app-holdfast.slice", "usr/share/dbus-1/system-services/io.github.holdfast.Holdfast1.service",
		"usr/share/dbus-1/system.d/io.github.holdfast.Holdfast1.conf", "usr/share/polkit-1/actions/io.github.holdfast.Holdfast1.policy",
		"usr/lib/sysusers.d/holdfast.conf", "usr/lib/tmpfiles.d/holdfast.conf", "usr/share/icons/hicolor/48x48/apps/holdfast.png"} {
		text, err := os.ReadFile(filepath.Join(destination, file))
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(text), "dir@") || strings.Contains(string(text), destination) {
			t.Errorf("%s has a placeholder or the staging folder in it:\n%s", file, text)
		}
	}
	for _, line := range []string{"ExecStart=/usr/bin/holdfastd", "BusName=io.github.holdfast.Holdfast1"} {
		unit, _ := os.ReadFile(filepath.Join(destination, "usr/lib/systemd/user/holdfastd.service"))
		if !slices.Contains(strings.Split(string(unit), "\n"), line) {
			t.Errorf("holdfastd.service lacks %s", line)
		}
	}
	runScript(t, source, "packaging/uninstall", "/usr", destination)
	if after := listing(t, destination); !slices.Equal(before, after) {
		t.Errorf("uninstall left\n%s\nwhere there was\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

// TestIconCache: where there is a cache of icons, it knows ours after make install and not after
// make uninstall, or notifications and menus would show none.
func TestIconCache(t *testing.T) {
	Need(t, "gtk-update-icon-cache")
	source, destination := packageTree(t), t.TempDir()
	theme := filepath.Join(destination, "usr/share/icons/hicolor")
	if err := os.MkdirAll(filepath.Join(theme, "48x48/apps"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"index.theme": "[Icon Theme]\nName=Hicolor\nDirectories=48x48/apps\n[48x48/apps]\nSize=48\n", "48x48/apps/other.png": ""} {
		if err := os.WriteFile(filepath.Join(theme, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	runScript(t, source, "-c", `gtk-update-icon-cache -q -t -f "$0"`, theme)
	knows := func(when string, want bool) {
		t.Helper()
		cache, err := os.ReadFile(filepath.Join(theme, "icon-theme.cache"))
		if err != nil || strings.Contains(string(cache), "holdfast") != want {
			t.Errorf("%s: the cache has the icon: %v (%v)", when, !want, err)
		}
	}
	runScript(t, source, "packaging/install", "/usr", destination)
	knows("installed", true)
	runScript(t, source, "packaging/uninstall", "/usr", destination)
	knows("uninstalled", false)
}

// TestInstallForPackagers: with PARTS set, all of it is below the prefix, and nothing is noted.
func TestInstallForPackagers(t *testing.T) {
	source, prefix := packageTree(t), filepath.Join(t.TempDir(), "store")
	t.Setenv("PARTS", "base system tray")
	runScript(t, source, "packaging/install", prefix)
	for _, file := range []string{"bin/holdfastd", "share/dbus-1/system.d/io.github.holdfast.Holdfast1.conf", "etc/xdg/autostart/holdfast-tray.desktop", "lib/sysusers.d/holdfast.conf"} {
		if _, err := os.Stat(filepath.Join(prefix, file)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(prefix, "share/holdfast/installed")); err == nil {
		t.Error("a packager's tree has a note for uninstall in it")
	}
}

// TestUnitsVerify has systemd read the installed units.
func TestUnitsVerify(t *testing.T) {
	Need(t, "systemd-analyze")
	// Below ~/.local nothing goes to /etc.
	source, home := packageTree(t), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
	prefix := filepath.Join(home, ".local")
	runScript(t, source, "packaging/install", prefix)
	units, err := filepath.Glob(filepath.Join(prefix, "share/systemd/user/*"))
	if err != nil || len(units) == 0 {
		t.Fatalf("no units installed (%v)", err)
	}
	cmd := exec.Command("systemd-analyze", append([]string{"--user", "--man=no", "verify"}, units...)...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), prefix) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestMap: the folders that CONTRIBUTING.md sends people to are there.
func TestMap(t *testing.T) {
	page, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || !strings.Contains(cells[2], "`") {
			continue
		}
		rows++
		for i, path := range strings.Split(cells[2], "`") {
			if i%2 == 0 {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", path)); err != nil {
				t.Errorf("CONTRIBUTING.md: %s: %v", strings.TrimSpace(cells[1]), err)
			}
		}
	}
	if rows < 10 || rows > 16 {
		t.Errorf("the map of CONTRIBUTING.md has %d lines, want a dozen", rows)
	}
}
