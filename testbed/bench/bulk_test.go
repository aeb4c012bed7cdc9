//go:build bench

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// The target's protocol: a letter and eight bytes of length; then that many bytes,
// downloads from the target, uploads to it, and after an upload one byte back.
const (
	download = 'd'
	upload   = 'u'
)

const block = 256 << 10

// target starts the server that transfers go to.
func target(t *testing.T) string { return here.target(t) }

func (p place) target(t *testing.T) string {
	l := p.listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answer(c)
			}()
		}
	}()
	return l.Addr().String()
}

func answer(c net.Conn) {
	var head [9]byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		n := int64(binary.BigEndian.Uint64(head[1:]))
		if head[0] == download {
			if send(c, n) != nil {
				return
			}
			continue
		}
		if drain(c, n) != nil {
			return
		}
		c.Write([]byte{1})
	}
}

func send(w io.Writer, n int64) error {
	buf := make([]byte, min(n, block))
	for n > 0 {
		k, err := w.Write(buf[:min(n, block)])
		if n -= int64(k); err != nil {
			return err
		}
	}
	return nil
}

func drain(r io.Reader, n int64) error {
	buf := make([]byte, min(n, block))
	for n > 0 {
		k, err := r.Read(buf[:min(n, block)])
		if n -= int64(k); err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// transfer moves n bytes over c, closes it and says how long that took.
func transfer(c net.Conn, direction byte, n int64) (time.Duration, error) {
	defer c.Close()
	begin := time.Now()
	c.SetDeadline(begin.Add(10 * patience))
	head := binary.BigEndian.AppendUint64([]byte{direction}, uint64(n))
	if _, err := c.Write(head); err != nil {
		return 0, err
	}
	if direction == download {
		return time.Since(begin), drain(c, n)
	}
	if err := send(c, n); err != nil {
		return 0, err
	}
	err := drain(c, 1)
	return time.Since(begin), err
}

// dial connects to a program's local port, or through its SOCKS proxy.
type dial func(r *running) (net.Conn, error)

func local(r *running) (net.Conn, error) { return net.Dial("tcp", r.local) }
func socks(r *running) (net.Conn, error) { return testbed.DialSOCKS("tcp", r.socks, r.target) }

// bulk moves total bytes over so many streams at once and returns MiB/s.
func bulk(r *running, dial dial, direction byte, streams int, total int64) (float64, error) {
	begin := time.Now()
	failed := make(chan error, streams)
	for range streams {
		go func() {
			c, err := dial(r)
			if err == nil {
				_, err = transfer(c, direction, total/int64(streams))
			}
			failed <- err
		}()
	}
	var err error
	for range streams {
		err = errors.Join(err, <-failed)
	}
	return float64(total) / mib / time.Since(begin).Seconds(), err
}

const mib = 1 << 20

// flow keeps so many downloads going and returns MiB/s of a span that begins after a while. It is
// for lines on which nobody knows how many bytes take how long.
func flow(r *running, streams int, after, span time.Duration) (float64, error) {
	d, err := startDownloads(r, streams)
	if err != nil {
		return 0, err
	}
	defer d.stop()
	time.Sleep(after)
	before, begin := d.received.Load(), time.Now()
	time.Sleep(span)
	rate := float64(d.received.Load()-before) / mib / time.Since(begin).Seconds()
	return rate, d.failed()
}

// downloads are streams that take all they get.
type downloads struct {
	streams  []net.Conn
	received atomic.Int64
	err      atomic.Pointer[error]
}

func startDownloads(r *running, number int) (*downloads, error) {
	d := new(downloads)
	for range number {
		c, err := local(r)
		if err == nil {
			d.streams = append(d.streams, c)
			_, err = c.Write(binary.BigEndian.AppendUint64([]byte{download}, 1<<40))
		}
		if err != nil {
			d.stop()
			return nil, err
		}
		go func() {
			buf := make([]byte, block)
			for {
				n, err := c.Read(buf)
				d.received.Add(int64(n))
				if err != nil {
					d.err.CompareAndSwap(nil, &err)
					return
				}
			}
		}()
	}
	return d, nil
}

// failed is why a stream has ended, nil while none has.
func (d *downloads) failed() error {
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (d *downloads) stop() {
	for _, c := range d.streams {
		c.Close()
	}
}

// bulkColumns are directions with numbers of streams.
var bulkColumns = []string{"down 1", "down 8", "up 1", "up 8"}

func bulkOf(column string) (direction byte, streams int) {
	direction, streams = download, int(column[len(column)-1]-'0')
	if column[0] == 'u' {
		direction = upload
	}
	return direction, streams
}

// Throughput over one long-lived tunnel each, loopback, no delay.
func TestBulk(t *testing.T) {
	loopback(t, "bulk", "Bulk through a forwarded port", local, programs(sshGCM, withAutossh, withHoldfast, holdfastOpenSSH, withSocat, raw))
}

// The same through SOCKS.
func TestBulkSOCKS(t *testing.T) {
	loopback(t, "socks", "Bulk through SOCKS", socks, programs(sshGCM, withHoldfast, holdfastOpenSSH))
}

func loopback(t *testing.T, name, title string, dial dial, programs []program) {
	all := startAll(t, programs, way{server: here.server(t), target: target(t)})
	speed := newResults(name, fmt.Sprintf("%s, loopback, MiB/s (ratio to ssh); %d MiB, medians of %d", title, *size, *rounds), bulkColumns...)
	cost := newResults(name+"-cpu", title+", loopback, the program's CPU, s/GiB (ratio to ssh; less is better)", bulkColumns...)
	total := *size * mib
	for range *rounds {
		for _, column := range bulkColumns {
			direction, streams := bulkOf(column)
			for _, r := range all {
				speed.measure(t, column, r, func() (float64, error) {
					before := r.cpu()
					rate, err := bulk(r, dial, direction, streams, total)
					if err == nil && r.cmd != nil {
						cost.add(column, r.name, (r.cpu()-before).Seconds()/(float64(total)/(1<<30)))
					}
					return rate, err
				})
			}
		}
	}
	speed.publish(t)
	cost.publish(t)
}

// One stream down a long line on which nothing is lost, from its first byte on.
func TestLongLine(t *testing.T) {
	const span = 6 * time.Second
	lines := []line{{rtt: 20 * time.Millisecond}, {rtt: 100 * time.Millisecond}, {rtt: 300 * time.Millisecond}}
	title := fmt.Sprintf("One stream down, no loss, its first %v, MiB/s (ratio to ssh)", span)
	overLines(t, "long-line", title, lines, programs(withHoldfast, raw), func(_ line, r *running) (float64, error) {
		return flow(r, 1, 0, span)
	})
}

// Eight streams down a line that loses packets.
func TestLossyLine(t *testing.T) {
	const after, span = 2 * time.Second, 5 * time.Second
	lines := []line{{20 * time.Millisecond, 100 * mbit, 0.001}, {100 * time.Millisecond, 100 * mbit, 0.001}}
	title := fmt.Sprintf("Eight streams down, 100 Mbit/s, cubic, after %v for %v, MiB/s (ratio to ssh)", after, span)
	overLines(t, "lossy-line", title, lines, programs(withHoldfast, holdfastAuto, holdfast8, raw), func(_ line, r *running) (float64, error) {
		return flow(r, 8, after, span)
	})
}

// overLines measures programs over lines, a column each.
func overLines(t *testing.T, name, title string, lines []line, programs []program, measure func(line, *running) (float64, error)) {
	var columns []string
	for _, l := range lines {
		columns = append(columns, l.String())
	}
	table := newResults(name, fmt.Sprintf("%s; medians of %d", title, *rounds), columns...)
	for _, l := range lines {
		// ssh takes a % in a path for a token, and paths have the test's name in them.
		t.Run(strings.ReplaceAll(l.String(), "%", "percent"), func(t *testing.T) {
			p := far(t, l)
			all := startAll(t, programs, way{server: p.server(t), target: p.target(t)})
			for range *rounds {
				for _, r := range all {
					table.measure(t, l.String(), r, func() (float64, error) { return measure(l, r) })
					time.Sleep(2 * l.rtt) // what is under way still is not the next one's
				}
			}
		})
	}
	table.publish(t)
}
