//go:build bench

package bench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"golang.org/x/sys/unix"
)

// running is a program at work.
type running struct {
	program
	way
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended, and each time anew after a restart
	err   error         // why it does not work
}

// start starts a program and waits until bytes go through it, or it is clear that none will.
func start(t *testing.T, p program, w way) *running {
	t.Helper()
	r := launch(t, p, w)
	if r.err == nil {
		r.err = r.up(patience)
	}
	return r
}

// startAll starts programs one after the other.
func startAll(t *testing.T, programs []program, w way) (all []*running) {
	t.Helper()
	for _, p := range programs {
		all = append(all, start(t, p, w))
	}
	return all
}

// launch starts a program, which ends with the test.
func launch(t *testing.T, p program, w way) *running {
	t.Helper()
	w.local, w.socks = free(t), free(t)
	if w.host == "" {
		w.host = w.server.Addr
	}
	w.knownHosts = filepath.Join(testbed.SocketDir(t), "known_hosts") // no % in its path
	host, port, _ := net.SplitHostPort(w.host)
	known := fmt.Sprintf("[%s]:%s %s\n", host, port, w.server.HostKeys[0].AuthorizedKey())
	if err := os.WriteFile(w.knownHosts, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &running{program: p, way: w}
	if p.command == nil { // nothing between the client and its target
		r.local = w.target
		return r
	}
	r.err = r.launch(t)
	t.Cleanup(r.stop)
	return r
}

// up waits until bytes go through the program.
func (r *running) up(patience time.Duration) error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := r.served(time.Until(end))
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-r.ended: // nil of raw TCP
			return errors.New("it has ended")
		default:
		}
	}
}

// served asks for a byte on a new connection.
func (r *running) served(patience time.Duration) error {
	c, err := net.Dial("tcp", r.local)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	return ask(c)
}

// launch runs the program's command.
func (r *running) launch(t *testing.T) error {
	t.Helper()
	cmd := r.command(t, r.way)
	// A group of its own, so that what it starts ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if path := os.Getenv("BENCH_LOG"); path != "" {
		log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd.Stderr = log
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	r.cmd, r.ended = cmd, ended
	return nil
}

func (r *running) stop() {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(3 * time.Second):
	}
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.ended
}

// pids are the program's processes: autossh has a child.
func (r *running) pids() []int {
	if r.cmd == nil {
		return nil
	}
	pids := []int{r.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}

// cpu is the time that the program's processes have computed so far, those included that they
// have waited for.
func (r *running) cpu() time.Duration {
	const ticksPerSecond = 100 // USER_HZ
	var total time.Duration
	for _, pid := range r.pids() {
		var now unix.Timespec
		if unix.ClockGettime(int32(^pid<<3|2), &now) != nil { // see clock_getcpuclockid(3)
			continue
		}
		total += time.Duration(now.Nano())
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[min(13, len(fields)):min(15, len(fields))] { // cutime and cstime, see proc(5)
			n, _ := strconv.ParseInt(field, 10, 64)
			total += time.Duration(n) * time.Second / ticksPerSecond
		}
	}
	return total
}

// memory is the sum of a field of /proc/PID/smaps_rollup over the processes, in KiB.
func (r *running) memory(field string) (kib int64) {
	for _, pid := range r.pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, field+":"); ok {
				n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				kib += n
			}
		}
	}
	return kib
}

// free is an address that nobody listens on, nor will by chance: its port is not one that outgoing
// connections get.
func free(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(testbed.FreePort(t)))
}
