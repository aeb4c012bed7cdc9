//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// over mounts a small file system over a folder of the person's, until the test ends.
func (d *desk) over(path, options string) {
	d.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		d.Fatal(err)
	}
	testbed.Command(d, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=0700,uid=%d,gid=%d,%s", person.UID, person.GID, options), "over", path)
	d.Cleanup(func() { testbed.Command(d, "umount", "--lazy", path) })
}

// fill leaves no byte free in a file system.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, ".fill"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

// TestConfigurationFolderFull: what cannot be written is said, and what was there stays.
func TestConfigurationFolderFull(t *testing.T) {
	testbed.NeedRootBox(t)
	d := newDesk(t)
	d.over(filepath.Dir(d.config), "size=256k")
	const text = "[Tunnel]\nDestination=nowhere.invalid\nLocalForward=19002 localhost:1\nStart=manual\n"
	d.write("one", text)
	d.holdfast("list")
	fill(t, filepath.Dir(d.config))
	for _, argv := range [][]string{
		{"set", "one", "Description=" + strings.Repeat("long ", 10)},
		{"add", "two", "--manual", "-N", "-L", "19003:localhost:1", "me@nowhere.invalid"},
	} {
		if out, err := holdfast(argv...); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("%s ended with %v: %s", argv[0], err, out)
		}
	}
	d.unchanged("one", text)
	if _, err := os.Stat(filepath.Join(d.config, "two.tunnel")); err == nil {
		t.Error("there is a file of a tunnel that could not be added")
	}
	d.holdfast("remove", "one") // needs no room
}

// TestConfigurationFolderReadOnly: likewise.
func TestConfigurationFolderReadOnly(t *testing.T) {
	testbed.NeedRootBox(t)
	d := newDesk(t)
	d.over(d.config, "size=256k")
	const text = "[Tunnel]\nDestination=nowhere.invalid\nLocalForward=19002 localhost:1\nStart=manual\n"
	d.write("one", text)
	d.holdfast("list")
	testbed.Command(t, "mount", "-o", "remount,ro", d.config)
	for _, argv := range [][]string{
		{"set", "one", "Description=x"}, {"remove", "one"}, {"rename", "one", "two"},
		{"add", "two", "--manual", "-N", "-L", "19003:localhost:1", "me@nowhere.invalid"},
	} {
		if out, err := holdfast(argv...); err == nil || !strings.Contains(err.Error(), "read-only file system") {
			t.Errorf("%s ended with %v: %s", argv[0], err, out)
		}
	}
	d.unchanged("one", text)
	testbed.Command(t, "mount", "-o", "remount,rw", d.config)
	d.holdfast("remove", "one")
}

func (d *desk) unchanged(name, text string) {
	d.Helper()
	got, err := os.ReadFile(filepath.Join(d.config, name+".tunnel"))
	if err != nil || string(got) != text {
		d.Errorf("%s is now %q, %v", name, got, err)
	}
	d.awaitStatus(name, tunnelfile.Inactive, 10*time.Second)
}

// TestKnownHostsFull: a host key that cannot be recorded is said, and half of it does not stay.
func TestKnownHostsFull(t *testing.T) {
	testbed.NeedRootBox(t)
	for _, transport := range []string{"native", "openssh"} {
		t.Run(transport, func(t *testing.T) {
			d := newDesk(t)
			s := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
			dir := filepath.Join(person.Home, "full")
			d.over(dir, "size=8k")
			t.Cleanup(func() { os.Remove(dir) })
			known := filepath.Join(dir, "known_hosts")
			// One page is left, and of it some 40 bytes: less than a line takes.
			line := "other.example " + s.HostKeys[0].AuthorizedKey() + "\n"
			before := line + strings.Repeat("#", 4096-len(line)-41) + "\n"
			d.writeFile(known, before)
			fill(t, dir)
			d.alias("server", s)
			local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
			d.write("full", fmt.Sprintf("[Tunnel]\nDestination=server\nTransport=%s\nLocalForward=%s %s\nStart=manual\n[SSH]\nUserKnownHostsFile=%s\nStrictHostKeyChecking=accept-new\n",
				transport, local, testbed.Echo(t, "tcp", "127.0.0.1:0"), known))
			d.holdfast("up", "full")
			testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
			after, err := os.ReadFile(known)
			whole := string(after) == before
			if transport == "openssh" { // ssh itself writes what fits
				whole = strings.HasPrefix(string(after), before)
			}
			if err != nil || !whole {
				t.Errorf("%d bytes became %d, %v; the end is %q", len(before), len(after), err, after[max(0, len(after)-60):])
			}
			if log := d.journal(tunnelfile.ServiceName("full")); !strings.Contains(strings.ToLower(log), "no space left on device") && transport == "native" {
				t.Errorf("the journal does not say why:\n%s", log)
			}
		})
	}
}
