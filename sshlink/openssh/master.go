package openssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/tunnelfile"
)

// master is the system's ssh as a ControlMaster. It logs in, and opens channels for the clients of
// its control socket (OpenSSH's PROTOCOL.mux).
type master struct {
	o      *config.Options
	socket string
	cmd    *exec.Cmd // nil: the person's own master, which is left running
	dir    string    // the private folder of socket; empty for the person's own master
	ended  chan struct{}
	stderr *masterLog
	bridge *askBridge // nil for the person's own master, which asks by itself
	stop   sync.Once
}

// masterGrace is how long ssh may take to end before it is killed.
const masterGrace = time.Second

// RunningMaster is the control socket of a ControlMaster that the person runs to the same
// destination. It is empty if there is none.
func RunningMaster(ctx context.Context, o *config.Options) string {
	path := o.Option("controlpath")
	if path == "" {
		return ""
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return ""
	}
	if (&master{o: o, socket: path}).control(ctx, io.Discard, "check") != nil {
		return ""
	}
	return path
}

// startMaster starts ssh and waits for its control socket, which is there once ssh has logged in.
// It starts nothing if the person's own master runs.
func startMaster(ctx context.Context, o *config.Options, a *asking.Attempt) (*master, error) {
	if path := RunningMaster(ctx, o); path != "" {
		ended := make(chan struct{})
		close(ended)
		return &master{o: o, socket: path, ended: ended, stderr: &masterLog{}}, nil
	}
	dir, remove, err := privateDir()
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "no folder for ssh's control socket")
	}
	m := &master{o: o, dir: dir, socket: filepath.Join(dir, "c"), ended: make(chan struct{})}
	m.stderr = &masterLog{log: o.Log.With("from", "ssh"), trace: httptrace.ContextClientTrace(ctx)}
	untilUp, up := context.WithCancel(ctx)
	defer up()
	read, err := m.start(untilUp, a)
	if err != nil {
		remove()
		return nil, err
	}
	go func() {
		m.cmd.Wait()
		syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL) // also its ProxyCommand
		m.stderr.finish(read)
		remove()
		close(m.ended)
	}()
	if err := m.awaitSocket(ctx); err != nil {
		m.close()
		return nil, err
	}
	m.stderr.up()
	return m, nil
}

// start starts ssh, whose questions are answered until ctx ends. read is closed when everything
// that ssh printed is read.
func (m *master) start(ctx context.Context, a *asking.Attempt) (read <-chan struct{}, err error) {
	arguments, err := m.arguments()
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "no file for what ssh is told")
	}
	m.cmd = exec.Command("ssh", arguments...)
	if m.bridge, err = startAskBridge(ctx, m.o, m.dir, a, m.close); err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "no way to ask for ssh")
	}
	m.cmd.Env = m.bridge.environment()
	stderr, read, err := m.stderr.start()
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "no way to hear ssh")
	}
	defer stderr.Close() // ssh has it then
	m.cmd.Stderr = stderr
	// A session of its own: ssh must not find a terminal to ask on.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	if err := m.cmd.Start(); err != nil {
		reason := fault.Unreachable // the kernel has no process or no memory left
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrPermission) {
			reason = fault.Settings
		}
		return nil, fault.Wrap(reason, err, "cannot run ssh")
	}
	return read, nil
}

// SwitchedOff are the keywords of ssh_config(5) that are always "no" here. If one of the first
// three is on, ssh accepts channels that the server opens, although nobody has asked for them. It
// would even sign with the agent for whoever controls the server. With UpdateHostKeys, ssh records
// as many further host keys as a server announces. For some hundred that takes seconds.
var SwitchedOff = []string{"ForwardAgent", "ForwardX11", "Tunnel", "UpdateHostKeys"}

