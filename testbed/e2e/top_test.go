//go:build testbed

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// window is a terminal of a size that changes.
type window struct {
	*testbed.Terminal
	columns, rows int
}

func (w *window) resize(t *testing.T, columns, rows int) {
	t.Helper()
	w.columns, w.rows = columns, rows
	w.Resize(t, columns, rows)
}

// onTerminal starts top on a terminal, and says when it has ended.
func onTerminal(t *testing.T, columns, rows int, args ...string) (*window, *exec.Cmd, <-chan error) {
	t.Helper()
	terminal := &window{testbed.NewTerminal(t, columns, rows), columns, rows}
	cmd := exec.Command("holdfast", append([]string{"top"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=")
	terminal.Start(t, cmd)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return terminal, cmd, ended
}

// frame is what the terminal shows.
func (w *window) frame() string { return strings.Join(w.Screen(w.columns, w.rows), "\n") }

// awaitFrame waits for a picture that matches.
func awaitFrame(t *testing.T, terminal *window, pattern string) string {
	t.Helper()
	var frame string
	testbed.WaitFor(t, 20*time.Second, func() error {
		if frame = terminal.frame(); !regexp.MustCompile(pattern).MatchString(frame) {
			return fmt.Errorf("no %s in\n%s", pattern, frame)
		}
		return nil
	})
	return frame
}

// flowSlowly sends so many bytes per second through an echo until the test ends.
func flowSlowly(t *testing.T, address string, perSecond int) {
	conn := dial(t, address)
	t.Cleanup(func() { conn.Close() })
	go io.Copy(io.Discard, conn)
	go func() {
		const parts = 20
		ticker := time.NewTicker(time.Second / parts)
		defer ticker.Stop()
		for range ticker.C {
			if _, err := conn.Write(make([]byte, perSecond/parts)); err != nil {
				return
			}
		}
	}()
}

// TestTop: what flows is seen, whatever happens to the daemon, and the terminal is left as it was.
func TestTop(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "flows", "Start=manual\n")
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	d.write("calm", fmt.Sprintf("[Tunnel]\nDestination=server\nStart=manual\nLocalForward=127.0.0.1:%d %s\n", testbed.FreePort(t), target))
	d.holdfast("up", "flows", "calm")
	const perSecond = 100 << 10
	flowSlowly(t, local, perSecond)

	terminal, _, ended := onTerminal(t, 120, 24, "-d", "0.5")
	before := terminal.Settings(t)
	frame := awaitFrame(t, terminal, `flows +up +(9\d|1[01]\d) KiB/s +(9\d|1[01]\d) KiB/s +[0-9.]+ ms +1 +.*█`)
	if strings.Index(frame, "calm") > strings.Index(frame, "flows") || !strings.Contains(frame, "2 of 2 tunnels up") {
		t.Errorf("by name:\n%s", frame)
	}
	if terminal.Settings(t) == before {
		t.Error("keys are seen, and wait for a newline")
	}
	if !strings.Contains(terminal.Shown(), "\x1b[32mup") {
		t.Error("no colour on a terminal")
	}
	terminal.Type(t, "s")
	awaitFrame(t, terminal, `(?s)by throughput.*flows .*calm `)
	// A narrow terminal has less of it, at once.
	terminal.resize(t, 28, 5)
	awaitFrame(t, terminal, `(?m)^  NAME +STATE$`)
	terminal.resize(t, 120, 24)
	awaitFrame(t, terminal, `LAST MINUTE`)

	// The daemon goes and comes back; what flowed meanwhile is in the next number.
	testbed.WaitFor(t, 20*time.Second, func() error {
		// A question that is under way in this moment starts another.
		if _, err := as("systemctl", "--user", "stop", "holdfastd"); err != nil {
			return err
		}
		if frame := terminal.frame(); !strings.Contains(frame, "holdfastd is not running") {
			return fmt.Errorf("the daemon's end is not shown:\n%s", frame)
		}
		return nil
	})
	d.holdfast("list")
	awaitFrame(t, terminal, `flows +up +(9\d|1[01]\d) KiB/s`)

	terminal.Type(t, "q")
	if err := <-ended; err != nil {
		t.Errorf("q: %v", err)
	}
	if terminal.Settings(t) != before {
		t.Errorf("the terminal is not as it was: %+v, then %+v", before, terminal.Settings(t))
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if shown := terminal.Shown(); !strings.HasSuffix(shown, "\x1b[?7h\x1b[?25h\x1b[?1049l") {
			return fmt.Errorf("the screen is not as it was: %q", shown[max(0, len(shown)-60):])
		}
		return nil
	})
}

// TestTopEnds: Ctrl-C, Ctrl-Z and the signals that end programs leave the terminal as it was, too.
func TestTopEnds(t *testing.T) {
	d := newDesk(t)
	d.holdfast("list")
	for name, end := range map[string]func(*testing.T, *window, *exec.Cmd){
		"Ctrl-C":  func(t *testing.T, terminal *window, _ *exec.Cmd) { terminal.Type(t, "\x03") },
		"Ctrl-\\": func(t *testing.T, terminal *window, _ *exec.Cmd) { terminal.Type(t, "\x1c") },
		"SIGTERM": func(_ *testing.T, _ *window, cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) },
		"after Ctrl-Z": func(t *testing.T, terminal *window, cmd *exec.Cmd) {
			terminal.Type(t, "\x1a")
			testbed.WaitFor(t, 20*time.Second, func() error {
				status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
				if err == nil && !strings.Contains(string(status), "State:\tT") {
					err = fmt.Errorf("not stopped: %.200s", status)
				}
				return err
			})
			testbed.WaitFor(t, 20*time.Second, func() error {
				if shown := terminal.Shown(); !strings.HasSuffix(shown, "\x1b[?1049l") {
					return fmt.Errorf("stopped, and the screen is still there: %q", shown[max(0, len(shown)-60):])
				}
				return nil
			})
			seen := len(terminal.Shown())
			_ = cmd.Process.Signal(syscall.SIGCONT)
			testbed.WaitFor(t, 20*time.Second, func() error {
				if !strings.Contains(terminal.Shown()[seen:], "\x1b[?1049h") {
					return fmt.Errorf("nothing drawn again")
				}
				return nil
			})
			terminal.Type(t, "q")
		},
	} {
		t.Run(name, func(t *testing.T) {
			terminal, cmd, ended := onTerminal(t, 80, 24)
			before := terminal.Settings(t)
			awaitFrame(t, terminal, "No tunnels yet")
			end(t, terminal, cmd)
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it goes on")
			}
			if terminal.Settings(t) != before {
				t.Error("the terminal is not as it was")
			}
		})
	}
}

