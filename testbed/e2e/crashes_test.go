//go:build testbed

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// shownTunnel is what holdfast --json status says of a tunnel.
type shownTunnel struct {
	State   string     `json:"state"`
	Status  string     `json:"status"`
	NextTry *time.Time `json:"next_try"`
}

// status is what is shown of one tunnel, whatever state it is in.
func (d *desk) status(name string) (shownTunnel, error) {
	out, err := holdfast("--json", "status", name)
	if err != nil && exitStatus(err) != 4 {
		return shownTunnel{}, err
	}
	var all struct {
		Tunnels []shownTunnel `json:"tunnels"`
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return shownTunnel{}, fmt.Errorf("%w in %s", err, out)
	}
	if len(all.Tunnels) != 1 {
		return shownTunnel{}, fmt.Errorf("%d tunnels in %s", len(all.Tunnels), out)
	}
	return all.Tunnels[0], nil
}

// awaitStatus waits until a tunnel is in a state and its status line has each of the words.
func (d *desk) awaitStatus(name string, state tunnelfile.State, deadline time.Duration, words ...string) shownTunnel {
	d.Helper()
	var shown shownTunnel
	testbed.WaitFor(d, deadline, func() (err error) {
		if shown, err = d.status(name); err != nil {
			return err
		}
		if shown.State != string(state) {
			return fmt.Errorf("%s is %s: %s, want %s", name, shown.State, shown.Status, state)
		}
		for _, word := range words {
			if !strings.Contains(shown.Status, word) {
				return fmt.Errorf("%s is %s: %q, which does not say %q", name, shown.State, shown.Status, word)
			}
		}
		return nil
	})
	return shown
}

// starts is how often systemd has begun to start a tunnel's service.
func (d *desk) starts(name string) int {
	n := 0
	for line := range strings.Lines(d.journal(tunnelfile.ServiceName(name))) {
		if strings.HasPrefix(line, "Starting ") && strings.Contains(line, "SSH tunnel "+name+" ") {
			n++
		}
	}
	return n
}

// knock is a client that connects five times a second for a while and says one byte
// each time; it returns how many were answered and how many were turned away. Those
// that are neither when it ends are cut.
func knock(address string, d time.Duration) (served, refused int) {
	var mu sync.Mutex
	var clients sync.WaitGroup
	end := time.Now().Add(d)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for now := time.Now(); now.Before(end); now = <-tick.C {
		clients.Go(func() {
			buffer := []byte{'x'}
			conn, err := net.DialTimeout("tcp", address, 5*time.Second)
			if err == nil {
				defer conn.Close()
				conn.SetDeadline(end)
				if _, err = conn.Write(buffer); err == nil {
					_, err = io.ReadFull(conn, buffer)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			timeout, ok := err.(net.Error)
			switch {
			case err == nil:
				served++
			case !ok || !timeout.Timeout():
				refused++
			}
		})
	}
	clients.Wait()
	return served, refused
}

// statFields are the numbers in /proc/PID/stat from the fourth, ppid, on; see proc_pid_stat(5).
func statFields(t *testing.T, pid int) []int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name may have spaces
	var numbers []int
	for _, field := range strings.Fields(after)[1:13] { // up to the 15th, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// parent is the process that started another one.
func parent(t *testing.T, pid int) int {
	t.Helper()
	return statFields(t, pid)[0]
}

// cpu is the processor time that a process has used.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	fields := statFields(t, pid)
	return time.Duration(fields[10]+fields[11]) * 10 * time.Millisecond // utime, stime in ticks
}

// knockCalmly is knock, which must keep neither the daemon nor systemd busy.
func (d *desk) knockCalmly(t *testing.T, address string, span time.Duration) (served, refused int) {
	t.Helper()
	daemon := mainPID(t, "holdfastd.service")
	systemd := parent(t, daemon)
	before := [2]time.Duration{cpu(t, daemon), cpu(t, systemd)}
	served, refused = knock(address, span)
	used := [2]time.Duration{cpu(t, daemon) - before[0], cpu(t, systemd) - before[1]}
	t.Logf("%d served, %d refused or reset in %v; processor time: daemon %v, systemd %v", served, refused, span, used[0], used[1])
	for i, who := range []string{"the daemon", "systemd"} {
		if used[i] > span/4 {
			t.Errorf("%s was busy for %v of %v while a client connected five times a second", who, used[i], span)
		}
	}
	return served, refused
}

// TestWorkerHangs: a worker that does nothing any more is killed by the watchdog; a
// client that came meanwhile is served by the next one.
func TestWorkerHangs(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "hung", "Start=manual\n[Service]\nWatchdogSec=3s\nRestartSec=1s\n")
	d.holdfast("up", "hung")
	unit := tunnelfile.ServiceName("hung")
	worker := mainPID(t, unit)
	if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error { // each thread stops by itself, and until then takes clients
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", worker))
		for _, thread := range threads {
			if text, _ := os.ReadFile(thread); !strings.Contains(string(text), ") T ") {
				return fmt.Errorf("a thread runs: %s", text)
			}
		}
		return err
	})
	start := time.Now()
	conn := dial(t, local)
	d.awaitStatus("hung", tunnelfile.Retrying, 30*time.Second, "WatchdogSec")
	t.Logf("found hung after %v", time.Since(start).Round(time.Millisecond))
	testbed.CheckEcho(t, conn, 1<<20, 30*time.Second)
	t.Logf("a client served after %v", time.Since(start).Round(time.Millisecond))
	d.awaitStatus("hung", tunnelfile.Up, 10*time.Second)
	if now := mainPID(t, unit); now == worker {
		t.Error("the hung worker is still there")
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		if journal := d.journal(unit); !strings.Contains(journal, "Watchdog timeout") {
			return fmt.Errorf("the journal says nothing of a watchdog:\n%s", journal)
		}
		return nil
	})
}

