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

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/testbed"
)

var (
	rounds = flag.Int("rounds", 5, "how often each program has its turn")
	only   = flag.String("only", "", "of the programs in the black hole, those whose names contain this")
	size   = flag.Int64("size", 256, "MiB a bulk transfer moves")
	docs   = flag.String("docs", "", "folder for the tables and their pictures")
	with   = flag.String("with", "", "another program, as NAME=COMMAND; in it {local}, {socks}, {target}, {host}, {port}, {user}, {identity} and {known_hosts} stand for what it has to serve")
	before = flag.String("before", "", "another build of holdfast-tunnel to compare with")
	chosen = flag.String("programs", "", "of the programs, the first and those with these names, with semicolons between")
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
	host         string // "ADDRESS:PORT" of the server, or of the proxy before it
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
	return append(args, w.address())
}

// address is the server's, without its port.
func (w way) address() string {
	host, _, _ := net.SplitHostPort(w.host)
	return host
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

// socat forwards one port and encrypts nothing.
func socat(t *testing.T, w way) *exec.Cmd {
	testbed.Need(t, "socat")
	_, port, _ := net.SplitHostPort(w.local)
	return exec.Command("socat", "-b", "65536", "TCP-LISTEN:"+port+",bind=127.0.0.1,reuseaddr,fork,backlog=128", "TCP:"+w.target)
}

// another is what -with says.
func another(t *testing.T, w way) *exec.Cmd {
	_, command, _ := strings.Cut(*with, "=")
	host, port, _ := net.SplitHostPort(w.host)
	words := strings.Fields(command)
	fill := strings.NewReplacer("{local}", w.local, "{socks}", w.socks, "{target}", w.target, "{host}", host, "{port}", port,
		"{user}", w.server.User, "{identity}", w.server.IdentityFile, "{known_hosts}", w.knownHosts)
	for i := range words {
		words[i] = fill.Replace(words[i])
	}
	return exec.Command(words[0], words[1:]...)
}

// holdfast runs the worker on a file with these lines besides.
func holdfast(lines ...string) func(*testing.T, way) *exec.Cmd {
	return func(t *testing.T, w way) *exec.Cmd { return holdfastBy(t, worker(t), w, lines...) }
}

func holdfastBefore(t *testing.T, w way) *exec.Cmd { return holdfastBy(t, *before, w) }

func holdfastBy(t *testing.T, binary string, w way, lines ...string) *exec.Cmd {
	var text strings.Builder
	fmt.Fprintf(&text, "[Tunnel]\nDestination=%s\nLocalForward=%s %s\nDynamicForward=%s\n", w.address(), w.local, w.target, w.socks)
	for _, line := range lines {
		fmt.Fprintln(&text, line)
	}
	fmt.Fprintln(&text, "[SSH]")
	for _, o := range w.options() {
		fmt.Fprintln(&text, o)
	}
	dir := testbed.SocketDir(t)
	file := filepath.Join(dir, "bench.tunnel")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, file)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	return cmd
}

// programs are those of a table: ssh first, then what else is asked for.
func programs(more ...program) []program {
	all := append([]program{{name: "ssh", command: ssh()}}, more...)
	if *before != "" {
		all = append(all, program{name: "holdfast, before", command: holdfastBefore})
	}
	if name, _, ok := strings.Cut(*with, "="); ok {
		all = append(all, program{name: name, command: another})
	}
	if *chosen == "" {
		return all
	}
	words := strings.Split(*chosen, ";")
	return slices.DeleteFunc(all, func(p program) bool {
		return p.name != "ssh" && !slices.Contains(words, p.name)
	})
}

var (
	sshGCM          = program{name: "ssh, aes128-gcm", command: ssh("Ciphers=aes128-gcm@openssh.com")}
	withAutossh     = program{name: "autossh", command: autossh}
	withSocat       = program{name: "socat", command: socat}
	raw             = program{name: "raw TCP"}
	withHoldfast    = program{name: "holdfast", command: holdfast()}
	holdfast4       = program{name: "holdfast, 4 connections", command: holdfast("Connections=4")}
	holdfast8       = program{name: "holdfast, 8 connections", command: holdfast("Connections=8")}
	holdfastOpenSSH = program{name: "holdfast, openssh", command: holdfast("Transport=openssh")}
)

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
	flag.Parse()
	if os.Geteuid() == 0 && os.Getenv("BENCH_INSIDE") == "" {
		os.Exit(inside())
	}
	fmt.Println(machine())
	status := m.Run()
	if built != "" {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(status)
}

// inside runs this program again, in a network namespace of its own.
func inside() int {
	if err := allowCubic(); err != nil {
		fmt.Fprintln(os.Stderr, "cubic:", err)
		return 1
	}
	settings := strings.Join(tcpSettings(), "' '")
	script := "ip link set lo up && '" + settings + "' && exec \"$0\" \"$@\""
	cmd := exec.Command("sh", append([]string{"-c", script}, os.Args...)...)
	cmd.Env = append(os.Environ(), "BENCH_INSIDE=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
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

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