// TestTopElsewhere: no terminal gets one table, or as many as it asks for, or JSON.
func TestTopElsewhere(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "flows", "Start=manual\n")
	d.holdfast("up", "flows")
	const perSecond = 100 << 10
	flowSlowly(t, local, perSecond)
	d.awaitState("flows", tunnelfile.Up, 10*time.Second)
	if out := d.holdfast("top"); strings.Count(out, "NAME") != 1 || !regexp.MustCompile(`(?m)^flows +up +\d+ KiB/s +\d+ KiB/s .* 1 forward`).MatchString(out) || strings.Contains(out, "\x1b") {
		t.Errorf("one table: %q", out)
	}
	if out := d.holdfast("top", "-n", "3", "-d", "0.2", "fl*"); strings.Count(out, "NAME") != 3 {
		t.Errorf("three tables: %q", out)
	}
	var rows []struct {
		Name, State string
		Received    float64 `json:"received_per_second"`
		Sent        float64 `json:"sent_per_second"`
		Channels    int     `json:"channels_open"`
	}
	out := d.holdfast("--json", "top", "-d", "2")
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if r := rows[0]; r.Name != "flows" || r.State != "up" || r.Channels != 1 || r.Received < perSecond*0.8 || r.Received > perSecond*1.2 || r.Sent < perSecond*0.8 || r.Sent > perSecond*1.2 {
		t.Errorf("%+v; %d bytes per second flow", r, perSecond)
	}
	for _, wrong := range [][]string{{"-d", "0"}, {"-n", "-1"}} {
		if _, err := holdfast(append([]string{"top"}, wrong...)...); exitStatus(err) != 2 {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	if _, err := holdfast("top", "nothing"); exitStatus(err) != 3 {
		t.Errorf("of no such tunnel: %v", err)
	}
	// The last table stays on a terminal, too.
	terminal, _, ended := onTerminal(t, 120, 24, "-n", "2", "-d", "0.2")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		shown := terminal.Shown()
		if _, after, closed := strings.Cut(shown, "\x1b[?1049l"); !closed || !strings.Contains(after, "NAME") || !strings.Contains(after, "flows") {
			return fmt.Errorf("after -n 2: %q", shown)
		}
		return nil
	})
	// A terminal that cannot be written over gets one table after the other, without colour.
	terminal = &window{testbed.NewTerminal(t, 80, 24), 80, 24}
	cmd := exec.Command("holdfast", "top", "-n", "2", "-d", "0.2")
	cmd.Env = append(os.Environ(), "TERM=dumb")
	terminal.Start(t, cmd)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if shown := terminal.Shown(); strings.Count(shown, "NAME") != 2 || strings.Contains(shown, "\x1b") {
			return fmt.Errorf("a dumb terminal: %q", shown)
		}
		return nil
	})
}