// TestWorkerCrashes: five crashes in a minute are enough. The tunnel says that it gave
// up and why, clients are turned away at once, and nothing starts until a person says so.
func TestWorkerCrashes(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "crashing", "Start=manual\n[Service]\nRestartSec=100ms\n")
	d.holdfast("up", "crashing")
	unit := tunnelfile.ServiceName("crashing")
	killed := map[int]bool{}
	for range 5 {
		testbed.WaitFor(t, 20*time.Second, func() error {
			pid, _ := strconv.Atoi(property(unit, "MainPID"))
			if pid == 0 || killed[pid] {
				return fmt.Errorf("no new worker: %s, %s", property(unit, "ActiveState"), property(unit, "Result"))
			}
			killed[pid] = true
			return syscall.Kill(pid, syscall.SIGKILL)
		})
	}
	shown := d.awaitStatus("crashing", tunnelfile.Failed, 20*time.Second, "gave up", "5")
	t.Logf("status: %s", shown.Status)
	testbed.WaitFor(t, 10*time.Second, func() error {
		if n := d.starts("crashing"); n != 5 {
			return fmt.Errorf("%d starts in the journal, want 5", n)
		}
		return nil
	})
	served, refused := d.knockCalmly(t, local, 3*time.Second)
	if served > 0 || refused < 10 {
		t.Errorf("%d clients of a tunnel that gave up were served, %d refused", served, refused)
	}
	if n := d.starts("crashing"); n != 5 {
		t.Errorf("%d starts after clients came, want 5 as before", n)
	}
	d.awaitStatus("crashing", tunnelfile.Failed, 20*time.Second, "gave up")
	d.holdfast("up", "crashing")
	testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	d.awaitStatus("crashing", tunnelfile.Up, 10*time.Second)
}

// TestServiceCannotStart: clients who knock at a tunnel whose program cannot start do
// not have it started over and over.
func TestServiceCannotStart(t *testing.T) {
	for _, c := range []struct {
		name, restart string
		span          time.Duration
		starts        int // at most
		state         tunnelfile.State
		words         string // of the status
	}{
		{"waits", "", 5 * time.Second, 3, tunnelfile.Retrying, "ExecStartPre"},
		{"hurried", "RestartSec=50ms\n", 5 * time.Second, 11, tunnelfile.Failed, "gave up after 11 starts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			s, local := d.echoTunnel(t, "lame", "Start=on-demand\n[Service]\nExecStartPre=/bin/false\n"+c.restart)
			d.holdfast("up", "lame")
			d.awaitStatus("lame", tunnelfile.Listening, 10*time.Second)
			served, _ := d.knockCalmly(t, local, c.span)
			if served > 0 {
				t.Errorf("%d clients were served by nothing", served)
			}
			shown := d.awaitStatus("lame", c.state, 20*time.Second, c.words)
			t.Logf("status: %s", shown.Status)
			n := d.starts("lame")
			t.Logf("%d starts", n)
			if n < 1 || n > c.starts {
				t.Errorf("%d starts in %v, want 1 to %d", n, c.span, c.starts)
			}
			if n := s.Attempts(); n != 0 {
				t.Errorf("%d connections to the server", n)
			}
		})
	}
}

