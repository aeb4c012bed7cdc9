package cli_test

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// window is a program that has a terminal, and what it shows.
type window struct {
	*testbed.Terminal
	columns, rows int
	cmd           *exec.Cmd
	ended         chan error
	before        unix.Termios // the terminal's settings, when the program has not touched it
}

// onWindow starts holdfast on a terminal.
func onWindow(t *testing.T, columns, rows int, args ...string) *window {
	t.Helper()
	w := &window{testbed.NewTerminal(t, columns, rows), columns, rows, exec.Command("holdfast", args...), make(chan error, 1), unix.Termios{}}
	w.before = w.Settings(t)
	w.Start(t, w.cmd)
	go func() { w.ended <- w.cmd.Wait() }()
	return w
}

// await waits until the screen matches, and returns it.
func (w *window) await(t *testing.T, pattern string) string {
	t.Helper()
	var shown string
	testbed.WaitFor(t, 20*time.Second, func() error {
		shown = strings.Join(w.Screen(w.columns, w.rows), "\n")
		if !regexp.MustCompile(pattern).MatchString(shown) {
			return fmt.Errorf("no %s on\n%s", pattern, shown)
		}
		return nil
	})
	return shown
}

// end waits for the program's end.
func (w *window) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("it goes on:\n%s", strings.Join(w.Screen(w.columns, w.rows), "\n"))
		return nil
	}
}

// withBackend is a daemon with stand-in tunnels, and an environment in which holdfast finds it.
func withBackend(t *testing.T) *apitest.Backend {
	t.Helper()
	home := t.TempDir()
	for name, value := range map[string]string{
		"DBUS_SESSION_BUS_ADDRESS": apitest.Bus(t), "HOME": home, "XDG_CONFIG_HOME": "", "TERM": "xterm", "NO_COLOR": "", "EDITOR": "true", "TZ": "UTC", "GORACE": "atexit_sleep_ms=0",
	} {
		t.Setenv(name, value)
	}
	backend := apitest.NewBackend()
	apitest.Serve(t, denying{backend})
	putTunnels(t, backend)
	return backend
}

// denying lets nobody restart the tunnel proxy, as on the system bus.
type denying struct{ *apitest.Backend }

func (d denying) Restart(ctx context.Context, patterns []string) error {
	if slices.Contains(patterns, "proxy") {
		return dbusapi.ErrDenied
	}
	return d.Backend.Restart(ctx, patterns)
}

// stateOf is a tunnel's state.
func awaitState(t *testing.T, b *apitest.Backend, name string, want tunnelfile.State) {
	t.Helper()
	testbed.WaitFor(t, 10*time.Second, func() error {
		row, err := b.Tunnel(context.Background(), name)
		if err == nil && row.State != want {
			err = fmt.Errorf("%s is %s", name, row.State)
		}
		return err
	})
}

