package sshlink

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestChannelTimeout: an idle channel ends, of whatever direction, and no other. The ssh that is
// installed may not know the keyword: the settings come from a resolution without it.
func TestChannelTimeout(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	timeouts := func(t *testing.T, value string) config.ChannelTimeouts {
		t.Helper()
		path := t.TempDir() // without an ssh in it
		t.Setenv("PATH", path)
		o, err := config.Resolve(t.Context(), source{Destination: "host", Settings: settings("ChannelTimeout=" + value)})
		if err != nil {
			t.Fatal(err)
		}
		return o.ChannelTimeout
	}
	var direct, forwarded, global config.ChannelTimeouts
	t.Run("read", func(t *testing.T) {
		direct, forwarded, global = timeouts(t, "session=1s direct-*=200ms"), timeouts(t, "forwarded-tcpip=200ms"), timeouts(t, "*=0 global=200ms")
	})
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		under := dialBy(t, transport, s)
		ends := func(what string, c net.Conn, want bool) {
			t.Helper()
			ended := make(chan struct{})
			go func() { io.Copy(io.Discard, c); close(ended) }()
			select {
			case <-ended:
				if !want {
					t.Errorf("%s: ended", what)
				}
			case <-time.After(map[bool]time.Duration{true: 10 * time.Second, false: time.Second}[want]):
				if want {
					t.Errorf("%s: goes on", what)
				}
			}
			c.Close()
		}
		for _, c := range []struct {
			what     string
			timeouts config.ChannelTimeouts
			dialled  bool
			accepted bool
		}{{"direct", direct, true, false}, {"forwarded", forwarded, false, true}, {"global", global, true, true}} {
			l := withTimeouts(under, c.timeouts)
			conn, err := l.DialContext(t.Context(), "tcp", echo)
			if err != nil {
				t.Fatal(err)
			}
			ends(c.what+", dialled", conn, c.dialled)
			ln, err := l.ListenContext(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			there, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer there.Close()
			if conn, err = ln.Accept(); err != nil {
				t.Fatal(err)
			}
			ends(c.what+", accepted", conn, c.accepted)
			ln.Close()
		}
	})
}
