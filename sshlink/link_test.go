package sshlink

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

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
func dialServer(t testing.TB, s *testbed.Server, more ...string) *Link {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := Resolve(ctx, Config{
		Name: "test", Destination: s.Host, ConfigFile: "none",
		Settings: settings(append(more, s.SSHSettings()...)...),
	})
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

func TestLinkCarriesBytesBothWays(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l := dialServer(t, s)

	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		for {
			c, err := target.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	c, err := l.DialContext(t.Context(), "tcp", target.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	echo(t, c)

	ln, err := l.ListenContext(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()
	there, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	echo(t, there)
	if err := ln.Close(); err != nil {
		t.Error(err)
	}

	if _, err := l.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("%+v", l.Info())
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
