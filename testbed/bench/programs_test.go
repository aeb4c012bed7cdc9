//go:build bench

package bench

import (
	"flag"
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
)

var (
	rounds = flag.Int("rounds", 5, "how often each program has its turn")
	only   = flag.String("only", "", "of the programs in the black hole, those whose names contain this")
	size   = flag.Int64("size", 256, "MiB a bulk transfer moves")
)

// patience is the deadline of what should not take long.
const patience = 30 * time.Second

// program is one way to keep a tunnel.
type program struct {
	name string
	// command makes the command that forwards local to target and serves SOCKS at socks.
	command func(t *testing.T, w way) *exec.Cmd
	restart time.Duration // an end is followed by another start after this; 0: never
}

// way is what a program has to do.
type way struct {
	server       *testbed.Server
	host         string // "127.0.0.1:PORT" of the server, or of the proxy before it
	knownHosts   string
	local, socks string
	target       string
	settings     []string // of ssh, such as ServerAliveInterval=10
}

// options are w's for ssh, as KEY=VALUE.
func (w way) options() []string {
	_, port, _ := net.SplitHostPort(w.host)
	return append([]string{
		"Port=" + port,
		"User=" + w.server.User,
		"IdentityFile=" + w.server.IdentityFile,
		"IdentitiesOnly=yes",
		"UserKnownHostsFile=" + w.knownHosts,
		"GlobalKnownHostsFile=/dev/null",
		"StrictHostKeyChecking=yes",
		"ExitOnForwardFailure=yes",
	}, w.settings...)
}

func (w way) sshArguments(more ...string) []string {
	args := []string{"-F", "none", "-N", "-L", w.local + ":" + w.target, "-D", w.socks}
	for _, o := range append(w.options(), more...) {
		args = append(args, "-o", o)
	}
	return append(args, "127.0.0.1")
}

func ssh(more ...string) func(*testing.T, way) *exec.Cmd {
	return func(t *testing.T, w way) *exec.Cmd {
		testbed.Need(t, "ssh")
		return exec.Command("ssh", w.sshArguments(more...)...)
	}
}

func autossh(t *testing.T, w way) *exec.Cmd {
	testbed.Need(t, "autossh")
	cmd := exec.Command("autossh", append([]string{"-M", "0"}, w.sshArguments()...)...)
	cmd.Env = append(os.Environ(), "AUTOSSH_GATETIME=0")
	return cmd
}

func holdfast(t *testing.T, w way) *exec.Cmd { return holdfastOver(t, w, 1) }

// holdfast4 keeps four SSH connections.
func holdfast4(t *testing.T, w way) *exec.Cmd { return holdfastOver(t, w, 4) }

func holdfastOver(t *testing.T, w way, connections int) *exec.Cmd {
	var text strings.Builder
	fmt.Fprintf(&text, "[Tunnel]\nDestination=127.0.0.1\nLocalForward=%s %s\nDynamicForward=%s\nConnections=%d\n[SSH]\n", w.local, w.target, w.socks, connections)
	for _, o := range w.options() {
		fmt.Fprintln(&text, o)
	}
	dir := testbed.SocketDir(t)
	file := filepath.Join(dir, "bench.tunnel")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(worker(t), file)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	return cmd
}

// built is the worker's binary, once it is built.
var built string

// worker builds the worker as `make build` does.
func worker(t *testing.T) string {
	t.Helper()
	if built == "" {
		dir, err := os.MkdirTemp("", "holdfast-bench")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "holdfast-tunnel")
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "../../cmd/holdfast-tunnel")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		syscall.Sync() // pages of a file that is not on disk yet would count as private memory
		built = path
	}
	return built
}

func TestMain(m *testing.M) {
	fmt.Println(machine())
	status := m.Run()
	if built != "" {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(status)
}

// running is a program at work.
type running struct {
	program
	way
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended, and each time anew after a restart
}

// start starts a program and waits until bytes go through it.
func start(t *testing.T, p program, w way) *running {
	t.Helper()
	w.local, w.socks = free(t), free(t)
	if w.host == "" {
		w.host = w.server.Addr
	}
	w.knownHosts = filepath.Join(t.TempDir(), "known_hosts")
	host, port, _ := net.SplitHostPort(w.host)
	known := fmt.Sprintf("[%s]:%s %s\n", host, port, w.server.HostKeys[0].AuthorizedKey())
	if err := os.WriteFile(w.knownHosts, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &running{program: p, way: w}
	r.launch(t)
	t.Cleanup(r.stop)
	testbed.WaitFor(t, patience, func() error {
		c, err := net.Dial("tcp", w.local)
		if err != nil {
			return err
		}
		_, err = transfer(c, download, 1)
		return err
	})
	return r
}

func (r *running) launch(t *testing.T) {
	t.Helper()
	r.cmd = r.command(t, r.way)
	// A group of its own, so that what it starts ends with it.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if path := os.Getenv("BENCH_LOG"); path != "" {
		log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		r.cmd.Stderr = log
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	cmd := r.cmd
	go func() {
		cmd.Wait()
		close(ended)
	}()
	r.ended = ended
}

func (r *running) stop() {
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.ended
}

// pids are the program's processes: autossh has a child.
func (r *running) pids() []int {
	pids := []int{r.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		tasks := fmt.Sprintf("/proc/%d/task/%d/children", pids[i], pids[i])
		text, _ := os.ReadFile(tasks)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// cpu is the time that the program's processes have computed so far.
func (r *running) cpu() time.Duration {
	var ticks int64
	for _, pid := range r.pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[11:13] { // utime and stime, see proc(5)
			n, _ := strconv.ParseInt(field, 10, 64)
			ticks += n
		}
	}
	const ticksPerSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / ticksPerSecond
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

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
