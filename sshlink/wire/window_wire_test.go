//go:build !fixedwindow

package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"os/exec"
	"reflect"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// A program of tests does not say what it was built of.
func init() { fixedWindow = func() string { return "" } }

// TestTriedCrypto fails when another x/crypto is taken: see that the other tests of this file pass
// with it, run make bench, then change triedCrypto.
func TestTriedCrypto(t *testing.T) {
	version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "golang.org/x/crypto").Output()
	if err != nil {
		t.Skip(err)
	}
	if got := strings.TrimSpace(string(version)); got != triedCrypto {
		t.Errorf("go.mod has golang.org/x/crypto %s, and %s was tried", got, triedCrypto)
	}
	crypto := func(m debug.Module) *debug.BuildInfo {
		m.Path = "golang.org/x/crypto"
		return &debug.BuildInfo{Deps: []*debug.Module{{Path: "golang.org/x/sys", Version: "v1.0.0"}, &m}}
	}
	if why := untried(crypto(debug.Module{Version: triedCrypto})); why != "" {
		t.Error(why)
	}
	for _, info := range []*debug.BuildInfo{nil, {}, crypto(debug.Module{Version: "v0.57.0"}), crypto(debug.Module{Version: triedCrypto, Replace: &debug.Module{}})} {
		if untried(info) == "" {
			t.Errorf("%v counts as tried", info)
		}
	}
}

// TestWindowOnTheWire counts what a server can write that nobody reads, before and after the
// window has grown.
func TestWindowOnTheWire(t *testing.T) {
	if why := FixedWindow(); why != "" {
		t.Fatal(why)
	}
	server, client := channelPair(t)
	var written atomic.Int64
	go func() {
		for chunk := make([]byte, 32<<10); ; {
			n, err := server.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	stops := func(want int64) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); written.Load() < want && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond) // for what would be too much
		if n := written.Load(); n != want {
			t.Errorf("the server could write %d bytes, want %d", n, want)
		}
	}
	stops(firstWindow)
	var read int64
	take := func() { // until the server is credited
		t.Helper()
		for credited := false; !credited; credited = client.window.consumed == 0 {
			n, err := io.ReadFull(client, make([]byte, 32<<10))
			if err != nil {
				t.Fatal(err)
			}
			read += int64(n)
		}
	}
	take()
	stops(read + firstWindow)
	for range 2 {
		client.window.grow()
	}
	take()
	stops(read + 4*firstWindow)
	client.window.wanted = firstWindow
	for client.window.size > firstWindow {
		take()
	}
	take()
	stops(read + firstWindow)
	for range 100 { // every byte comes in the end
		take()
	}
}

// channelPair is a channel at its server's end and at its client's.
func channelPair(t *testing.T) (ssh.Channel, *Channel) {
	t.Helper()
	near, far := tcpPair(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	accepted := make(chan ssh.Channel, 1)
	go func() {
		_, chans, reqs, err := ssh.NewServerConn(far, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		for c := range chans {
			if ch, reqs, err := c.Accept(); err == nil {
				go ssh.DiscardRequests(reqs)
				accepted <- ch
			}
		}
	}()
	conn := NewConn(near)
	sc, chans, reqs, err := ssh.NewClientConn(conn, "test", &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	go func() {
		for range chans {
		}
	}()
	b := NewBase(conn, sc, "test")
	b.Watch()
	ch, chReqs, err := b.OpenChannel(t.Context(), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := b.NewChannel(ch, chReqs, nil, nil)
	t.Cleanup(func() { c.Close() })
	return <-accepted, c
}

// TestNext takes what a server sends in the pieces it came in, in order, to the end; the server may
// send on once what was taken has gone on.
func TestNext(t *testing.T) {
	server, client := channelPair(t)
	sent := make([]byte, 3*firstWindow+12345)
	rand.Read(sent)
	go func() {
		server.Write(sent)
		server.CloseWrite()
	}()
	var got []byte
	room := make(net.Buffers, 0, 4)
	for {
		pieces, err := client.Next(room)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range pieces {
			n += len(p)
			got = append(got, p...)
		}
		if n == 0 || n > nextSize || len(pieces) > cap(room) {
			t.Fatalf("%d bytes in %d pieces", n, len(pieces))
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
	}
	if buffer := reflect.TypeFor[*buffer](); bufferAlike(buffer) {
		t.Error("a buffer that is not x/crypto's counts as its own")
	}
	if alike(reflect.TypeFor[element](), reflect.TypeFor[struct{ next, buf *element }]()) {
		t.Error("two structs that differ count as alike")
	}
}
