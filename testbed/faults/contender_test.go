package faults

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
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

// ports are where a contender's three forwards are.
type ports struct {
	local, dynamic string // here
	remote         string // on the server
}

// contender is one way to keep a tunnel up: a program under a service manager that
// starts it again, as the unit of each would have it.
type contender struct {
	name    string
	ports   ports
	start   func() *exec.Cmd
	restart time.Duration // RestartSec=
	runtime string        // holdfast's XDG_RUNTIME_DIR
	socket  string        // holdfast's statistics

	detected func(since time.Time) time.Duration // negative: not, or not to be seen

	mu     sync.Mutex
	cmd    *exec.Cmd
	exits  []time.Time
	ending bool
	done   chan struct{}
}

// run starts the program, again whenever it ends, and ends it with the test.
func (c *contender) run(t testing.TB) {
	c.done = make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(c.done)
		for {
			cmd := c.start()
			c.mu.Lock()
			if c.ending {
				c.mu.Unlock()
				return
			}
			err := cmd.Start()
			c.cmd = cmd
			c.mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			cmd.Wait()
			c.mu.Lock()
			c.exits = append(c.exits, time.Now())
			c.mu.Unlock()
			timer := time.NewTimer(c.restart)
			select {
			case <-stop:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	}()
	t.Cleanup(func() {
		c.mu.Lock()
		c.ending = true
		close(stop)
		if c.cmd != nil {
			syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		}
		c.mu.Unlock()
		<-c.done
	})
}

// signal sends a signal to the program itself.
func (c *contender) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cmd.Process.Signal(s)
}

// exited is when the program ended first after since.
func (c *contender) exited(since time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.exits {
		if at.After(since) {
			return at.Sub(since)
		}
	}
	return -1
}

// freePorts are ports for one contender. The remote one is free here; on a server in
// another namespace nobody else listens at all.
func freePorts(t testing.TB) ports {
	port := func() string { return "127.0.0.1:" + strconv.Itoa(testbed.FreePort(t)) }
	return ports{local: port(), dynamic: port(), remote: port()}
}

// way is how to get to the server of a test: the destination, and settings for [SSH].
type way struct {
	destination string
	settings    []string
	target      string // of the local forward, as the server sees it
	back        string // of the remote forward, as this side sees it
	agent       string // SSH_AUTH_SOCK
}

// holdfast is holdfast-tunnel with its listeners kept for it, as by a socket unit.
func holdfast(t testing.TB, w way, extra ...string) *contender {
	t.Helper()
	c := &contender{name: "holdfast", ports: freePorts(t), restart: 5 * time.Second}
	dir, runtime := t.TempDir(), testbed.SocketDir(t)
	c.runtime = runtime
	path := filepath.Join(dir, "t.tunnel")
	text := fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=%s %s\nDynamicForward=%s\nRemoteForward=%s %s\n%s\n[SSH]\n%s\n",
		w.destination, c.ports.local, w.target, c.ports.dynamic, c.ports.remote, w.back, strings.Join(extra, "\n"), strings.Join(w.settings, "\n"))
	if err := tunnelfile.Write(path, text); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, addr := range []string{c.ports.local, c.ports.dynamic} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	notify := swallowNotifications(t)
	t.Cleanup(func() {
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("holdfast-tunnel logged:\n%s", text)
		}
	})
	program := tunnelProgram(t)
	c.start = func() *exec.Cmd {
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, program, path)
		cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=holdfast:holdfast", "NOTIFY_SOCKET="+notify,
			"XDG_RUNTIME_DIR="+runtime, "SSH_AUTH_SOCK="+w.agent)
		cmd.ExtraFiles = files
		cmd.Stderr = log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	c.socket = tunnelfile.ReportSocket(filepath.Join(runtime, tunnelfile.RuntimeDirName), "t")
	c.detected = watchState(t, c.socket).notUp
	return c
}

// recipe are the options of the recipe that people use.
func recipe(w way, p ports) []string {
	args := []string{"-F", "none", "-N", "-T", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3",
		"-o", "ExitOnForwardFailure=yes", "-o", "ConnectTimeout=15"}
	for _, s := range w.settings {
		args = append(args, "-o", s)
	}
	return append(args, "-L", p.local+":"+w.target, "-D", p.dynamic, "-R", p.remote+":"+w.back, w.destination)
}

// plainSSH is ssh under Restart=always, RestartSec=60.
func plainSSH(t testing.TB, w way) *contender {
	c := &contender{name: "ssh", ports: freePorts(t), restart: time.Minute}
	c.start = func() *exec.Cmd {
		cmd := exec.Command("ssh", recipe(w, c.ports)...)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+w.agent)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	c.detected = c.exited
	return c
}

// autossh is autossh -M 0 under the same.
func autossh(t testing.TB, w way) *contender {
	testbed.Need(t, "autossh")
	c := &contender{name: "autossh", ports: freePorts(t), restart: time.Minute}
	log := filepath.Join(t.TempDir(), "autossh.log")
	c.start = func() *exec.Cmd {
		cmd := exec.Command("autossh", append([]string{"-M", "0"}, recipe(w, c.ports)...)...)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+w.agent, "AUTOSSH_LOGFILE="+log, "AUTOSSH_GATETIME=0")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	seen := &changes{}
	lines := 0
	every(t, 20*time.Millisecond, func() {
		text, err := os.ReadFile(log)
		if err != nil {
			return
		}
		if n := strings.Count(string(text), "ssh exited"); n > lines {
			lines = n
			seen.add(time.Now())
		}
	})
	c.detected = seen.notUp
	return c
}

// changes are the times at which something was seen to be wrong.
type changes struct {
	mu sync.Mutex
	at []time.Time
}

func (c *changes) add(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, at)
}

// notUp is how long after since it was seen first.
func (c *changes) notUp(since time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.at {
		if at.After(since) {
			return at.Sub(since)
		}
	}
	return -1
}

// watchState asks a worker what it says of itself, and notes when that is something
// other than up, or another connection than before.
func watchState(t testing.TB, socket string) *changes {
	seen := &changes{}
	var last tunnelfile.Report
	every(t, 20*time.Millisecond, func() {
		r, err := askReport(socket)
		if err != nil {
			return
		}
		if r.State != tunnelfile.Up || r.Reconnects != last.Reconnects {
			seen.add(time.Now())
		}
		last = r
	})
	return seen
}

func askReport(socket string) (r tunnelfile.Report, err error) {
	_, text, err := testbed.GetUnix(socket, "/status")
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	return r, err
}

// every calls f again and again until the test ends.
func every(t testing.TB, pause time.Duration, f func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				f()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// swallowNotifications is a NOTIFY_SOCKET that somebody reads: with one a worker waits
// for what a person must mend, as it does under systemd.
func swallowNotifications(t testing.TB) string {
	t.Helper()
	path := filepath.Join(testbed.SocketDir(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for buf := make([]byte, 8192); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return path
}
