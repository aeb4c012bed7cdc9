//go:build testbed

package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/holdfast/holdfast/testbed"
)

// TestBoxSessions runs the sessions of testdata/box against the real daemon, systemd and sshd.
func TestBoxSessions(t *testing.T) {
	testbed.NeedBox(t)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{
		{"../packaging/install", filepath.Join(home, ".local")},
		{"systemctl", "--user", "daemon-reload"},
		{"busctl", "--user", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig"},
	} {
		if _, err := testbed.Output(argv...); err != nil {
			t.Fatal(err)
		}
	}
	server := testbed.StartServer(t, testbed.ServerOptions{})
	locked := testbed.NewKey(t, filepath.Join(server.Dir, "locked"), "ed25519", "open sesame")
	server.Authorize(locked.AuthorizedKey())
	far := testbed.StartServer(t, testbed.ServerOptions{Addr: "127.0.0.2", HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	stranger := filepath.Join(server.Dir, "stranger_known_hosts")
	line := fmt.Sprintf("[127.0.0.1]:%d %s\n", server.Port, testbed.NewKey(t, filepath.Join(server.Dir, "stranger"), "ed25519", "").AuthorizedKey())
	if err := os.WriteFile(stranger, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	files, err := filepath.Glob("testdata/box/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no sessions", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			journal, _ := testbed.Output("journalctl", "--user", "-n", "60", "--no-pager", "-o", "cat")
			t.Logf("journal:\n%s", journal)
		}
		testbed.Output("systemctl", "--user", "stop", "holdfastd", "holdfast-tunnel@*")
		os.RemoveAll(filepath.Join(home, ".config/holdfast"))
	})
	// One after the other: they share the person's daemon.
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: func(e *testscript.Env) error {
					for _, name := range []string{"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "USER"} {
						e.Setenv(name, os.Getenv(name))
					}
					e.Setenv("HOME", home)
					e.Setenv("TERM", "xterm")
					// The real program, not the one that the test's binary is.
					e.Setenv("PATH", filepath.Join(home, ".local/bin")+":"+e.Getenv("PATH"))
					e.Setenv("DESTINATION", server.Destination())
					e.Setenv("LOCAL", "127.0.0.1:"+strconv.Itoa(testbed.FreePort(t)))
					e.Setenv("ECHO", echo)
					e.Setenv("KEY", server.IdentityFile)
					e.Setenv("LOCKED", locked.File)
					e.Setenv("PORT", strconv.Itoa(server.Port))
					e.Setenv("PORT2", strconv.Itoa(far.Port))
					e.Setenv("STRANGER", stranger)
					e.Setenv("KNOWN", server.KnownHosts)
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
			})
		})
	}
}
