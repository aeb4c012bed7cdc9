//go:build testbed

package systemdctl

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWatch holds hints against what happens to a unit: its birth, a status text, its
// end, and the manager's own reload and re-execution.
func TestWatch(t *testing.T) {
	ctx, c := connect(t)
	hints := c.Watch(ctx, func(unit string) bool { return strings.HasPrefix(unit, "watched") })
	wait := func(what, want string) {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for {
			select {
			case hint, ok := <-hints:
				if !ok {
					t.Fatalf("%s: the watch ended", what)
				}
				if hint == want || hint == "" { // a hint about all stands for those that it swallowed
					return
				}
			case <-deadline:
				t.Fatalf("%s: no hint", what)
			}
		}
	}
	wait("at the beginning", "")
	status := shell("watched.service", `systemd-notify READY=1; while read line; do systemd-notify --status="$line"; done </tmp/watched; sleep 1000`,
		property("NotifyAccess", "all"))
	_ = os.Remove("/tmp/watched")
	if err := syscall.Mkfifo("/tmp/watched", 0o600); err != nil {
		t.Fatal(err)
	}
	start(ctx, t, c, status)
	fifo, err := os.OpenFile("/tmp/watched", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	wait("started", "watched.service")
	for _, text := range []string{"up: 1 forward", "retrying: in 8s"} {
		if _, err := fifo.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
		for {
			wait(text, "watched.service")
			if u, err := c.Unit(ctx, "watched.service"); err == nil && u.StatusText == text {
				break
			}
		}
	}
	for _, verb := range []string{"daemon-reload", "daemon-reexec"} {
		if out, err := exec.CommandContext(ctx, "systemctl", "--user", verb).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", verb, err, out)
		}
		wait(verb, "")
	}
	if err := c.Stop(ctx, "watched.service"); err != nil {
		t.Fatal(err)
	}
	for {
		wait("stopped", "watched.service")
		if _, err := c.Unit(ctx, "watched.service"); errors.Is(err, ErrNoSuchUnit) {
			break
		}
	}
}

// TestWatchOthers asks for hints about nothing that happens.
func TestWatchOthers(t *testing.T) {
	ctx, c := connect(t)
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	hints := c.Watch(short, func(unit string) bool { return unit == "elsewhere.service" })
	start(ctx, t, c, shell("unwatched.service", "exit 0"))
	var got []string
	for hint := range hints {
		got = append(got, hint)
	}
	if !slices.Equal(got, []string{""}) {
		t.Errorf("hints %q, want only the first", got)
	}
}

// TestBusGone connects to a bus of its own, which then goes away.
func TestBusGone(t *testing.T) {
	ctx, _ := connect(t)
	bus := exec.CommandContext(ctx, "dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	if _, err := Connect(ctx, User); !errors.Is(err, ErrNoManager) {
		t.Errorf("a bus without systemd: %v, want ErrNoManager", err)
	}

	c, err := open(ctx, User)
	if err != nil {
		t.Fatal(err)
	}
	hints := c.Watch(ctx, func(string) bool { return true })
	<-hints
	_ = bus.Process.Kill()
	_ = bus.Wait()
	select {
	case <-c.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the end of the bus went unnoticed")
	}
	if _, ok := <-hints; ok {
		t.Error("a hint from a bus that is gone")
	}
	if _, err := c.Unit(ctx, "x.service"); err == nil {
		t.Error("a unit from a bus that is gone")
	}
}

// TestDeadline calls a manager that does not answer.
func TestDeadline(t *testing.T) {
	ctx, c := connect(t)
	out, err := exec.CommandContext(ctx, "pgrep", "-u", "tester", "-x", "systemd").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(out))
	if err := exec.CommandContext(ctx, "kill", "-STOP", pid).Run(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = exec.Command("kill", "-CONT", pid).Run() }()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := c.Unit(short, "x.service"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Unit: %v", err)
	}
	if _, err := Connect(short, User); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Connect: %v", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}
