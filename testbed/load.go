package testbed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Load is clients of a listener that leads to an [Echo]. Short clients come all the time, one after
// the other. Streams last some seconds each, and one stream lasts from beginning to end. Every byte
// that comes back is compared.
type Load struct {
	network, address string

	stop    chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	counts Counts
}

// Counts is what the clients of a Load met.
type Counts struct {
	Served  int           // short clients that got their bytes back, and then the end
	Streams int           // streams that got theirs back, and then the end
	Open    int           // streams that have not ended yet
	Refused int           // clients that could not connect
	Cut     int           // clients whose connection ended before they were done
	Wrong   int           // clients that got other bytes back
	Bytes   int64         // compared
	Longest time.Duration // of a short client, from its connect to its end
	First   string        // the first trouble
}

// Well says whether no client met trouble.
func (c Counts) Well() bool { return c.Refused+c.Cut+c.Wrong == 0 }

// String is the counts in a line.
func (c Counts) String() string {
	line := fmt.Sprintf("%d clients and %d streams served, %d refused, %d cut, %d with wrong bytes; %d MB compared; the longest client took %d ms",
		c.Served, c.Streams, c.Refused, c.Cut, c.Wrong, c.Bytes/1e6, c.Longest.Milliseconds())
	if c.First != "" {
		line += "; the first trouble: " + c.First
	}
	return line
}

// Add returns the sum of both.
func (c Counts) Add(o Counts) Counts {
	first := c.First
	if first == "" {
		first = o.First
	}
	return Counts{c.Served + o.Served, c.Streams + o.Streams, c.Open + o.Open, c.Refused + o.Refused, c.Cut + o.Cut, c.Wrong + o.Wrong,
		c.Bytes + o.Bytes, max(c.Longest, o.Longest), first}
}

const (
	loadChunk    = 4 << 10               // what a client sends at a time, and wants back
	loadPause    = 50 * time.Millisecond // between two chunks, so that clients do not use up the machine
	loadPatience = 40 * time.Second      // how long a client waits for a connection or a chunk
)

// NewLoad starts the clients. Each stream ends after so many chunks, except the one that lasts.
func NewLoad(network, address string, chunks int) *Load {
	l := &Load{network: network, address: address, stop: make(chan struct{})}
	l.running.Go(func() {
		for !l.stopped() {
			start := time.Now()
			if l.client(1) {
				l.note(func(c *Counts) { c.Served++; c.Longest = max(c.Longest, time.Since(start)) })
			}
			time.Sleep(loadPause)
		}
	})
	for _, chunks := range []int{chunks, -1} {
		l.running.Go(func() {
			for first := true; first || !l.stopped() && chunks > 0; first = false {
				l.note(func(c *Counts) { c.Open++ })
				if l.client(chunks) {
					l.note(func(c *Counts) { c.Streams++ })
				}
				l.note(func(c *Counts) { c.Open-- })
				time.Sleep(loadPause)
			}
		})
	}
	return l
}

func (l *Load) note(f func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.counts)
}

func (l *Load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// Counts is what the clients have met so far.
func (l *Load) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Stop ends the clients and returns their counts.
func (l *Load) Stop() Counts {
	close(l.stop)
	l.running.Wait()
	return l.Counts()
}

// client is one client. It sends so many chunks, or fewer if the load is stopped; -1: until it is
// stopped. It reports whether all came back, and then the end.
func (l *Load) client(chunks int) bool {
	conn, err := net.DialTimeout(l.network, l.address, loadPatience)
	if err != nil {
		l.trouble(err, func(c *Counts) { c.Refused++ })
		return false
	}
	defer conn.Close()
	bytes := newLoadBytes()
	for i := 0; i == 0 || i != chunks && !l.stopped(); i++ {
		if i > 0 {
			time.Sleep(loadPause)
		}
		conn.SetDeadline(time.Now().Add(loadPatience))
		if err := bytes.exchange(conn); err != nil {
			l.trouble(fmt.Errorf("after %d chunks: %w", i, err), func(c *Counts) {
				if errors.Is(err, errWrongBytes) {
					c.Wrong++
				} else {
					c.Cut++
				}
			})
			return false
		}
		l.note(func(c *Counts) { c.Bytes += loadChunk })
	}
	err = conn.(interface{ CloseWrite() error }).CloseWrite()
	if err == nil {
		if _, err = io.ReadFull(conn, make([]byte, 1)); err == io.EOF {
			return true
		}
	}
	l.trouble(fmt.Errorf("instead of the end: %v", err), func(c *Counts) { c.Cut++ })
	return false
}

func (l *Load) trouble(err error, count func(*Counts)) {
	l.note(func(c *Counts) {
		count(c)
		if c.First == "" {
			c.First = time.Now().Format("15:04:05.000 ") + l.address + ": " + err.Error()
		}
	})
}

var errWrongBytes = errors.New("the bytes that came back are others")

// loadBytes is an endless stream of bytes that no other client has. A block that is lost, moved or
// another client's does not match.
type loadBytes struct {
	source    io.Reader
	want, got []byte
}

var loadClients atomic.Uint64

func newLoadBytes() *loadBytes {
	seed := [32]byte([]byte("holdfast testbed: bytes to check"))
	binary.LittleEndian.PutUint64(seed[:], loadClients.Add(1))
	return &loadBytes{rand.NewChaCha8(seed), make([]byte, loadChunk), make([]byte, loadChunk)}
}

// exchange sends a chunk, and checks that it comes back.
func (b *loadBytes) exchange(conn net.Conn) error {
	io.ReadFull(b.source, b.want)
	if _, err := conn.Write(b.want); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, b.got); err != nil {
		return err
	}
	if !bytes.Equal(b.got, b.want) {
		return errWrongBytes
	}
	return nil
}