// TestDaemonKilledInEachState: whatever a tunnel is doing, it goes on doing it, and the
// next daemon shows it as the last one did.
func TestDaemonKilledInEachState(t *testing.T) {
	d := newDesk(t)
	s, upLocal := d.echoTunnel(t, "up", "")
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	degradedLocal := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	silent := testbed.NewProxy(t, s.Addr)
	silent.SetSilent(true)
	_, silentPort, _ := net.SplitHostPort(silent.Addr)
	rude := testbed.NewProxy(t, s.Addr)
	rude.SetRefusing(true) // the delays grow fastest for a server that turns us away
	_, rudePort, _ := net.SplitHostPort(rude.Addr)
	stranger := testbed.NewKey(t, filepath.Join(t.TempDir(), "stranger"), "ed25519", "")

	var hosts strings.Builder
	fmt.Fprintf(&hosts, "Host silent\n  HostName 127.0.0.1\n  Port %s\n  ConnectTimeout 300\n", silentPort)
	fmt.Fprintf(&hosts, "Host rude\n  HostName 127.0.0.1\n  Port %s\n", rudePort)
	fmt.Fprintf(&hosts, "Host wrongkey\n  HostName %s\n  Port %d\n  User %s\n  UserKnownHostsFile %s\n  IdentityFile %s\n  IdentitiesOnly yes\n",
		s.Host, s.Port, s.User, s.KnownHosts, stranger.File)
	config := filepath.Join(person.Home, ".ssh/config")
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d.writeFile(config, string(before)+hosts.String())

	to := func(destination, rest string) string {
		return fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d %s\n%s", destination, testbed.FreePort(t), echo, rest)
	}
	d.write("connecting", to("silent", ""))
	d.write("retrying", to("rude", "RetryMax=5min\n"))
	d.write("blocked", to("wrongkey", ""))
	d.write("listening", to("server", "Start=on-demand\n"))
	d.write("degraded", fmt.Sprintf("[Tunnel]\nDestination=server\nLocalForward=%s %s\nRemoteForward=%s %s\n", degradedLocal, echo, echo, echo))

	states := []tunnelfile.State{tunnelfile.Connecting, tunnelfile.Retrying, tunnelfile.Blocked, tunnelfile.Listening, tunnelfile.Up, tunnelfile.Degraded}
	for _, state := range states {
		d.awaitStatus(string(state), state, 30*time.Second)
	}
	conns := []net.Conn{dial(t, upLocal), dial(t, degradedLocal)}
	trip := func(when string) {
		t.Helper()
		for _, conn := range conns {
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			message := []byte("still there")
			if _, err := conn.Write(message); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if _, err := io.ReadFull(conn, message); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
		}
	}
	trip("before")
	// The others stand still; this one must not try again while we look.
	testbed.WaitFor(t, 45*time.Second, func() error {
		shown, err := d.status("retrying")
		if err != nil {
			return err
		}
		if shown.NextTry == nil || time.Until(*shown.NextTry) < 8*time.Second {
			return fmt.Errorf("the next try is too near: %+v", shown)
		}
		return nil
	})

	// What there is to see of a tunnel, by the daemon and by systemd.
	look := func() map[tunnelfile.State]string {
		seen := make(map[tunnelfile.State]string)
		for _, state := range states {
			shown, err := d.status(string(state))
			if err != nil {
				t.Fatal(err)
			}
			status, _, _ := strings.Cut(shown.Status, ", rtt ") // which may change at any time
			units, err := as("systemctl", "--user", "show",
				"--property=ActiveState,SubState,MainPID,InvocationID,StateChangeTimestampMonotonic",
				tunnelfile.ServiceName(string(state)), tunnelfile.SocketName(string(state)))
			if err != nil {
				t.Fatal(err)
			}
			seen[state] = fmt.Sprintf("%s: %q, next try %v, %s", shown.State, status, shown.NextTry, strings.Join(strings.Fields(units), " "))
		}
		return seen
	}
	was, attempts, knocks := look(), s.Attempts(), silent.Accepted()
	for _, state := range states {
		t.Logf("%s", was[state])
		if !strings.HasPrefix(was[state], string(state)+":") {
			t.Errorf("the tunnel is not %s: %s", state, was[state])
		}
	}
	daemon := mainPID(t, "holdfastd.service")
	if err := syscall.Kill(daemon, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	trip("without a daemon")
	testbed.WaitFor(t, 20*time.Second, func() error {
		_, err := d.status("up")
		if pid := property("holdfastd.service", "MainPID"); err == nil && (pid == "0" || pid == strconv.Itoa(daemon)) {
			return fmt.Errorf("no new daemon: %s", pid)
		}
		return err
	})
	// While it finds out where the tunnels lead it may take them to be offline, if the machine is.
	testbed.WaitFor(t, 10*time.Second, func() error {
		is := look()
		for _, state := range states {
			if is[state] != was[state] {
				return fmt.Errorf("%s differs after the daemon was killed:\n%s\nbefore:\n%s", state, is[state], was[state])
			}
		}
		return nil
	})
	trip("with the next daemon")
	if n := s.Attempts(); n != attempts {
		t.Errorf("%d connections to the server, %d before the daemon was killed", n, attempts)
	}
	if n := silent.Accepted(); n != knocks {
		t.Errorf("%d connections to the silent server, %d before the daemon was killed", n, knocks)
	}
}
