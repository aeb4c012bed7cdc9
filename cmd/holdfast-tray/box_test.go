//go:build cgo && testbed

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestEncryptedKey is a person's first day: a key with a passphrase and no agent, a
// notification, a dialog, a tunnel that is up; and the day after, with a passphrase that
// is remembered.
func TestEncryptedKey(t *testing.T) {
	testbed.NeedBox(t)
	testbed.Need(t, "Xvfb", "xfwm4", "zenity", "xdotool", "gnome-keyring-daemon")
	binary := installed(t)
	server := testbed.StartServer(t, testbed.ServerOptions{})
	const passphrase = "open sesame"
	key := testbed.NewKey(t, filepath.Join(server.Dir, "locked"), "ed25519", passphrase)
	server.Authorize(key.AuthorizedKey())
	unlockKeyring(t)
	screen(t)
	windowManager(t)
	notifications, choose := serveNotifications(t)
	w, _ := watch(t)

	// Nobody is there to ask yet.
	client := apitest.Dial(t)
	text := fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d 127.0.0.1:9\n\n[SSH]\nIdentityFile=%s\nIdentitiesOnly=yes\nIdentityAgent=none\nUserKnownHostsFile=%s\n",
		server.Destination(), testbed.FreePort(t), key.File, server.KnownHosts)
	if err := client.AddTunnel(t.Context(), "locked", text); err != nil {
		t.Fatal(err)
	}
	reach(t, client, "locked", tunnelfile.Blocked)

	first := start(t, binary)
	i := w.icon(t)
	select {
	case title := <-notifications:
		if title != "locked needs you" {
			t.Errorf("notification %q", title)
		}
	case <-time.After(20 * time.Second):
		t.Error("no notification")
	}
	// The tunnel is tried again as soon as there is an agent, which is asked.
	i.click(t, "locked – needs you", "Enter passphrase…")
	answer(t, "Holdfast: locked", "type", passphrase)
	reach(t, client, "locked", tunnelfile.Up)
	eventually(t, "an offer to remember it", func() bool {
		select {
		case title := <-notifications:
			return strings.HasPrefix(title, "Remember ")
		default:
			return false
		}
	})
	choose("remember locked")

	// The day after: nothing of this tray, this daemon or this worker is left.
	eventually(t, "a passphrase in the keyring", func() bool {
		out, _ := testbed.Output("busctl", "--user", "call", "org.freedesktop.secrets", "/org/freedesktop/secrets",
			"org.freedesktop.Secret.Service", "SearchItems", "a{ss}", "1", "service", "holdfast")
		return strings.Contains(out, "/org/freedesktop/secrets/collection/")
	})
	_ = first.Process.Kill()
	<-first.done
	if out, err := testbed.Output("systemctl", "--user", "stop", "holdfastd", "holdfast-tunnel@locked.service"); err != nil {
		t.Fatal(err, out)
	}
	// Nor is the tray needed for it: who needs the passphrase looks into the keyring.
	reach(t, apitest.Dial(t), "locked", tunnelfile.Up)
}

// TestNoScreen: where the screen does not come back, the unit gives up in the end.
func TestNoScreen(t *testing.T) {
	testbed.NeedBox(t)
	installed(t)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	systemctl := func(args ...string) string {
		t.Helper()
		out, err := testbed.Output(append([]string{"systemctl", "--user"}, args...)...)
		if err != nil {
			t.Fatal(err, out)
		}
		return out
	}
	dropIn := filepath.Join(home, ".config/systemd/user/holdfast-tray.service.d")
	if err := os.MkdirAll(dropIn, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dropIn, "fast.conf"), []byte("[Service]\nRestartSec=10ms\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(dropIn)
		systemctl("unset-environment", "DISPLAY")
		systemctl("stop", "holdfast-tray")
		systemctl("reset-failed", "holdfast-tray")
		systemctl("daemon-reload")
	})
	systemctl("daemon-reload")
	systemctl("set-environment", "DISPLAY=:99")
	systemctl("start", "holdfast-tray")
	eventually(t, "an end of the tries", func() bool {
		return strings.Contains(systemctl("show", "-p", "ActiveState", "holdfast-tray"), "=failed")
	})
	if got := systemctl("show", "-p", "NRestarts", "--value", "holdfast-tray"); strings.TrimSpace(got) != "30" {
		t.Errorf("it was started again %s times", strings.TrimSpace(got))
	}
}

// installed installs what make has built for the person who runs the test, and returns
// a tray with the race detector.
func installed(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.Abs("../../bin/tests/holdfast-tray")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		testbed.NotHere(t, err.Error())
	}
	for _, argv := range [][]string{
		{"../../packaging/install", filepath.Join(home, ".local")},
		{"systemctl", "--user", "daemon-reload"},
		{"busctl", "--user", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig"},
	} {
		if _, err := testbed.Output(argv...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			journal, _ := testbed.Output("journalctl", "--user", "-n", "60", "--no-pager", "-o", "cat")
			t.Logf("journal:\n%s", journal)
		}
		testbed.Output("systemctl", "--user", "stop", "holdfastd", "holdfast-tunnel@*")
		os.RemoveAll(filepath.Join(home, ".config/holdfast"))
		os.RemoveAll(filepath.Join(home, ".local/state/holdfast"))
	})
	return binary
}

// reach waits until the tunnel is in a state.
func reach(t *testing.T, c *dbusapi.Client, name string, state tunnelfile.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	last, err := c.Wait(ctx, func(s dbusapi.Snapshot) bool {
		one, _ := s.Tunnel(name)
		return one.State == state
	})
	if err != nil {
		one, _ := last.Tunnel(name)
		t.Fatalf("%s: not %s but %s, %s: %v", name, state, one.State, one.Status, err)
	}
}

// answer does something in a dialog, and then presses Return.
func answer(t *testing.T, title, verb, what string) {
	t.Helper()
	eventually(t, "a dialog "+title, func() bool { return len(windows(title)) > 0 })
	window := windows(title)[0]
	eventually(t, "the end of the dialog "+title, func() bool {
		for _, args := range [][]string{{"windowfocus", "--sync", window}, {verb, "--window", window, what}, {"key", "--window", window, "Return"}} {
			if err := exec.Command("xdotool", args...).Run(); err != nil {
				return len(windows(title)) == 0
			}
		}
		time.Sleep(300 * time.Millisecond) // a dialog takes its time to close
		return len(windows(title)) == 0
	})
}

// unlockKeyring starts a keyring as a login would.
func unlockKeyring(t *testing.T) {
	t.Helper()
	ring := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", "--replace")
	in, err := ring.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ring.Process.Kill()
		_ = ring.Wait()
	})
	if _, err := io.WriteString(in, "login"); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	conn := apitest.Connect(t)
	eventually(t, "a keyring", func() bool {
		var there bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&there)
		return err == nil && there
	})
}
