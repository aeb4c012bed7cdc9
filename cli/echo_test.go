package cli_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/testbed"
)

// inShell starts a shell on a terminal that runs a command line.
func inShell(t *testing.T, args ...string) *window {
	t.Helper()
	w := &window{testbed.NewTerminal(t, 100, 24), 100, 24, exec.Command("bash", args...), make(chan error, 1), unix.Termios{}}
	w.before = w.Settings(t)
	w.Start(t, w.cmd)
	go func() { w.ended <- w.cmd.Wait() }()
	return w
}

// echoes waits until the terminal shows what is typed, or does not.
func (w *window) echoes(t *testing.T, want bool) {
	t.Helper()
	testbed.WaitFor(t, 20*time.Second, func() error {
		if got := w.Settings(t).Lflag&unix.ECHO != 0; got != want {
			return fmt.Errorf("echo is %v", got)
		}
		return nil
	})
}

// waiting is a command that shows a live line, and goes on and on.
const waiting = "holdfast up --timeout=5m 'a-rather*'"

// sends is a signal to the program that the shell runs, once the terminal has taken what was typed.
func sends(signal syscall.Signal) func(*testing.T, *window) {
	return func(t *testing.T, w *window) {
		t.Helper()
		testbed.WaitFor(t, 20*time.Second, func() error {
			if w.Typed(t) == 0 {
				return errors.New("the terminal has no line yet")
			}
			return nil
		})
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", w.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
		if err == nil {
			err = syscall.Kill(pid, signal)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func types(keys string) func(*testing.T, *window) {
	return func(t *testing.T, w *window) { w.Type(t, keys) }
}

// TestKeysDoNotShowWhileWaiting: what is typed stands nowhere in the live lines, is there for the shell afterwards,
// and the terminal is as it was, whichever way the program ends.
func TestKeysDoNotShowWhileWaiting(t *testing.T) {
	testbed.Need(t, "bash")
	for _, c := range []struct {
		name, command, live string
		end                 func(*testing.T, *window)
		ended               string
		flushes             bool // what was typed before goes: signals drop it, termios(3) NOFLSH; the panic reads it
	}{
		{"its end", "holdfast up --timeout=2s 'a-rather*'", `s of 2s at most`, types(""), "", false},
		{"SIGTERM", waiting, `s of 5m at most`, sends(syscall.SIGTERM), "left as it is", false},
		{"SIGHUP", waiting, `s of 5m at most`, sends(syscall.SIGHUP), "Hangup", false},
		{"Ctrl-C", waiting, `s of 5m at most`, types("\x03"), "left as it is", true},
		{"SIGQUIT", waiting, `s of 5m at most`, types("\x1c"), "rflags", true},
		{"panic", "panics", "a live line", types("\n"), "panic: now", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			withBackend(t)
			w := inShell(t, "-c", "trap : INT QUIT; "+c.command+`; read line; echo "then $line"`)
			w.echoes(t, false)
			w.await(t, c.live)
			if !c.flushes {
				w.Type(t, "typed ahead\n")
			}
			c.end(t, w)
			w.await(t, c.ended)
			if c.flushes {
				w.echoes(t, true)
				w.Type(t, "typed ahead\n")
			}
			w.await(t, "then typed ahead")
			if err := w.end(t); err != nil {
				t.Error(err)
			}
			if shown := strings.Join(w.Screen(w.columns, w.rows), "\n"); !c.flushes && strings.Count(shown, "typed ahead") != 1 {
				t.Errorf("keys stand on the screen:\n%s", shown)
			}
			if w.Settings(t) != w.before {
				t.Error("the terminal is not as it was")
			}
		})
	}
}

// TestWaitIsPutAside: Ctrl-Z gives the shell a terminal that shows what is typed; fg takes it away again.
func TestWaitIsPutAside(t *testing.T) {
	testbed.Need(t, "bash")
	withBackend(t)
	t.Setenv("PS1", "shell> ")
	w := inShell(t, "--norc", "--noprofile", "--noediting", "-i")
	w.await(t, `shell>\s*$`)
	w.Type(t, waiting+"\n")
	w.await(t, `s of 5m at most`)
	w.echoes(t, false)
	w.Type(t, "\x1a")
	w.await(t, `Stopped.*\s+shell>\s*$`)
	w.echoes(t, true)
	w.Type(t, "fg\n")
	w.await(t, `(?s)shell> fg.*s of 5m at most`)
	w.echoes(t, false)
	w.Type(t, "\x03")
	w.await(t, `is left as it is(?s:.*)shell>\s*$`)
	w.echoes(t, true)
	w.Type(t, "exit 0\n")
	if err := w.end(t); err != nil {
		t.Error(err)
	}
}
