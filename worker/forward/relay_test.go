package forward

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// A half-close goes through in either direction while the other one goes on.
func TestHalfClose(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	// This server ends first, and then counts what the client still sends.
	counted := make(chan int64, 1)
	endsFirst := testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.WriteString(c, "bye")
		closeWrite(c)
		n, _ := io.Copy(io.Discard, c)
		counted <- n
	})
	listen := testbed.FreeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(endsFirst)), remote(tcp(listen), tcp(endsFirst))}})
	use(t, s, link)
	defer s.Lost(link)
	for _, a := range []net.Addr{s.addr(0), listen} {
		c := connect(t, a)
		if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
		if _, err := io.WriteString(c, strings.Repeat("x", 100_000)); err != nil {
			t.Fatal(err)
		}
		closeWrite(c)
		select {
		case n := <-counted:
			if n != 100_000 {
				t.Errorf("%d bytes came after the server's end", n)
			}
		case <-time.After(patience):
			t.Error("the server never saw the client's end")
		}
	}
}

// When the link dies under a connection its client sees a reset, not an end that
// would pass half an answer off as a whole one.
func TestLinkDiesUnderConnection(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	half := testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.WriteString(c, "half an ans")
		io.Copy(io.Discard, c)
	})
	for _, end := range []struct {
		name string
		do   func(*sshLink)
	}{
		{"session killed", func(*sshLink) { server.KillSessions(syscall.SIGKILL) }},
		{"link closed", func(l *sshLink) { l.Close() }},
	} {
		t.Run(end.name, func(t *testing.T) {
			link := dialSSH(t, server, server.Addr)
			s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(half))}})
			use(t, s, link)
			go func() {
				link.client.Wait()
				s.Lost(link)
			}()
			c := connect(t, s.addr(0))
			if _, err := io.ReadFull(c, make([]byte, 11)); err != nil {
				t.Fatal(err)
			}
			end.do(link)
			wasReset(t, c)
			testbed.WaitFor(t, patience, func() error {
				if n := s.Totals().ChannelsOpen; n != 0 {
					return fmt.Errorf("%d channels open", n)
				}
				return nil
			})
		})
	}
}

// A client that resets its connection ends the channel, and so the target's connection.
func TestClientResets(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	ended := make(chan struct{})
	target := testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.Copy(io.Discard, c)
		close(ended)
	})
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(target))}})
	use(t, s, link)
	defer s.Lost(link)
	c := connect(t, s.addr(0))
	io.WriteString(c, "hello")
	testbed.WaitFor(t, patience, func() error {
		if s.Totals().BytesSent != 5 {
			return errors.New("not sent yet")
		}
		return nil
	})
	reset(c)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the target's connection is still open")
	}
}

// A connection that nobody reads stops neither others nor grows without bound.
func TestSlowReaderStopsNobody(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	endless := testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		for block := make([]byte, 1<<16); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(endless)), local(loopback, tcp(echo))}})
	use(t, s, link)
	defer s.Lost(link)
	for range 4 {
		connect(t, s.addr(0)) // and does not read
	}
	testbed.CheckEcho(t, connect(t, s.addr(1)), 8<<20, patience)
}

// Under load, a new link every 100 ms loses no connection and no byte.
func TestRotationUnderLoad(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 100"}})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo)), dynamic(loopback)}})
	link := dialSSH(t, server, server.Addr)
	use(t, s, link)

	var wg sync.WaitGroup
	var done atomic.Int64
	stop := make(chan struct{})
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.Dial("tcp", s.addr(i%2).String())
				if err == nil && i%2 == 1 {
					err = testbed.AskSOCKS(c, "5", echo.String())
				}
				if err == nil {
					err = testbed.EchoThrough(c, 1<<18, patience)
				}
				if err != nil {
					t.Errorf("client %d, connection %d: %v", i, done.Load(), err)
					return
				}
				done.Add(1)
			}
		})
	}
	var drained sync.WaitGroup
	for range 15 {
		tick := time.After(100 * time.Millisecond)
		next := dialSSH(t, server, server.Addr)
		use(t, s, next)
		old := link
		link = next
		drained.Go(func() {
			testbed.WaitFor(t, patience, func() error {
				if n := s.Load(old); n > 0 {
					return fmt.Errorf("%d channels left on an old link", n)
				}
				return nil
			})
			s.Lost(old)
			old.Close()
		})
		<-tick
	}
	close(stop)
	wg.Wait()
	drained.Wait()
	s.Lost(link)
	t.Logf("%d connections over 16 links", done.Load())
}

