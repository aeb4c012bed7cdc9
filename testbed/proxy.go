package testbed

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy that can delay, stop or reset what goes through it.
//
// While it is silent, its kernel still acknowledges what the client sends. To drop packets for
// good, use a network namespace and nft.
type Proxy struct {
	Addr string // "127.0.0.1:PORT", to connect to

	target   string
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever a switch is thrown
	delay    time.Duration
	silent   bool
	refusing bool
	conns    map[net.Conn]struct{}
	accepted int
}

// NewProxy starts a proxy to target, "host:port", and ends it with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr:    l.Addr().String(),
		target:  target,
		changed: make(chan struct{}),
		conns:   make(map[net.Conn]struct{}),
	}
	t.Cleanup(func() {
		l.Close()
		p.Reset()
		p.SetSilent(false) // so that copy can end
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn.(*net.TCPConn))
		}
	}()
	return p
}

// SetDelay delays every byte by this time, each way: half the round trip that it adds.
func (p *Proxy) SetDelay(d time.Duration) { p.set(func() { p.delay = d }) }

// SetSilent stops delivery both ways, or starts it again with what has waited.
func (p *Proxy) SetSilent(silent bool) { p.set(func() { p.silent = silent }) }

// SetRefusing resets new connections at once instead of serving them.
func (p *Proxy) SetRefusing(refusing bool) { p.set(func() { p.refusing = refusing }) }

// Reset resets every connection that is open now, on both sides.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	clear(p.conns)
}

// Accepted is how many connections have come in so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *Proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) serve(client *net.TCPConn) {
	defer client.Close()
	p.mu.Lock()
	p.accepted++
	refusing := p.refusing
	p.mu.Unlock()
	if refusing {
		client.SetLinger(0)
		return
	}
	dialed, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		client.SetLinger(0)
		return
	}
	server := dialed.(*net.TCPConn)
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	both.Go(func() { p.copy(client, server) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

// chunk is bytes on their way, or the end of one direction if it has none.
type chunk struct {
	data []byte
	due  time.Time
}

// copy carries one direction. It reads bytes as they come, and writes them when they are due.
func (p *Proxy) copy(to, from *net.TCPConn) {
	queue := make(chan chunk, 4096)
	go func() {
		defer close(queue)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			p.mu.Lock()
			due := time.Now().Add(p.delay)
			p.mu.Unlock()
			if n > 0 {
				queue <- chunk{buffer[:n], due}
			}
			if err == io.EOF {
				queue <- chunk{nil, due}
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range queue {
		if wait := time.Until(c.due); wait > 0 {
			time.Sleep(wait)
		}
		p.untilHeard()
		if c.data == nil {
			to.CloseWrite()
			continue
		}
		if _, err := to.Write(c.data); err != nil {
			from.Close() // ends the reader; what it still queues is dropped
		}
	}
}

// untilHeard waits while the proxy is silent.
func (p *Proxy) untilHeard() {
	for {
		p.mu.Lock()
		silent, changed := p.silent, p.changed
		p.mu.Unlock()
		if !silent {
			return
		}
		<-changed
	}
}
