package hostile

import (
	"bytes"
	"encoding/json"
	"errors"
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

// worker is a holdfast-tunnel as a service manager runs it, with what it says kept.
type worker struct {
	path, runtime string
	cmd           *exec.Cmd
	exited        chan struct{}
	asked         string // file of the questions to a person

	mu       sync.Mutex
	log      bytes.Buffer
	status_  string // the last STATUS=
	statuses strings.Builder
	size     int // of the longest notification
	peak     int // KiB
}

func startWorker(t testing.TB, file, agent string) *worker {
	t.Helper()
	w := &worker{runtime: testbed.SocketDir(t), exited: make(chan struct{})}
	w.path = filepath.Join(w.runtime, "t.tunnel")
	w.asked = filepath.Join(w.runtime, "asked")
	if err := tunnelfile.Write(w.path, file); err != nil {
		t.Fatal(err)
	}
	askpass := filepath.Join(w.runtime, "askpass")
	script := "#!/bin/sh\nprintf '%s\\000' \"$1\" >>" + w.asked + "\necho answer\n"
	if err := os.WriteFile(askpass, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	w.cmd = exec.Command(program.path, w.path)
	w.cmd.Env = []string{
		"XDG_RUNTIME_DIR=" + w.runtime, "HOME=" + w.runtime, "PATH=" + os.Getenv("PATH"), "SSH_AUTH_SOCK=" + agent,
		"SSH_ASKPASS=" + askpass, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=127.0.0.1:0", "NOTIFY_SOCKET=" + w.listen(t),
	}
	w.cmd.Stderr = w
	w.cmd.WaitDelay = 5 * time.Second
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.cmd.Wait(); close(w.exited) }()
	go w.measure()
	t.Cleanup(w.end)
	return w
}

func (w *worker) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// Log is what it wrote to stderr.
func (w *worker) Log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// listen takes its notifications.
func (w *worker) listen(t testing.TB) string {
	path := filepath.Join(w.runtime, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 1<<20)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.size = max(w.size, n)
			for line := range strings.SplitSeq(string(b[:n]), "\n") {
				if status, ok := strings.CutPrefix(line, "STATUS="); ok {
					w.status_ = status
					w.statuses.WriteString(status + "\n")
				}
			}
			w.mu.Unlock()
		}
	}()
	return path
}

// status is what it last told the service manager.
func (w *worker) status() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status_
}

// notified is all that it told.
func (w *worker) notified() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses.String()
}

func (w *worker) longest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// prompts are the questions that a person was asked.
func (w *worker) prompts() []string {
	b, err := os.ReadFile(w.asked)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

func (w *worker) ended() bool {
	select {
	case <-w.exited:
		return true
	default:
		return false
	}
}

func (w *worker) exitStatus() int {
	if !w.ended() {
		return 0
	}
	return w.cmd.ProcessState.ExitCode()
}

func (w *worker) retry() { w.cmd.Process.Signal(syscall.SIGUSR1) }

// end ends it, with its children.
func (w *worker) end() {
	w.cmd.Process.Signal(syscall.SIGINT)
	w.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-w.exited:
	case <-time.After(3 * time.Second):
		w.cmd.Process.Kill()
		<-w.exited
	}
}

// measure keeps the most memory that the worker and its children had together.
func (w *worker) measure() {
	for !w.ended() {
		sum := 0
		for _, pid := range testbed.Family(w.cmd.Process.Pid) {
			// A child that is about to run another program has its parent's memory, not one of its own.
			if exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); pid == w.cmd.Process.Pid || exe != program.path {
				sum += highWater(pid)
			}
		}
		w.mu.Lock()
		w.peak = max(w.peak, sum)
		w.mu.Unlock()
		select {
		case <-w.exited:
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (w *worker) memory() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peak
}

// highWater is VmHWM of a process, in KiB.
func highWater(pid int) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	n, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return n
}

func (w *worker) report() (r tunnelfile.Report, err error) {
	socket := tunnelfile.ReportSocket(filepath.Join(w.runtime, tunnelfile.RuntimeDirName), "t")
	_, body, err := testbed.GetUnix(socket, "/status")
	if err == nil {
		err = json.Unmarshal([]byte(body), &r)
	}
	return r, err
}

// beside is what an attack must not harm: a tunnel to an honest server.
type beside struct {
	server     *testbed.Server
	agent      *testbed.SSHAgent
	identity   testbed.Key // that is offered to the hostile server
	knownHosts string      // lines of the honest one
	local      string
	w          *worker
}

func startBeside(t *testing.T) *beside {
	b := &beside{server: testbed.StartServer(t, testbed.ServerOptions{})}
	b.identity = testbed.NewKey(t, filepath.Join(t.TempDir(), "id"), "ed25519", "")
	b.agent = testbed.Agent(t, testbed.NewKey(t, filepath.Join(t.TempDir(), "in_agent"), "ed25519", ""))
	known, err := os.ReadFile(b.server.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	b.knownHosts = string(known)
	b.local = fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	b.w = startWorker(t, b.file(b.server.KnownHosts, "LocalForward="+b.local+" "+testbed.Echo(t, "tcp", "127.0.0.1:0").String()), b.agent.Socket)
	testbed.WaitFor(t, 20*time.Second, b.well)
	return b
}

func (b *beside) file(known string, lines ...string) string {
	file := "[Tunnel]\nDestination=" + b.server.Host + "\n" + strings.Join(lines, "\n") + "\n[SSH]\n"
	for _, setting := range b.server.SSHSettings() {
		if strings.HasPrefix(setting, "UserKnownHostsFile=") {
			setting = "UserKnownHostsFile=" + known
		}
		file += setting + "\n"
	}
	return file
}

// well says whether it is as it was.
func (b *beside) well() error {
	r, err := b.w.report()
	if err != nil {
		return err
	}
	if r.State != tunnelfile.Up || r.Reconnects != 0 {
		return fmt.Errorf("%s after %d reconnects: %s", r.State, r.Reconnects, r.Status)
	}
	return testbed.EchoAt(b.local, 10_000, 20*time.Second)
}

// login says whether another tunnel to the honest server comes up with these known hosts.
func (b *beside) login(t testing.TB, known string, transport tunnelfile.Transport) error {
	w := startWorker(t, b.file(known, "Transport="+string(transport)), b.agent.Socket)
	defer w.end()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if r, err := w.report(); err == nil && r.State == tunnelfile.Up {
			return nil
		}
		if w.ended() {
			return errors.New(w.status())
		}
	}
	return fmt.Errorf("not up in time: %s", w.status())
}
