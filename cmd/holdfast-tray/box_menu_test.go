//go:build cgo && testbed

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

// terminal is an xdg-terminal-exec that notes what is on its screen, says yes to ssh and
// closes when it is asked to.
const terminal = `#!/usr/bin/env python3
import os, pty, sys
screen = open(os.environ["HOME"] + "/terminal", "ab", buffering=0)
def read(fd):
    data = os.read(fd, 4096)
    screen.write(data)
    if b"(yes/no" in data:
        os.write(fd, b"yes\n")
    if b"Return closes" in data:
        os.write(fd, b"\n")
    return data
pty.spawn(sys.argv[1:], read)
`

// TestMenu clicks everything in the menu, with a real daemon, real tunnels and a real server.
func TestMenu(t *testing.T) {
	testbed.NeedBox(t)
	testbed.Need(t, "Xvfb", "xfwm4", "zenity", "xdotool", "python3")
	binary := installed(t)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	for name, text := range map[string]string{
		"xdg-terminal-exec": terminal,
		"xclip":             "#!/bin/sh\ncat >$HOME/clipboard\n",
		"my-editor":         "#!/bin/sh\nsed -i 's/^.Tunnel.$/&\\nDescription=edited by hand/' \"$1\"\n",
	} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"TERMINAL": "", "EDITOR": "my-editor", "VISUAL": "", "WAYLAND_DISPLAY": "", "SSH_ASKPASS": "",
		"PATH": programs + ":" + filepath.Join(home, ".local/bin") + ":" + os.Getenv("PATH")} {
		t.Setenv(name, value)
	}
	server := testbed.StartServer(t, testbed.ServerOptions{})
	target := testbed.Echo(t, "tcp", "127.0.0.1:0")
	screen(t)
	windowManager(t)
	w, _ := watch(t)
	client := apitest.Dial(t)
	ports := map[string]int{}
	add := func(name, start, knownHosts string) {
		t.Helper()
		ports[name] = testbed.FreePort(t)
		text := fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d %s\nStart=%s\n\n[SSH]\nIdentityFile=%s\nIdentitiesOnly=yes\nIdentityAgent=none\nUserKnownHostsFile=%s\n",
			server.Destination(), ports[name], target, start, server.IdentityFile, knownHosts)
		if err := client.AddTunnel(t.Context(), name, text); err != nil {
			t.Fatal(err)
		}
	}
	add("db", "auto", server.KnownHosts)
	add("lazy", "manual", server.KnownHosts)
	reach(t, client, "db", tunnelfile.Up)
	p := start(t, binary)
	i := w.icon(t)

	carries := func(name string) error {
		return testbed.EchoAt(fmt.Sprintf("127.0.0.1:%d", ports[name]), 1000, 10*time.Second)
	}
	works := func(name string) {
		t.Helper()
		reach(t, client, name, tunnelfile.Up)
		if err := carries(name); err != nil {
			t.Errorf("%s is up, and yet: %v", name, err)
		}
		sameMenu(t, client, i)
	}
	stopped := func(name string) {
		t.Helper()
		reach(t, client, name, tunnelfile.Inactive)
		if err := carries(name); err == nil {
			t.Errorf("%s is down, and yet carries", name)
		}
		if out, _ := testbed.Output("systemctl", "--user", "is-active", "holdfast-tunnel@"+name); strings.TrimSpace(out) == "active" {
			t.Errorf("%s is down, but its unit is active", name)
		}
		sameMenu(t, client, i)
	}
	read := func(file string) string {
		text, _ := os.ReadFile(filepath.Join(home, file))
		return string(text)
	}
	works("db")
	i.click(t, "db – up", "Stop")
	stopped("db")
	i.click(t, "db – inactive", "Start")
	works("db")
	i.click(t, "lazy – inactive", "Start")
	works("lazy")

	sessions := strings.Count(server.Log(), "Accepted publickey")
	i.click(t, "lazy – up", "Reconnect")
	eventually(t, "a new SSH connection", func() bool { return strings.Count(server.Log(), "Accepted publickey") > sessions })
	works("lazy")
	i.click(t, "lazy – up", "Start at login")
	eventually(t, "Start=auto", func() bool { return strings.Contains(read(".config/holdfast/lazy.tunnel"), "Start=auto") })
	i.click(t, "lazy – up", "Copy 127.0.0.1:")
	eventually(t, "the address on the clipboard", func() bool { return read("clipboard") == fmt.Sprintf("127.0.0.1:%d", ports["lazy"]) })
	i.click(t, "db – up", "Show log")
	eventually(t, "the journal in a terminal", func() bool { return strings.Contains(read("terminal"), "holdfast-tunnel@db.socket") })
	i.click(t, "db – up", "Edit…")
	eventually(t, "a description", func() bool {
		one, err := client.Tunnel(t.Context(), "db")
		return err == nil && one.Description == "edited by hand"
	})
	works("db")

	i.click(t, "All tunnels", "All down")
	stopped("db")
	stopped("lazy")
	i.click(t, "All tunnels", "All up")
	works("db")
	works("lazy")
	i.click(t, "All tunnels", "Pause for an hour")
	stopped("lazy")
	if out, err := exec.Command(binary, "--dump").Output(); err != nil || !strings.Contains(string(out), "Paused until ") {
		t.Errorf("--dump in a pause: %v\n%s", err, out)
	}
	i.click(t, "Go on now")
	works("lazy")
	works("db")

	// A host key that nobody knows: by a dialog, and by a terminal.
	unknown := filepath.Join(t.TempDir(), "known_hosts")
	add("strange", "auto", unknown)
	i.click(t, "strange – needs you", "Review host key…") // its question waits until it is called for
	press(t, "Holdfast: strange", "key", "Escape")
	i.click(t, "strange – needs you", "Review host key…")
	eventually(t, "a dialog that says what its buttons do", func() bool {
		out, _ := testbed.Output("pgrep", "--full", "--list-full", "continue connecting[?].*--ok-label Trust this key")
		return strings.Contains(out, "zenity")
	})
	answer(t, "Holdfast: strange", "key", "Right") // from "Do not connect" to "Trust this key"
	works("strange")
	other := testbed.StartServer(t, testbed.ServerOptions{})
	line := strings.Fields(other.HostKeys[0].AuthorizedKey())
	if err := os.WriteFile(unknown, fmt.Appendf(nil, "[%s]:%d %s %s\n", server.Host, server.Port, line[0], line[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	server.KillSessions(9)
	reach(t, client, "strange", tunnelfile.Blocked)
	i.click(t, "strange – needs you", "Review host key…")
	eventually(t, "a warning in a terminal", func() bool {
		return strings.Contains(read("terminal"), "is not the one that is known") && strings.Contains(read("terminal"), "Return closes this window.")
	})
	if err := client.RemoveTunnel(t.Context(), "strange"); err != nil {
		t.Fatal(err)
	}
	sameMenu(t, client, i)

	// The daemon goes: the tunnels stay.
	if out, err := testbed.Output("systemctl", "--user", "stop", "holdfastd"); err != nil {
		t.Fatal(err, out)
	}
	eventually(t, "no daemon", func() bool { _, ok := find(i.menu(t), "Holdfast is not running"); return ok })
	if err := carries("db"); err != nil {
		t.Errorf("without a daemon: %v", err)
	}
	i.click(t, "Start Holdfast")
	works("db")
	if out, err := testbed.Output("systemctl", "--user", "kill", "-s", "KILL", "holdfastd"); err != nil {
		t.Fatal(err, out)
	}
	eventually(t, "the next daemon", func() bool { _, ok := find(i.menu(t), "db – up"); return ok })
	// It has our agent again: a passphrase is asked for.
	key := testbed.NewKey(t, filepath.Join(server.Dir, "locked"), "ed25519", "open sesame")
	server.Authorize(key.AuthorizedKey())
	text := fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d %s\n\n[SSH]\nIdentityFile=%s\nIdentitiesOnly=yes\nIdentityAgent=none\nUserKnownHostsFile=%s\n",
		server.Destination(), testbed.FreePort(t), target, key.File, server.KnownHosts)
	if err := client.AddTunnel(t.Context(), "locked", text); err != nil {
		t.Fatal(err)
	}
	i.click(t, "locked – needs you", "Enter passphrase…")
	press(t, "Holdfast: locked", "key", "Escape")
	i.click(t, "locked – needs you", "Enter passphrase…")
	answer(t, "Holdfast: locked", "type", "open sesame")
	reach(t, client, "locked", tunnelfile.Up)

	i.click(t, "Holdfast", "Quit")
	if status := p.status(t); status != 0 {
		t.Errorf("exit status %d after Quit", status)
	}
	if err := carries("db"); err != nil {
		t.Errorf("without a tray: %v", err)
	}
}

// sameMenu waits until a panel sees what View makes of what the daemon says.
func sameMenu(t *testing.T, client *dbusapi.Client, i item) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	snapshots, err := client.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wanted, got string
	s := <-snapshots
	for {
		// Traffic is looked at only now and then, and round trips differ each time.
		wanted = withoutTraffic(cut(tray.Dump(tray.Now(s, tray.DefaultPaths(os.Getenv), slog.New(slog.DiscardHandler)))))
		if nodes, err := i.read(ctx); err == nil {
			if got = withoutTraffic(cut(tray.Dump(tray.View{Items: items(nodes)}))); got == wanted {
				return
			}
		}
		select {
		case s = <-snapshots:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the panel shows\n%s\nwant\n%s", got, wanted)
		}
	}
}

func withoutTraffic(dump string) string {
	var kept []string
	for line := range strings.Lines(dump) {
		if !strings.Contains(line, "(↓") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// press does something in a dialog, until it is closed.
func press(t *testing.T, title, verb, what string) {
	t.Helper()
	eventually(t, "a dialog "+title, func() bool { return len(windows(title)) > 0 })
	for _, args := range [][]string{{"windowfocus", "--sync", windows(title)[0]}, {verb, what}} {
		if err := exec.Command("xdotool", args...).Run(); err != nil && !errors.Is(err, exec.ErrNotFound) {
			t.Logf("xdotool %v: %v", args, err)
		}
	}
	eventually(t, "the end of the dialog "+title, func() bool { return len(windows(title)) == 0 })
}
