package sshlink

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// settings are lines KEY=VALUE as an [SSH] section has them.
func settings(lines ...string) []tunnelfile.Setting {
	var s []tunnelfile.Setting
	for i, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		s = append(s, tunnelfile.Setting{Key: key, Value: value, Path: "test.tunnel", Line: i + 1})
	}
	return s
}

// dialServer connects to a testbed's server.
func dialServer(t testing.TB, s *testbed.Server, more ...string) Link {
	t.Helper()
	return dialBy(t, tunnelfile.TransportNative, s, more...)
}

// transports runs a test over each transport.
func transports(t *testing.T, f func(t *testing.T, transport tunnelfile.Transport)) {
	for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
		t.Run(string(transport), func(t *testing.T) { f(t, transport) })
	}
}

func dialBy(t testing.TB, transport tunnelfile.Transport, s *testbed.Server, more ...string) Link {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := Resolve(ctx, source{
		Name: "test", Destination: s.Host, ConfigFile: "none", Transport: transport,
		Settings: settings(append(more, s.SSHSettings()...)...),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLinkCarriesBytes(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		l := dialBy(t, transport, s)
		carries(t, l)
		info := l.Info()
		if info.Transport != transport || info.Kex == "" || info.Cipher == "" || !strings.Contains(info.HostKey, "SHA256:") || !strings.Contains(info.ServerVersion, "OpenSSH") {
			t.Errorf("%+v", info)
		}
		if time.Since(l.LastReceived()) > 10*time.Second {
			t.Error("LastReceived", l.LastReceived())
		}
	})
}

// carries wants bytes to come through forwards of every kind.
func carries(t *testing.T, l Link) {
	t.Helper()
	here, there := testbed.SocketDir(t), testbed.SocketDir(t)
	for _, network := range []string{"tcp", "unix"} {
		target, err := net.Listen(network, map[string]string{"tcp": "127.0.0.1:0", "unix": here + "/s"}[network])
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		go serveEcho(target)
		c, err := l.DialContext(t.Context(), network, target.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		echo(t, c)

		ln, err := l.ListenContext(t.Context(), network, map[string]string{"tcp": "localhost:0", "unix": there + "/s"}[network])
		if err != nil {
			t.Fatal(err)
		}
		go serveEcho(ln)
		back, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		echo(t, back)
		if err := ln.Close(); err != nil {
			t.Errorf("%s: Close: %v", network, err)
		}
		// ssh -O cancel does not wait for the server.
		testbed.WaitFor(t, 10*time.Second, func() error { return testbed.NotListening(network, ln.Addr().String()) })
	}
	if rtt, err := l.Ping(t.Context()); err != nil || rtt <= 0 {
		t.Errorf("Ping: %v, %v", rtt, err)
	}
}

func TestRefusals(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		l := dialBy(t, transport, s)
		_, err := l.DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(testbed.FreePort(t)))
		if e, ok := errors.AsType[*ssh.OpenChannelError](err); !ok || e.Reason != ssh.ConnectionFailed {
			t.Errorf("a target nobody listens on: %v", err)
		}
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		_, err = l.ListenContext(t.Context(), "tcp", taken.Addr().String())
		if e, ok := errors.AsType[*wire.RefusedError](err); !ok || e.Addr != taken.Addr().String() {
			t.Errorf("a port that is taken: %v", err)
		}
		// Once it is free it is ours, and what comes reaches the one who listens now.
		l.ListenContext(t.Context(), "tcp", taken.Addr().String())
		taken.Close()
		ln, err := l.ListenContext(t.Context(), "tcp", taken.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go serveEcho(ln)
		c, err := net.Dial("tcp", taken.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		echo(t, c)
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if _, err := l.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func serveEcho(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { defer c.Close(); io.Copy(c, c) }()
	}
}

// echo sends a megabyte and its end, and wants it back.
func echo(t testing.TB, c net.Conn) {
	t.Helper()
	const text = "all that goes in comes out again\n"
	sent := strings.Repeat(text, 1<<20/len(text))
	go func() {
		io.WriteString(c, sent)
		c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != sent {
		t.Fatalf("%d bytes came back, %d were sent", len(got), len(sent))
	}
}