// TestTopKeys: each key does what the page of keys says.
func TestTopKeys(t *testing.T) {
	backend := withBackend(t)
	w := onWindow(t, 80, 24, "top", "-d", "0.2")
	before := w.before
	shown := w.await(t, `(?m)^> a-rather-long`)
	for _, want := range []string{"3 of 8 tunnels up, network online", "hint: it goes on trying", "Enter open"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q on\n%s", want, shown)
		}
	}
	w.Type(t, "G")
	w.await(t, `(?m)^> web`)
	w.Type(t, "d")
	awaitState(t, backend, "web", tunnelfile.Inactive)
	w.await(t, `(?m)^> web +inactive[^$]*down web: done`)
	w.Type(t, "u")
	awaitState(t, backend, "web", tunnelfile.Up)
	w.Type(t, "k")
	w.await(t, `(?m)^> proxy`)
	w.Type(t, "R") // denied: the verb has the whole terminal, where polkit can ask
	w.await(t, `holdfast: access denied\s+hint: the same as root: sudo holdfast --system restart proxy\s+Enter goes back to top\.\s*$`)
	w.Type(t, "\n")
	w.await(t, `(?m)^> proxy`)
	w.Type(t, "\x1b[A\x1b[A\x1b[B")
	w.await(t, `(?m)^> post`)

	// A filter, kept and taken away.
	w.Type(t, "/MAIL.EX\x7f\x7f\x7f")
	shown = w.await(t, `filter: MAIL█`)
	if strings.Contains(shown, "web") || !strings.Contains(shown, "mail") || !strings.Contains(shown, "post") {
		t.Errorf("filtered:\n%s", shown)
	}
	w.Type(t, "\r")
	w.await(t, `(?m)^filter: MAIL$`)
	w.Type(t, "\x1b")
	w.await(t, `(?m)^ *web`)

	// Its page, by the keyboard and by the mouse, and back.
	w.Type(t, "g\r")
	w.await(t, `(?m)^a-rather-long-name-for-a-tunnel  retrying[^$]*Next|To: `)
	w.Type(t, "\x1b")
	w.await(t, `(?m)^> a-rather`)
	w.Type(t, "\x1b[<0;5;4M\x1b[<0;5;4m") // the second row
	w.await(t, `(?m)^> broken`)
	w.Type(t, "\x1b[<0;5;4M")
	w.await(t, `(?m)^broken  failed`)
	w.Type(t, "?")
	shown = w.await(t, `(?m)^Keys`)
	if !strings.Contains(shown, "takes it down") {
		t.Errorf("keys:\n%s", shown)
	}
	w.Type(t, "\x1b\x1b")
	w.await(t, `(?m)^> broken`)

	// Verbs that have the whole terminal, and the way back. This daemon's tunnels have no files.
	for key, said := range map[string]string{"t": `no such tunnel: broken\s+hint.*\s+Enter`, "c": `no such tunnel: broken\s+hint.*\s+Enter`, "p": `holdfast: broken is failed`, "e": `Nothing changed`, "a": `Where to\?.*:\s*$`} {
		w.Type(t, key)
		w.await(t, said)
		if key == "a" {
			w.Type(t, "\x03")
		}
		w.await(t, `Enter goes back to top\.\s*$`)
		w.Type(t, "\n")
		w.await(t, `(?m)^> broken`)
	}

	// What it said, and its past; there is a journal or there is none.
	w.Type(t, "l")
	w.await(t, `(?m)^log of broken  failed`)
	w.Type(t, "h")
	w.await(t, `(?m)^history of broken  failed`)
	w.Type(t, "3\x1b")
	w.await(t, `(?m)^ *Tunnel:  broken`)
	w.Type(t, "\x1b")
	w.await(t, `(?m)^> broken`)
	w.Type(t, "G")
	w.await(t, `(?m)^> web`)
	w.Type(t, "r")
	w.await(t, `reconnect web: done`)
	w.Type(t, "R")
	w.await(t, `restart web: done`)
	w.Type(t, "s")
	w.await(t, `by throughput`)
	w.Type(t, "sg\x1b[B")
	w.await(t, `(?m)^> broken`)

	// The terminal grows and shrinks.
	w.columns, w.rows = 40, 8
	w.Resize(t, 40, 8)
	w.await(t, `(?m)^> broken`)
	w.columns, w.rows = 120, 30
	w.Resize(t, 120, 30)
	w.await(t, `LAST MINUTE`)
	w.Type(t, "q")
	if err := w.end(t); err != nil {
		t.Error(err)
	}
	leftAsItWas(t, w, before)
}

// leftAsItWas: the terminal's settings and its screen are those of before.
func leftAsItWas(t *testing.T, w *window, before any) {
	t.Helper()
	if now := w.Settings(t); now != before {
		t.Errorf("the terminal is not as it was: %+v", now)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if shown := w.Shown(); !strings.HasSuffix(shown, "\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l") {
			return fmt.Errorf("the screen is not as it was: %q", shown[max(0, len(shown)-80):])
		}
		return nil
	})
}

// TestTopIsQuiet: where nothing changes nothing is written, and nobody is asked.
func TestTopIsQuiet(t *testing.T) {
	backend := withBackend(t)
	for _, name := range []string{"a-rather-long-name-for-a-tunnel", "cafe", "db", "file", "mail", "web"} {
		if err := backend.Stop(t.Context(), []string{name}); err != nil {
			t.Fatal(err)
		}
	}
	w := onWindow(t, 80, 24, "top", "-d", "0.1")
	w.await(t, `(?m)^> a-rather`)
	w.Type(t, "j")
	w.await(t, `(?m)^> broken`)
	w.Type(t, "k")
	w.await(t, `(?m)^> a-rather`)
	seen := len(w.Shown())
	time.Sleep(time.Second) // ten looks
	if more := w.Shown()[seen:]; more != "" {
		t.Errorf("written although nothing changed: %q", more)
	}
}

// TestTopEnds: signals that end programs leave the terminal as it was.
func TestTopEnds(t *testing.T) {
	withBackend(t)
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(end.String(), func(t *testing.T) {
			w := onWindow(t, 80, 24, "top")
			before := w.before
			w.await(t, `(?m)^> a-rather`)
			if err := w.cmd.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			if err := w.end(t); err != nil {
				t.Error(err)
			}
			leftAsItWas(t, w, before)
		})
	}
}

// TestTopOutsideEnds: Ctrl-C where Enter goes back to top ends it.
func TestTopOutsideEnds(t *testing.T) {
	withBackend(t)
	w := onWindow(t, 80, 24, "top", "web")
	w.await(t, `(?m)^> web`)
	w.Type(t, "t") // there is no such file: trust says so
	w.await(t, `Enter goes back to top\.\s*$`)
	w.Type(t, "\x03")
	_ = w.end(t)
	if w.Settings(t) != w.before {
		t.Error("the terminal is not as it was")
	}
}
