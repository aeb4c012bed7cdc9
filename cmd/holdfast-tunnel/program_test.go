package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// asProgram in the environment makes the test binary be holdfast-tunnel.
const asProgram = "HOLDFAST_TUNNEL_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// process is a running holdfast-tunnel.
type process struct {
	t       testing.TB
	Path    string // of its tunnel file
	Runtime string // its XDG_RUNTIME_DIR
	cmd     *exec.Cmd
	exited  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// Log is what it wrote to stderr.
func (p *process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// newProgram makes a folder for a tunnel called "t", with text as its file.
func newProgram(t testing.TB, text string) *process {
	t.Helper()
	p := &process{t: t, Runtime: testbed.SocketDir(t)}
	p.Path = filepath.Join(t.TempDir(), "t.tunnel")
	p.SetFile(text)
	return p
}

// SetFile changes the tunnel file.
func (p *process) SetFile(text string) {
	p.t.Helper()
	if err := tunnelfile.Write(p.Path, text); err != nil {
		p.t.Fatal(err)
	}
}

// command is the program with these arguments, in an environment of its own.
func (p *process) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{asProgram + "=1", "XDG_RUNTIME_DIR=" + p.Runtime, "HOME=" + p.Runtime,
		"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}, env...)
	cmd.Stderr = p
	return cmd
}

// Start runs the tunnel file, and ends it with the test.
func (p *process) Start(env ...string) {
	p.t.Helper()
	p.StartCommand(p.command(env, p.Path))
}

func (p *process) StartCommand(cmd *exec.Cmd) {
	p.t.Helper()
	p.cmd, p.exited = cmd, make(chan struct{})
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { cmd.Wait(); close(p.exited) }()
	p.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if p.t.Failed() {
			p.t.Logf("holdfast-tunnel logged:\n%s", p.Log())
		}
		if strings.Contains(p.Log(), "DATA RACE") || strings.Contains(p.Log(), "panic:") {
			p.t.Errorf("holdfast-tunnel logged:\n%s", p.Log())
		}
	})
}

func (p *process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Ends waits for the end and checks the exit status.
func (p *process) Ends(want int) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		p.t.Fatal("holdfast-tunnel does not end")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		p.t.Errorf("exit status %d, want %d", got, want)
	}
}

// get asks the statistics socket.
func (p *process) get(path string) (status int, body string, err error) {
	socket := tunnelfile.ReportSocket(filepath.Join(p.Runtime, tunnelfile.RuntimeDirName), "t")
	return testbed.GetUnix(socket, path)
}

func (p *process) Report() (r tunnelfile.Report, err error) {
	_, body, err := p.get("/status")
	if err == nil {
		err = json.Unmarshal([]byte(body), &r)
	}
	return r, err
}

// Until waits until a condition holds of the report.
func (p *process) Until(what string, condition func(tunnelfile.Report) bool) tunnelfile.Report {
	p.t.Helper()
	var r tunnelfile.Report
	testbed.WaitFor(p.t, 30*time.Second, func() error {
		var err error
		if r, err = p.Report(); err != nil {
			return err
		}
		if !condition(r) {
			return fmt.Errorf("not %s: %s: %s", what, r.State, r.Status)
		}
		return nil
	})
	return r
}

func (p *process) UntilState(s tunnelfile.State) tunnelfile.Report {
	p.t.Helper()
	return p.Until(string(s), func(r tunnelfile.Report) bool { return r.State == s })
}

// fileFor is a tunnel file to a server. Lines go into [Tunnel]; those that begin with
// "SSH:" into [SSH], in place of the server's own setting, with "Service:" into [Service].
func fileFor(s *testbed.Server, lines ...string) string {
	var tunnel, service strings.Builder
	ssh := s.SSHSettings()
	for _, l := range lines {
		if setting, ok := strings.CutPrefix(l, "SSH:"); ok {
			key, _, _ := strings.Cut(setting, "=")
			ssh = slices.DeleteFunc(ssh, func(old string) bool { return strings.HasPrefix(old, key+"=") })
			ssh = append(ssh, setting)
		} else if setting, ok := strings.CutPrefix(l, "Service:"); ok {
			service.WriteString(setting + "\n")
		} else {
			tunnel.WriteString(l + "\n")
		}
	}
	return "[Tunnel]\nDestination=" + s.Host + "\n" + tunnel.String() + "[SSH]\n" + strings.Join(ssh, "\n") + "\n[Service]\n" + service.String()
}

// local is a free local address and the LocalForward line from it to a target.
func local(t testing.TB, target string) (addr, line string) {
	addr = fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	return addr, "LocalForward=" + addr + " " + target
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func itoa(n int) string { return strconv.Itoa(n) }