// A thousand connections at once leave nothing behind.
func TestThousandConnections(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}})
	use(t, s, link)
	defer s.Lost(link)
	var wg sync.WaitGroup
	together := make(chan struct{})
	const connections = 1000
	for range connections {
		c := connect(t, s.addr(0))
		wg.Go(func() {
			<-together
			if err := testbed.EchoThrough(c, 10_000, patience); err != nil {
				t.Error(err)
			}
		})
	}
	testbed.WaitFor(t, patience, func() error {
		if n := s.Totals().ChannelsOpen; n != connections {
			return fmt.Errorf("%d channels open", n)
		}
		return nil
	})
	close(together)
	wg.Wait()
	testbed.WaitFor(t, patience, func() error {
		if n := s.Totals().ChannelsOpen; n != 0 {
			return fmt.Errorf("%d channels open", n)
		}
		return nil
	})
	noConnections(t)
}

// noConnections fails the test unless every connection's goroutines end.
func noConnections(t *testing.T) {
	t.Helper()
	testbed.WaitFor(t, patience, func() error {
		if stacks := allStacks(); strings.Contains(stacks, "(*relay)") {
			return errors.New(stacks)
		}
		return nil
	})
}

// pump copies everything whatever the sizes of reads, head first, and counts it.
func TestPump(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<15)
	for name, src := range map[string]io.Reader{
		"whole":   bytes.NewReader(data),
		"bytes":   iotest.OneByteReader(bytes.NewReader(data[:10_000])),
		"halves":  iotest.HalfReader(bytes.NewReader(data)),
		"dataErr": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		want := append([]byte("head"), data...)
		if name == "bytes" {
			want = want[:10_004]
		}
		var got bytes.Buffer
		var count atomic.Uint64
		r := relay{forward: &forward{set: new(Set)}}
		readErr, writeErr := r.pump(&got, src, []byte("head"), &count)
		if readErr != io.EOF || writeErr != nil || !bytes.Equal(got.Bytes(), want) || count.Load() != uint64(len(want)) {
			t.Errorf("%s: %d bytes, %d counted, %v, %v", name, got.Len(), count.Load(), readErr, writeErr)
		}
	}
}

// pieces is a channel that hands over what came without a copy.
type pieces struct{ rest []net.Buffers }

func (p *pieces) Read([]byte) (int, error) { return 0, errors.New("it was to be taken in pieces") }

func (p *pieces) Next(into net.Buffers) (net.Buffers, error) {
	if len(p.rest) == 0 {
		return nil, io.EOF
	}
	into = append(into[:0], p.rest[0]...)
	p.rest = p.rest[1:]
	return into, nil
}

// TestPiecesAreCounted: what is taken without a copy counts as any other byte, for people and for
// the sampler.
func TestPiecesAreCounted(t *testing.T) {
	r := relay{forward: &forward{set: new(Set)}}
	src := &pieces{[]net.Buffers{{[]byte("one, "), []byte("two, ")}, {[]byte("three")}}}
	var dst bytes.Buffer
	readErr, writeErr := r.pump(&dst, src, []byte("zero, "), &r.forward.received)
	if readErr != io.EOF || writeErr != nil || dst.String() != "zero, one, two, three" {
		t.Errorf("%q, %v, %v", dst.String(), readErr, writeErr)
	}
	if counted, seen := r.forward.received.Load(), r.moved.Load(); counted != uint64(dst.Len()) || seen != int64(dst.Len()) {
		t.Errorf("%d bytes counted, %d seen, of %d", counted, seen, dst.Len())
	}
}