// arguments are the arguments for ssh. The earlier ones win: what this package needs, then the
// [SSH] section. Holdfast's defaults are given only for keywords that nobody set.
func (m *master) arguments() ([]string, error) {
	own := []tunnelfile.Setting{
		{Key: "ControlMaster", Value: "yes"},
		{Key: "ControlPath", Value: m.socket},
		{Key: "ControlPersist", Value: "no"},
		{Key: "ClearAllForwardings", Value: "yes"}, // Holdfast makes the forwards
		// ssh then also gives up if the host key has changed, whatever StrictHostKeyChecking says.
		// Otherwise ssh would forward nothing, but still open the channels that its socket asks for.
		{Key: "ExitOnForwardFailure", Value: "yes"},
		{Key: "RemoteCommand", Value: "none"},
		{Key: "PermitLocalCommand", Value: "no"},
		{Key: "LogLevel", Value: "DEBUG1"},   // prints what was negotiated
		{Key: "VisualHostKey", Value: "yes"}, // so that its question has the picture
		{Key: "FingerprintHash", Value: "sha256"},
		{Key: "ForkAfterAuthentication", Value: "no"}, // ssh must end with this process
	}
	for _, keyword := range SwitchedOff {
		own = append(own, tunnelfile.Setting{Key: keyword, Value: "no"})
	}
	if ciphers := Ciphers(m.o); ciphers != "" {
		own = append(own, tunnelfile.Setting{Key: "Ciphers", Value: ciphers})
	}
	if mark := m.o.IPQoS(); mark != "" {
		// A master with -N would choose another value than any other ssh -N.
		own = append(own, tunnelfile.Setting{Key: "IPQoS", Value: mark})
	}
	arguments := m.o.Arguments(own...)
	if m.o.Jump != nil && m.o.Source.ConfigFile != "none" {
		if m.o.Source.ConfigFile != "" {
			arguments = arguments[2:] // -F FILE
		}
		file, err := m.configFile()
		if err != nil {
			return nil, err
		}
		arguments = append([]string{"-F", file}, arguments...)
	}
	return append([]string{"-N", "-T", "-n"}, arguments...), nil
}

// Ciphers is the list of ciphers for ssh if nobody has set one: ssh's own list, with the fast ones
// first. It is empty if somebody has set one. Jump hosts keep ssh's order, because there Holdfast's
// list would win even over what a configuration sets last, as in a Match final.
func Ciphers(o *config.Options) string {
	if !o.Unset("ciphers") {
		return ""
	}
	return strings.Join(wire.FastFirst(o.List("ciphers")), ",")
}

// configFile writes an ssh_config that switches off SwitchedOff and includes the person's files,
// and returns its path. ssh passes -F on to each ssh that it runs for ProxyJump, but no other
// argument.
func (m *master) configFile() (string, error) {
	files := []string{"~/.ssh/config", "/etc/ssh/ssh_config"}
	if file := m.o.Source.ConfigFile; file != "" {
		files = []string{file}
	}
	var b strings.Builder
	b.WriteString("Host *\n")
	for _, keyword := range SwitchedOff {
		fmt.Fprintf(&b, "%s no\n", keyword)
	}
	for _, file := range files {
		fmt.Fprintf(&b, "Include \"%s\"\n", file)
	}
	path := filepath.Join(m.dir, "config")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

// awaitSocket waits until ssh has logged in and listens, or has ended.
func (m *master) awaitSocket(ctx context.Context) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if _, err := os.Stat(m.socket); err == nil {
			return nil
		}
		select {
		case <-m.ended:
			return m.sshError()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// control runs ssh -O with a command for the master. out gets what ssh prints. The error is what
// ssh prints on its standard error.
func (m *master) control(ctx context.Context, out io.Writer, command string, args ...string) error {
	argv := append([]string{"-F", "none", "-S", m.socket, "-O", command}, args...)
	cmd := exec.CommandContext(ctx, "ssh", append(argv, "--", "master")...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	cmd.WaitDelay = masterGrace
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if said := text.LastLines(stderr.String(), 1); err != nil && said != "" {
		return errors.New(text.FromPeer(said))
	}
	return err
}

// withdraw cancels a forward. direction is "-L" or "-R".
func (m *master) withdraw(direction, spec string) error {
	ctx, cancel := context.WithTimeout(context.Background(), wire.CancelTimeout)
	defer cancel()
	return m.control(ctx, io.Discard, "cancel", direction, spec)
}

// close ends ssh, unless it is the person's own.
func (m *master) close() {
	m.stop.Do(func() {
		m.signal(syscall.SIGTERM)
		if m.cmd != nil {
			time.AfterFunc(masterGrace, func() { m.signal(syscall.SIGKILL) })
		}
	})
}

func (m *master) signal(s syscall.Signal) {
	select {
	case <-m.ended:
	default:
		m.cmd.Process.Signal(s)
	}
}

// masterConn is a connection to the control socket. When it ends, Read waits until ssh says why.
type masterConn struct {
	net.Conn
	reader io.Reader
	master *master
}

func (c *masterConn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	if err == nil {
		return n, nil
	}
	if c.master.cmd == nil {
		return n, fault.Because(fault.Lost, err, "the ControlMaster of yours at %s has ended; the tunnel goes on without it", text.Tilde(c.master.socket))
	}
	select {
	case <-c.master.ended:
		if err = c.master.sshError(); fault.ReasonOf(err) == fault.Unreachable {
			err = fault.Because(fault.Lost, err, "%v", err) // the server was reached
		}
	case <-time.After(masterGrace / 2):
	}
	return n, err
}
