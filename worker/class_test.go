package worker

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestClasses holds keeper's table against the errors of real servers: a row for each
// way that a dial, a handshake, an authentication or a link can fail.
func TestClasses(t *testing.T) {
	dir := t.TempDir()
	stranger := testbed.NewKey(t, filepath.Join(dir, "stranger"), "ed25519", "")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	other := testbed.StartServer(t, testbed.ServerOptions{})
	server := func(config ...string) func(*testing.T) (*testbed.Server, []string) {
		return func(t *testing.T) (*testbed.Server, []string) {
			return testbed.StartServer(t, testbed.ServerOptions{Config: config}), nil
		}
	}
	with := func(settings ...string) func(*testing.T) (*testbed.Server, []string) {
		return func(*testing.T) (*testbed.Server, []string) { return s, settings }
	}
	port := func(addr net.Addr) string {
		return "Port=" + strconv.Itoa(addr.(*net.TCPAddr).Port)
	}
	for _, c := range []struct {
		what  string
		setup func(*testing.T) (*testbed.Server, []string) // a server, and settings that beat its own
		want  fault.Class
	}{
		{"nobody listens", with("Port=" + strconv.Itoa(testbed.FreePort(t))), fault.ClassPassing},
		{"the name does not resolve", with("HostName=none.invalid"), fault.ClassPassing},
		{"no greeting in time", func(t *testing.T) (*testbed.Server, []string) {
			return s, []string{port(testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })), "ConnectTimeout=1"}
		}, fault.ClassPassing},
		{"no SSH server", func(t *testing.T) (*testbed.Server, []string) {
			return s, []string{port(testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.WriteString(c, "220 smtp.example.com ESMTP\r\n") }))}
		}, fault.ClassPassing},
		{"the proxy command fails", with("ProxyCommand=exit 1"), fault.ClassPassing},
		{"reset in the handshake", func(t *testing.T) (*testbed.Server, []string) {
			return s, []string{port(testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
				c.Read(make([]byte, 1))
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}))}
		}, fault.ClassPassing},

		{"closed before the greeting", func(t *testing.T) (*testbed.Server, []string) {
			return s, []string{port(testbed.Serve(t, "tcp", "127.0.0.1:0", func(net.Conn) {}))}
		}, fault.ClassTurnedAway},
		{"MaxStartups", func(t *testing.T) (*testbed.Server, []string) {
			full := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 1:100:1"}})
			conn, err := net.Dial("tcp", full.Addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			conn.Read(make([]byte, 1)) // the greeting: sshd has counted it
			return full, nil
		}, fault.ClassTurnedAway},

		{"wrong key", with("IdentityFile="+stranger.File, "IdentityAgent=none"), fault.ClassDenied},
		{"no key", with("IdentityFile=none", "IdentityAgent=none"), fault.ClassDenied},
		{"passwords only, and nobody to ask", server("AuthenticationMethods password", "PasswordAuthentication yes"), fault.ClassDenied},
		{"not one of AllowUsers", server("AllowUsers nobody-else"), fault.ClassDenied},
		{"another factor wanted", server("AuthenticationMethods publickey,password", "PasswordAuthentication yes"), fault.ClassDenied},

		{"unknown host", with("UserKnownHostsFile=/dev/null"), fault.ClassDistrusted},
		{"changed host key", with("HostKeyAlias=["+other.Host+"]:"+strconv.Itoa(other.Port), "UserKnownHostsFile="+other.KnownHosts), fault.ClassDistrusted},
		{"revoked host key", func(t *testing.T) (*testbed.Server, []string) {
			known := filepath.Join(t.TempDir(), "known_hosts")
			name := "[" + s.Host + "]:" + strconv.Itoa(s.Port)
			if err := tunnelfile.Write(known, "@revoked "+name+" "+s.HostKeys[0].AuthorizedKey()+"\n"); err != nil {
				t.Fatal(err)
			}
			return s, []string{"UserKnownHostsFile=" + known}
		}, fault.ClassDistrusted},

		{"a setting that ssh does not take", with("Ciphers=none-such"), fault.ClassMistaken},
		{"no cipher in common", func(t *testing.T) (*testbed.Server, []string) {
			return testbed.StartServer(t, testbed.ServerOptions{Config: []string{"Ciphers aes256-ctr"}}), []string{"Ciphers=aes128-ctr"}
		}, fault.ClassMistaken},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			server, settings := c.setup(t)
			for _, transport := range transports {
				link, err := connect(t, transport, server, settings...)
				if err == nil {
					link.Close()
					t.Fatalf("%s: connected", transport)
				}
				if got := fault.ClassOf(err); got != c.want {
					t.Errorf("%s: %v: class %v, want %v", transport, err, got, c.want)
				}
				if strings.ContainsAny(err.Error(), "\r\n") {
					t.Errorf("%s: more than one line: %q", transport, err)
				}
			}
		})
	}
}

// TestClassesOfLoss is TestClasses for links that stood.
func TestClassesOfLoss(t *testing.T) {
	for what, lose := range map[string]func(*testbed.Server, *testbed.Proxy){
		"session killed":   func(s *testbed.Server, _ *testbed.Proxy) { s.KillSessions(syscall.SIGKILL) },
		"session ended":    func(s *testbed.Server, _ *testbed.Proxy) { s.KillSessions(syscall.SIGTERM) },
		"server stopped":   func(s *testbed.Server, _ *testbed.Proxy) { s.Stop() },
		"connection reset": func(_ *testbed.Server, p *testbed.Proxy) { p.Reset() },
	} {
		overEach(t, what, func(t *testing.T, transport tunnelfile.Transport) {
			s := testbed.StartServer(t, testbed.ServerOptions{})
			proxy := testbed.NewProxy(t, s.Addr)
			_, port, _ := net.SplitHostPort(proxy.Addr)
			link, err := connect(t, transport, s, "Port="+port, "HostKeyAlias=["+s.Host+"]:"+strconv.Itoa(s.Port))
			if err != nil {
				t.Fatal(err)
			}
			defer link.Close()
			lose(s, proxy)
			lost := make(chan error, 1)
			go func() { lost <- link.Wait() }()
			select {
			case err := <-lost:
				if got := fault.ClassOf(err); err == nil || got != fault.ClassPassing {
					t.Errorf("%v: class %v, want %v", err, got, fault.ClassPassing)
				}
			case <-time.After(20 * time.Second):
				t.Error("nobody notices")
			}
		})
	}
}

var transports = []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH}

// overEach runs a test over each transport.
func overEach(t *testing.T, name string, f func(*testing.T, tunnelfile.Transport)) {
	for _, transport := range transports {
		t.Run(name+"/"+string(transport), func(t *testing.T) { t.Parallel(); f(t, transport) })
	}
}

// connect makes one attempt.
func connect(t *testing.T, transport tunnelfile.Transport, s *testbed.Server, settings ...string) (sshlink.Link, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := config.Source{Name: "t", Destination: s.Host, Transport: transport}
	for _, line := range append(settings, s.SSHSettings()...) { // ssh takes the first value of each
		key, value, _ := strings.Cut(line, "=")
		if line == "IdentityFile="+s.IdentityFile && len(settings) > 0 && strings.HasPrefix(settings[0], "IdentityFile=") {
			continue // of IdentityFile ssh takes all
		}
		c.Settings = append(c.Settings, tunnelfile.Setting{Key: key, Value: value})
	}
	r, err := sshlink.Resolve(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return r.Dial(ctx)
}
