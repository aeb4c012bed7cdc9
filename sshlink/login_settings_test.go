package sshlink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/sshlink/native"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestConnectionAttempts wants the second attempt to reach a server that was not there for the first.
func TestConnectionAttempts(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	row := func(attempts int) loginRow {
		return loginRow{config: withKey(s, "host") + fmt.Sprintf(" ConnectionAttempts %d\n", attempts)}
	}
	s.Stop()
	if o, err := row(1).tryOurs(t); o != unreachable {
		t.Errorf("one attempt: %s, %v", o, err)
	}
	type result struct {
		outcome
		err error
	}
	ended := make(chan result, 1)
	go func() {
		o, err := row(10).tryOurs(t)
		ended <- result{o, err}
	}()
	time.Sleep(500 * time.Millisecond) // for the first attempt; there is a second between two
	s.Start()
	if r := <-ended; r.outcome != in {
		t.Errorf("ten attempts: %s, %v", r.outcome, r.err)
	}
}

// TestIPQoS reads the type of service off the socket.
func TestIPQoS(t *testing.T) {
	four, six := testbed.StartServer(t, testbed.ServerOptions{}), testbed.StartServer(t, testbed.ServerOptions{Addr: "::1"})
	for _, c := range []struct {
		value string
		want  int
	}{{"af21 cs1", 0x48}, {"cs6", 0xc0}, {"0x20 0x40", 0x20}, {"ef lowdelay", 0xb8}, {"none", 0}} {
		for _, s := range []*testbed.Server{four, six} {
			l := dialServer(t, s, "IPQoS="+c.value)
			level, option := unix.IPPROTO_IP, unix.IP_TOS
			if s == six {
				level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
			}
			var got int
			raw, err := l.(*native.Link).Conn.Conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), level, option) })
			if err != nil || got != c.want {
				t.Errorf("IPQoS %s to %s: %#x, want %#x; %v", c.value, s.Host, got, c.want, err)
			}
		}
	}
}

// TestComesFrom reads in the server's log where we came from.
func TestComesFrom(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		dialBy(t, transport, s, "BindAddress=127.0.0.3")
		if !strings.Contains(s.Log(), "Connection from 127.0.0.3 ") {
			t.Errorf("BindAddress: %s", s.Log())
		}
	})
	// A test has one interface that it may use. That the name counts shows one that is not there.
	tryBoth(t, []loginRow{
		{name: "BindInterface lo", want: in, config: "BindInterface lo\n" + withKey(s, "host")},
		{name: "BindInterface of no card", want: unreachable, config: "BindInterface nosuch0\n" + withKey(s, "host"), says: "BindInterface nosuch0"},
	})
}

// TestRekeyLimit counts in the server's log how often keys were renewed.
func TestRekeyLimit(t *testing.T) {
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	for _, c := range []struct {
		limit string
		least int
		most  int
	}{{"1M", 4, 1000}, {"default none", 1, 1}} {
		transports(t, func(t *testing.T, transport tunnelfile.Transport) {
			s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"LogLevel DEBUG1"}})
			l := dialBy(t, transport, s, "RekeyLimit="+c.limit)
			for range 8 {
				conn, err := l.DialContext(t.Context(), "tcp", target)
				if err != nil {
					t.Fatal(err)
				}
				echo(t, conn)
				conn.Close()
			}
			if n := strings.Count(s.Log(), "SSH2_MSG_NEWKEYS received"); n < c.least || n > c.most {
				t.Errorf("RekeyLimit %s: %d key exchanges, want %d to %d", c.limit, n, c.least, c.most)
			}
		})
	}
}

// TestRekeyByTime wants keys renewed while nothing is sent, which takes ssh.
func TestRekeyByTime(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"LogLevel DEBUG1"}})
	l := dialBy(t, tunnelfile.TransportAuto, s, "RekeyLimit=default 1s")
	if got := l.Info().Transport; got != tunnelfile.TransportOpenSSH {
		t.Fatalf("auto took the %s transport", got)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if n := strings.Count(s.Log(), "SSH2_MSG_NEWKEYS received"); n < 3 {
			return fmt.Errorf("%d key exchanges", n)
		}
		return nil
	})
}

