package testbed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ServerOptions say how a test's sshd differs from a plain one.
type ServerOptions struct {
	Config       []string // lines of sshd_config(5); they override the testbed's own
	Netns        string   // network namespace to run in; empty: this one
	Addr         string   // address to listen on; empty: 127.0.0.1
	Port         int      // 0: a free one
	User         string   // account to log in to; empty: the one the test runs as
	HostKeyTypes []string // of ed25519, ecdsa, rsa; empty: ed25519
}

// Server is a real sshd with host keys, configuration and log in a folder of its
// own, that lets User in with the key in IdentityFile.
type Server struct {
	Addr         string // "127.0.0.1:PORT"
	Host         string
	Port         int
	User         string
	HostKeyFile  string // the first private host key
	HostKeys     []Key
	KnownHosts   string // a known_hosts file with the server's keys
	IdentityFile string // an unencrypted ed25519 key that the server lets in
	Identity     Key
	Dir          string

	t        testing.TB
	options  ServerOptions
	config   string
	logFile  string
	process  *exec.Cmd
	exited   chan struct{}
	sessions []process // of listeners that are gone
}

// StartServer starts an sshd, waits until it listens, and stops it with the test.
// Run by root it may log in anybody; run by another user it logs in that user only.
func StartServer(t testing.TB, o ServerOptions) *Server {
	t.Helper()
	Need(t, "sshd")
	s := &Server{t: t, options: o, Dir: t.TempDir(), Host: o.Addr, User: o.User, Port: o.Port}
	if s.Host == "" {
		s.Host = "127.0.0.1"
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if s.User == "" {
		s.User = me.Username
	}
	if s.User != me.Username {
		s.Dir = sharedDir(t) // that user reads keys there
	}
	if s.Port == 0 {
		s.Port = FreePort(t)
	}
	s.Addr = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	s.config = filepath.Join(s.Dir, "sshd_config")
	s.logFile = filepath.Join(s.Dir, "log")
	s.writeFiles()
	s.Start()
	t.Cleanup(s.cleanup)
	return s
}

// sharedDir is a temporary folder that other users can read; that of [testing.T.TempDir] is not.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir := SocketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *Server) writeFiles() {
	s.t.Helper()
	types := s.options.HostKeyTypes
	if len(types) == 0 {
		types = []string{"ed25519"}
	}
	host := s.Host
	if s.Port != 22 {
		host = fmt.Sprintf("[%s]:%d", s.Host, s.Port)
	}
	var known, config strings.Builder
	for _, line := range s.options.Config {
		fmt.Fprintln(&config, line) // first: sshd uses the first value it reads
	}
	for _, keyType := range types {
		key := NewKey(s.t, filepath.Join(s.Dir, "host_"+keyType), keyType, "")
		s.HostKeys = append(s.HostKeys, key)
		fmt.Fprintf(&known, "%s %s\n", host, key.AuthorizedKey())
		fmt.Fprintf(&config, "HostKey %s\n", key.File)
	}
	s.HostKeyFile = s.HostKeys[0].File
	s.IdentityFile = filepath.Join(s.Dir, "identity")
	s.Identity = NewKey(s.t, s.IdentityFile, "ed25519", "")
	if account, err := user.Lookup(s.User); err == nil && os.Geteuid() == 0 {
		uid, _ := strconv.Atoi(account.Uid)
		if err := os.Chown(s.IdentityFile, uid, -1); err != nil {
			s.t.Fatal(err)
		}
	}
	s.KnownHosts = filepath.Join(s.Dir, "known_hosts")
	s.write(s.KnownHosts, known.String())
	s.write(s.authorizedKeys(), s.Identity.AuthorizedKey()+"\n")

	fmt.Fprintf(&config, "ListenAddress %s\n", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	fmt.Fprintf(&config, "AuthorizedKeysFile %s\n", s.authorizedKeys())
	// With SHLVL=1, bash takes a command for one of an inner shell, and does not read ~/.bashrc.
	// That file of this machine's account may be slow, print something, or take a lock.
	config.WriteString(`AuthenticationMethods publickey
KbdInteractiveAuthentication no
LogLevel VERBOSE
PasswordAuthentication no
PermitRootLogin yes
PidFile none
PrintMotd no
SetEnv SHLVL=1
StrictModes no
UseDNS no
UsePAM no
`)
	s.write(s.config, config.String())
}

func (s *Server) authorizedKeys() string { return filepath.Join(s.Dir, "authorized_keys") }

func (s *Server) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// Authorize lets another key in. Lines are those of authorized_keys, options and all.
func (s *Server) Authorize(lines ...string) {
	s.t.Helper()
	old, err := os.ReadFile(s.authorizedKeys())
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(s.authorizedKeys(), string(old)+strings.Join(lines, "\n")+"\n")
}

// Start starts the server again, on the same port and with the same keys.
func (s *Server) Start() {
	s.t.Helper()
	if s.running() {
		return
	}
	if os.Geteuid() == 0 {
		// sshd needs this folder for privilege separation. On a machine where no sshd runs, nobody
		// has made it.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	offset := len(s.Log())
	argv := []string{lookPath("sshd"), "-D", "-f", s.config, "-E", s.logFile}
	if s.options.Netns != "" {
		argv = append([]string{lookPath("ip"), "netns", "exec", s.options.Netns}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	s.process, s.exited = cmd, exited
	err := poll(10*time.Second, func() error {
		if strings.Contains(s.Log()[offset:], "Server listening on") {
			return nil
		}
		if !s.running() {
			return errors.New("ended")
		}
		return errors.New("does not listen yet")
	})
	if err != nil {
		s.t.Fatalf("sshd on %s: %v; its log:\n%s", s.Addr, err, s.Log()[offset:])
	}
}

func (s *Server) running() bool {
	if s.process == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// StopListening ends only the listener: sessions go on, new connections are refused.
func (s *Server) StopListening() { s.endListener(syscall.SIGTERM) }

func (s *Server) endListener(sig syscall.Signal) {
	s.t.Helper()
	if !s.running() {
		return
	}
	s.sessions = append(s.sessions, descendants(s.process.Process.Pid)...)
	s.process.Process.Signal(sig)
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		s.process.Process.Kill()
		<-s.exited
	}
}

// Stop ends the server and every session in it, as a machine that is shut down does.
func (s *Server) Stop() {
	s.t.Helper()
	s.endListener(syscall.SIGTERM)
	s.KillSessions(syscall.SIGTERM)
	// A stopped process handles its SIGTERM only after SIGCONT.
	s.KillSessions(syscall.SIGCONT)
	s.awaitSessions(2 * time.Second)
}

// Kill ends the server and every session in it by SIGKILL.
func (s *Server) Kill() {
	s.t.Helper()
	s.endListener(syscall.SIGKILL)
	s.KillSessions(syscall.SIGKILL)
	s.awaitSessions(2 * time.Second)
}

// awaitSessions gives sessions time to end, then kills what is left.
func (s *Server) awaitSessions(patience time.Duration) {
	poll(patience, func() error {
		if n := len(s.live()); n > 0 {
			return fmt.Errorf("%d sessions still live", n)
		}
		return nil
	})
	s.KillSessions(syscall.SIGKILL)
}

// live returns the processes of all sessions, of this listener and of those before it.
func (s *Server) live() []process {
	var found []process
	for _, p := range s.sessions {
		if p.alive() {
			found = append(found, p)
		}
	}
	s.sessions = found
	if s.running() {
		found = append(found, descendants(s.process.Process.Pid)...)
	}
	return found
}

// SessionPIDs returns the processes that serve connections now: one or two for each.
func (s *Server) SessionPIDs() []int {
	var pids []int
	for _, p := range s.live() {
		pids = append(pids, p.pid)
	}
	return pids
}

// KillSessions sends a signal to every session: SIGKILL resets the connections,
// SIGSTOP makes them hang until SIGCONT.
func (s *Server) KillSessions(sig syscall.Signal) {
	for _, p := range s.live() {
		p.signal(sig)
	}
}

// KillSession sends a signal to the oldest session only.
func (s *Server) KillSession(sig syscall.Signal) {
	s.t.Helper()
	all := s.live()
	if len(all) == 0 {
		s.t.Fatal("the server has no session")
	}
	for _, p := range append(descendants(all[0].pid), all[0]) {
		p.signal(sig)
	}
}

// Log is all that the server has logged so far, at level VERBOSE.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		return ""
	}
	return string(text)
}

// Attempts is how many TCP connections the server has accepted since it was made.
func (s *Server) Attempts() int { return strings.Count(s.Log(), "Connection from ") }

// Logins is how many of them logged in.
func (s *Server) Logins() int {
	log := s.Log()
	return strings.Count(log, "Accepted ") - strings.Count(log, "Accepted key ")
}

// Destination is what ssh takes to come here, port included.
func (s *Server) Destination() string { return "ssh://" + s.User + "@" + s.Addr }

// Args are the options with which a plain ssh comes in; the destination follows them.
func (s *Server) Args() []string {
	args := []string{"-F", "none"}
	for _, setting := range s.SSHSettings() {
		args = append(args, "-o", setting)
	}
	return args
}

// SSHSettings are lines for the [SSH] section of a tunnel file whose Destination is this server's.
func (s *Server) SSHSettings() []string {
	return []string{
		"Port=" + strconv.Itoa(s.Port),
		"User=" + s.User,
		"IdentityFile=" + s.IdentityFile,
		"IdentitiesOnly=yes",
		"UserKnownHostsFile=" + s.KnownHosts,
		"GlobalKnownHostsFile=/dev/null",
		"StrictHostKeyChecking=yes",
	}
}

func (s *Server) cleanup() {
	s.Kill()
	if s.t.Failed() && testing.Verbose() {
		s.t.Logf("sshd on %s logged:\n%s", s.Addr, s.Log())
	}
}
