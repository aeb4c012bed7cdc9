//go:build testbed

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMain installs the product for the box's user, as make install PREFIX=~/.local does.
func TestMain(m *testing.M) {
	if os.Getenv("HOLDFAST_BOX") == "" {
		fmt.Println("left out: runs in a box only (testbed/run-tests)")
		return
	}
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// person is whose desktop it is, be the test run by them or by root.
var person testbed.Tester

// as runs a command of that person's to its end.
func as(argv ...string) (string, error) { return testbed.Output(person.Argv(argv...)...) }

func install() (err error) {
	if person, err = testbed.LookupTester(); err != nil {
		return err
	}
	local := filepath.Join(person.Home, ".local")
	for _, argv := range [][]string{
		{"../../packaging/install", local},
		{"systemctl", "--user", "daemon-reload"},
		{"busctl", "--user", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig"},
	} {
		if _, err := as(argv...); err != nil {
			return err
		}
	}
	return os.Setenv("PATH", filepath.Join(local, "bin")+":"+os.Getenv("PATH"))
}

// desk is one person's desktop for the time of a test: nothing of theirs runs
// before, and nothing may be left after.
type desk struct {
	testing.TB
	config string // folder of the tunnel files
	since  time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{TB: t, config: filepath.Join(person.Home, ".config/holdfast"), since: time.Now()}
	d.clear()
	t.Cleanup(d.clear)
	return d
}

// clear removes all tunnels, stops the daemon, and sees that nothing is left.
func (d *desk) clear() {
	d.Helper()
	if d.Failed() {
		d.Logf("journal:\n%s", d.journal("holdfastd", "holdfast-tunnel@*"))
	}
	as("systemctl", "--user", "stop", "holdfastd")
	as("systemctl", "--user", "stop", "holdfast-tunnel@*")
	as("systemctl", "--user", "reset-failed")
	if err := os.RemoveAll(d.config); err != nil {
		d.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(person.Home, ".ssh")); err != nil {
		d.Error(err)
	}
	testbed.WaitFor(d, 20*time.Second, func() error {
		if units := d.units(); len(units) > 0 {
			return fmt.Errorf("units left: %v", units)
		}
		return nil
	})
	if err := os.RemoveAll(runtimeDir()); err != nil {
		d.Error(err)
	}
}

// journal is what the units logged since the test began.
func (d *desk) journal(units ...string) string {
	argv := []string{"journalctl", "--user", "--no-pager", "-o", "cat", "--since", fmt.Sprintf("@%.6f", float64(d.since.UnixMicro())/1e6)}
	for _, unit := range units {
		argv = append(argv, "-u", unit)
	}
	out, err := as(argv...)
	if err != nil {
		return err.Error()
	}
	return out
}

func runtimeDir() string { return filepath.Join(person.RuntimeDir, tunnelfile.RuntimeDirName) }

// units are the names of all units of tunnels that systemd knows.
func (d *desk) units() []string {
	out, err := as("systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", "holdfast-tunnel@*")
	if err != nil {
		d.Error(err)
	}
	var names []string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 {
			names = append(names, fields[0])
		}
	}
	return names
}

// holdfast runs the command line, which must succeed.
func (d *desk) holdfast(args ...string) string {
	d.Helper()
	out, err := holdfast(args...)
	if err != nil {
		d.Fatal(err)
	}
	return out
}

func holdfast(args ...string) (string, error) {
	return as(append([]string{"holdfast"}, args...)...)
}

// exitStatus is the status a program ended with.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// alias makes a server known to ssh, and so to Holdfast, under a name.
func (d *desk) alias(name string, s *testbed.Server) {
	d.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "Host %s\n  HostName %s\n", name, s.Host)
	for _, setting := range s.SSHSettings() {
		key, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&text, "  %s %s\n", key, value)
	}
	config := filepath.Join(person.Home, ".ssh/config")
	before, err := os.ReadFile(config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.Fatal(err)
	}
	d.writeFile(config, string(before)+text.String())
}

// writeFile writes a file of the person's.
func (d *desk) writeFile(path, text string) {
	d.Helper()
	for _, dir := range []string{filepath.Dir(filepath.Dir(path)), filepath.Dir(path)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			d.Fatal(err)
		}
		if err := os.Chown(dir, person.UID, person.GID); err != nil {
			d.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
	if err := os.Chown(path, person.UID, person.GID); err != nil {
		d.Fatal(err)
	}
}

// write writes a tunnel file by hand, past the daemon.
func (d *desk) write(name, text string) {
	d.Helper()
	d.writeFile(filepath.Join(d.config, name+".tunnel"), text)
}

// property reads one property of a unit; "" where there is no such unit.
func property(unit, name string) string {
	out, err := as("systemctl", "--user", "show", "--property="+name, "--value", unit)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// awaitState waits until a tunnel's status line starts with the word.
func (d *desk) awaitState(name string, state tunnelfile.State, deadline time.Duration) {
	d.Helper()
	testbed.WaitFor(d, deadline, func() error {
		out, err := holdfast("--json", "status", name)
		if err == nil || exitStatus(err) == 4 {
			if strings.Contains(out, `"`+string(state)+`"`) {
				return nil
			}
		}
		return fmt.Errorf("not %s: %s %v", state, out, err)
	})
}

// exists says whether there is something at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// feed runs a command with this on its standard input.
func feed(t *testing.T, text string, argv ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", argv[0], err, out)
	}
}

// lockedBuffer collects what a program prints while the test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
