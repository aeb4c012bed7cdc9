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

// master is the system's ssh as a ControlMaster: it logs in, and carries channels for who
// speaks to its control socket (OpenSSH's PROTOCOL.mux).
type master struct {
	o      *config.Options
	socket string
	cmd    *exec.Cmd // nil: the person's own, which is left running
	dir    string    // the private folder of socket, empty where it is the person's own
	ended  chan struct{}
	stderr *masterLog
	bridge *askBridge // nil: it asks for itself
	stop   sync.Once
}

// masterGrace is how long ssh may take to end before it is killed.
const masterGrace = time.Second

// RunningMaster is the socket of a ControlMaster that the person runs to the same place,
// empty where there is none.
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

// startMaster runs ssh until its control socket is there, which is when it has logged in.
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
	arguments, err := m.arguments()
	if err != nil {
		remove()
		return nil, fault.Wrap(fault.Unreachable, err, "no file for what ssh is told")
	}
	m.cmd = exec.Command("ssh", arguments...)
	asking, answered := context.WithCancel(ctx)
	defer answered()
	if m.bridge, err = startAskBridge(asking, o, dir, a, m.close); err != nil {
		remove()
		return nil, fault.Wrap(fault.Unreachable, err, "no way to ask for ssh")
	}
	m.cmd.Env = m.bridge.environment()
	stderr, read, err := m.stderr.start()
	if err != nil {
		remove()
		return nil, fault.Wrap(fault.Unreachable, err, "no way to hear ssh")
	}
	m.cmd.Stderr = stderr
	// A session of its own: ssh must not find a terminal to ask on.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	err = m.cmd.Start()
	stderr.Close() // ssh has it now
	if err != nil {
		remove()
		reason := fault.Unreachable // the kernel has no process to give, or no memory
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrPermission) {
			reason = fault.Settings
		}
		return nil, fault.Wrap(reason, err, "cannot run ssh")
	}
	go func() {
		m.cmd.Wait()
		syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL) // its ProxyCommand
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

// SwitchedOff are the keywords of ssh_config(5) that are always "no" here. ssh takes the channels
// that the first three let a server open, although nobody has asked for them: it would sign with
// the agent, for whoever has the server. And it records as many further host keys as a server
// announces, for which it takes seconds where there are some hundred.
var SwitchedOff = []string{"ForwardAgent", "ForwardX11", "Tunnel", "UpdateHostKeys"}

// arguments are ssh's. What comes first beats the rest: our own needs, then the file's [SSH]
// section; our defaults stand in only for what nobody has set.
func (m *master) arguments() ([]string, error) {
	own := []tunnelfile.Setting{
		{Key: "ControlMaster", Value: "yes"},
		{Key: "ControlPath", Value: m.socket},
		{Key: "ControlPersist", Value: "no"},
		{Key: "ClearAllForwardings", Value: "yes"}, // forwards are ours to make
		// And with a changed host key ssh then gives up, whatever StrictHostKeyChecking says: it
		// would not forward anything, but carry what is asked of its socket.
		{Key: "ExitOnForwardFailure", Value: "yes"},
		{Key: "RemoteCommand", Value: "none"},
		{Key: "PermitLocalCommand", Value: "no"},
		{Key: "LogLevel", Value: "DEBUG1"},   // says what was negotiated
		{Key: "VisualHostKey", Value: "yes"}, // so that its question has the picture
		{Key: "FingerprintHash", Value: "sha256"},
		{Key: "ForkAfterAuthentication", Value: "no"}, // it is to end with us
	}
	for _, keyword := range SwitchedOff {
		own = append(own, tunnelfile.Setting{Key: keyword, Value: "no"})
	}
	if ciphers := Ciphers(m.o); ciphers != "" {
		own = append(own, tunnelfile.Setting{Key: "Ciphers", Value: ciphers})
	}
	if mark := m.o.IPQoS(); mark != "" {
		// A master with -N would choose otherwise than any other ssh -N.
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

// Ciphers is the list that ssh is given where nobody has set one, its own with the fast ones first;
// empty: the person's stands. Jumps keep ssh's order: what a configuration says last, as one file of
// it does with Match final, could not be told to beat ours there.
func Ciphers(o *config.Options) string {
	if !o.Unset("ciphers") {
		return ""
	}
	return strings.Join(wire.FastFirst(o.List("ciphers")), ",")
}

// configFile is an ssh_config that switches off what must be off, and includes the person's. ssh
// hands -F on to each ssh that it runs for ProxyJump, and none of its other arguments.
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

// awaitSocket waits until ssh has logged in and listens, or has given up.
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

// control runs ssh -O, a command for the master. What it prints goes to out; its error is
// what it says on its standard error.
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

// withdraw takes a forward back, be it "-L" or "-R".
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

// masterConn is a connection to the control socket. When it ends it waits for ssh to say why.
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
			err = fault.Because(fault.Lost, err, "%v", err) // it was reached
		}
	case <-time.After(masterGrace / 2):
	}
	return n, err
}