// TestLogLevel wants it to rule what is logged of a connection.
func TestLogLevel(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	banner := filepath.Join(t.TempDir(), "banner")
	write(t, banner, "be good\n")
	s.Stop()
	appendFile(t, filepath.Join(s.Dir, "sshd_config"), "Banner "+banner+"\n")
	s.Start()
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		for word, want := range map[string]struct{ banner, detail bool }{
			"": {true, false}, "QUIET": {false, false}, "ERROR": {false, false}, "INFO": {true, false}, "DEBUG": {true, true},
		} {
			var mu sync.Mutex
			var logged bytes.Buffer
			log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				return logged.Write(p)
			}), nil))
			lines := s.SSHSettings()
			if word != "" {
				lines = append(lines, "LogLevel="+word)
			}
			r, err := Resolve(t.Context(), source{Destination: s.Host, ConfigFile: "none", Settings: settings(lines...), Transport: transport, Log: log}, nil)
			if err != nil {
				t.Fatal(err)
			}
			l, err := r.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			mu.Lock()
			text := logged.String()
			mu.Unlock()
			detail := strings.Contains(text, "ffering ") && strings.Contains(text, "level=DEBUG")
			if strings.Contains(text, "be good") != want.banner || detail != want.detail {
				t.Errorf("LogLevel %q logs:\n%s", word, text)
			}
		}
	})
}

// TestLoginsBySettings is what else a setting makes of a login.
func TestLoginsBySettings(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	rsa := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"rsa"}})
	key := s.HostKeys[0].AuthorizedKey()
	at := fmt.Sprintf("[%s]:%d ", s.Host, s.Port)
	noKnown := strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, "none")
	held := testbed.Agent(t, s.Identity)
	// Match exec has ssh itself expand the tokens; ours must find what it made.
	tokens := func(names string) string {
		return fmt.Sprintf("%sMatch exec \"ln -sf %s DIR/%s\"\n IdentityFile DIR/%s\n", hostBlock(s, "host")+alone, s.IdentityFile, names, names)
	}
	tryBoth(t, []loginRow{
		{name: "KnownHostsCommand that fails", want: unreachable, says: "KnownHostsCommand /bin/false", config: withKey(s, "host") + " KnownHostsCommand /bin/false\n"},
		{name: "KnownHostsCommand that knows another", want: changedKey, config: noKnown + " KnownHostsCommand /bin/cat DIR/k\n", files: map[string]string{"k": at + s.Identity.AuthorizedKey() + "\n"}},
		{name: "KnownHostsCommand that knows it too", want: in, config: withKey(s, "host") + " KnownHostsCommand /bin/cat DIR/k\n", files: map[string]string{"k": at + key + "\n"}},
		{name: "RequiredRSASize above the host key's", want: weakKey, config: withKey(rsa, "host") + " RequiredRSASize 4096\n", says: "RequiredRSASize"},
		{name: "RequiredRSASize below the host key's", want: in, config: withKey(rsa, "host") + " RequiredRSASize 3072\n"},
		{name: "HostKeyAlgorithms with minus", want: noCommon, config: withKey(s, "host") + " HostKeyAlgorithms -ssh-ed25519*\n", says: "HostKeyAlgorithms"},
		{name: "HostKeyAlgorithms with plus", want: in, config: withKey(rsa, "host") + " HostKeyAlgorithms +ssh-rsa\n"},
		{name: "Ciphers with minus", want: in, config: withKey(s, "host") + " Ciphers -*cbc*\n MACs -*md5*\n KexAlgorithms -*sha1\n"},
		{name: "tokens %h %p %r %n", want: in, config: tokens("%h-%p-%r-%n")},
		{name: "tokens %C %L %l", want: in, config: tokens("%C-%L-%l")},
		{name: "tokens %u %i", want: in, config: tokens("%u-%i")},
		{name: "token %k", want: in, config: hostBlock(s, "host") + alone + "Match exec \"ln -sf " + s.IdentityFile + " DIR/host\"\n IdentityFile DIR/%k\n"},
		{name: "tokens in IdentityAgent", want: in, config: hostBlock(s, "host") + "Match exec \"ln -sf " + held.Socket + " DIR/%h\"\n IdentityAgent DIR/%h\n"},
		{name: "Include in a Host block", want: in, config: "Host host\n Include DIR/*.inc\n", files: map[string]string{
			"a.inc": strings.TrimPrefix(withKey(s, "x"), "Host x\n"), "b.inc": "Port 1\n"}},
		{name: "Match final all with a jump", want: in, config: withKey(s, "host") + " ProxyJump jump\n" + withKey(rsa, "jump") + "Match final all\n GSSAPIAuthentication yes\n"},
		{name: "AddressFamily inet by name", to: "localhost", want: in, config: "AddressFamily inet\n" + strings.Replace(withKey(s, "localhost"), "HostName 127.0.0.1", fmt.Sprintf("HostName localhost\n HostKeyAlias [127.0.0.1]:%d", s.Port), 1)},
	})
}

// TestSecondAddress has a name with two addresses, on the first of which nobody listens.
func TestSecondAddress(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	resolver := twoAddresses(t)
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", resolver)
	}}
	defer func() { net.DefaultResolver = old }()
	l := dialServer(t, s, "HostName=both.holdfast.test", "HostKeyAlias=["+s.Host+"]:"+fmt.Sprint(s.Port))
	if got := l.RemoteAddr().String(); got != s.Addr {
		t.Errorf("connected to %s", got)
	}
	r, err := Resolve(t.Context(), source{Destination: "both.holdfast.test", ConfigFile: "none", Settings: settings(fmt.Sprintf("Port=%d", testbed.FreePort(t)))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Dial(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot connect to both.holdfast.test port ") || strings.Count(err.Error(), "refused") != 1 {
		t.Errorf("nobody listens on either: %v", err)
	}
}

// TestOnlyPostQuantum has a server that offers nothing else, which OpenSSH does since 9.9 only.
func TestOnlyPostQuantum(t *testing.T) {
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "host"), "ed25519", "")
	signer, err := ssh.NewSignerFromSigner(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true, Config: ssh.Config{KeyExchanges: []string{ssh.KeyExchangeMLKEM768X25519}}}
	config.AddHostKey(signer)
	addr := serveSSH(t, config)
	r, err := Resolve(t.Context(), source{Destination: "127.0.0.1", ConfigFile: "none", Settings: settings(
		fmt.Sprintf("Port=%d", addr.Port), "StrictHostKeyChecking=no", "UserKnownHostsFile=none", "IdentityAgent=none")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info := l.Info(); info.Kex != ssh.KeyExchangeMLKEM768X25519 || !info.PostQuantum {
		t.Errorf("%+v", info)
	}
}

// TestChildrenEndWithTheProcess kills a process outright that has a link, and wants what it started
// to be gone: a ProxyCommand, and ssh with its own. Its folders go with the next sweep.
func TestChildrenEndWithTheProcess(t *testing.T) {
	if config := os.Getenv("HF_TEST_LINK"); config != "" {
		r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config, Transport: tunnelfile.Transport(os.Getenv("HF_TEST_TRANSPORT"))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.ListenContext(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		fmt.Println("connected")
		io.Copy(io.Discard, os.Stdin) // until it is killed, or may end
		l.Close()
		l.Wait()
		return
	}
	s := testbed.StartServer(t, testbed.ServerOptions{})
	script := relay(t, "relay")
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		dir, runtime := t.TempDir(), testbed.SocketDir(t)
		config, pid, proxyCommand := filepath.Join(dir, "config"), filepath.Join(dir, "pid"), filepath.Join(dir, "proxy")
		write(t, proxyCommand, "#!/bin/sh\necho $$ > "+pid+"\nexec "+script+" \"$@\"\n")
		os.Chmod(proxyCommand, 0o700)
		write(t, config, withKey(s, "host")+" ProxyCommand "+proxyCommand+" %h %p\n")
		start := func() (*exec.Cmd, io.Closer) {
			child := exec.Command(os.Args[0], "-test.run", "^TestChildrenEndWithTheProcess$")
			child.Env = append(os.Environ(), "HF_TEST_LINK="+config, "HF_TEST_TRANSPORT="+string(transport), "TMPDIR="+runtime)
			stdin, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, len("connected"))
			if _, err := io.ReadFull(stdout, line); err != nil || string(line) != "connected" {
				t.Fatalf("%q, %v", line, err)
			}
			return child, stdin
		}
		child, stdin := start()
		defer stdin.Close()
		text, err := os.ReadFile(pid)
		if err != nil {
			t.Fatal(err)
		}
		var proxy int
		fmt.Sscan(string(text), &proxy)
		child.Process.Kill()
		child.Wait()
		testbed.WaitFor(t, 10*time.Second, func() error {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", proxy))
			if err == nil && !bytes.Contains(status, []byte("State:\tZ")) { // whose parent it is now may take its time
				return fmt.Errorf("the ProxyCommand still runs: %s", status)
			}
			return nil
		})
		testbed.WaitFor(t, 20*time.Second, func() error {
			if n := len(s.SessionPIDs()); n > 0 {
				return fmt.Errorf("%d processes serve a connection still", n)
			}
			return nil
		})
		// The next one tidies up.
		left, _ := os.ReadDir(runtime)
		next, stdin := start()
		defer func() { stdin.Close(); next.Wait() }()
		for _, entry := range left {
			if _, err := os.Stat(filepath.Join(runtime, entry.Name())); err == nil {
				t.Errorf("left: %s", entry.Name())
			}
		}
	})
}
