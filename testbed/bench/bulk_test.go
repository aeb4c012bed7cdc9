//go:build bench

package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
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
func bulk(t *testing.T, r *running, dial dial, direction byte, streams int, total int64) float64 {
	t.Helper()
	begin := time.Now()
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			c, err := dial(r)
			if err == nil {
				_, err = transfer(c, direction, total/int64(streams))
			}
			if err != nil {
				t.Errorf("%s: %v", r.name, err)
			}
		})
	}
	wg.Wait()
	return float64(total) / (1 << 20) / time.Since(begin).Seconds()
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
	loopback(t, "bulk", "Bulk through a forwarded port", local, programs(sshGCM, withAutossh, withHoldfast, holdfast4, holdfastOpenSSH, withSocat, raw))
}

// The same through SOCKS.
func TestBulkSOCKS(t *testing.T) {
	loopback(t, "socks", "Bulk through SOCKS", socks, programs(sshGCM, withHoldfast, holdfastOpenSSH))
}

func loopback(t *testing.T, name, title string, dial dial, programs []program) {
	w := way{server: here.server(t), target: target(t)}
	var all []*running
	for _, p := range programs {
		all = append(all, start(t, p, w))
	}
	speed := newResults(name, fmt.Sprintf("%s, loopback, MiB/s (ratio to ssh); %d MiB, medians of %d", title, *size, *rounds), bulkColumns...)
	cost := newResults(name+"-cpu", title+", loopback, the program's CPU, s/GiB (ratio to ssh; less is better)", bulkColumns...)
	total := *size << 20
	for range *rounds {
		for _, column := range bulkColumns {
			direction, streams := bulkOf(column)
			for _, r := range all {
				before := r.cpu()
				speed.add(column, r.name, bulk(t, r, dial, direction, streams, total))
				if r.cmd != nil {
					cost.add(column, r.name, (r.cpu()-before).Seconds()/(float64(total)/(1<<30)))
				}
			}
		}
	}
	speed.publish(t)
	cost.publish(t)
}

// One stream down a long line on which nothing is lost.
func TestLongLine(t *testing.T) {
	lines := []line{{rtt: 20 * time.Millisecond}, {rtt: 100 * time.Millisecond}, {rtt: 300 * time.Millisecond}}
	overLines(t, "long-line", "One stream down, no loss, MiB/s (ratio to ssh)", lines, programs(withHoldfast, raw), func(l line, r *running) float64 {
		// What ssh moves in four seconds, of which the first round trips are a small part.
		total := int64(4 * float64(2<<20) / l.rtt.Seconds())
		return bulk(t, r, local, download, 1, max(total, *size<<17))
	})
}

// Eight streams down a line that loses packets.
func TestLossyLine(t *testing.T) {
	lines := []line{{20 * time.Millisecond, 100 * mbit, 0.001}, {100 * time.Millisecond, 100 * mbit, 0.001}}
	overLines(t, "lossy-line", "Eight streams down, 100 Mbit/s, cubic, MiB/s (ratio to ssh)", lines, programs(withHoldfast, holdfast4, holdfast8, raw), func(_ line, r *running) float64 {
		return bulk(t, r, local, download, 8, *size<<20/8)
	})
}

// overLines measures programs over lines, a column each.
func overLines(t *testing.T, name, title string, lines []line, programs []program, measure func(line, *running) float64) {
	var columns []string
	for _, l := range lines {
		columns = append(columns, l.String())
	}
	table := newResults(name, fmt.Sprintf("%s; medians of %d", title, *rounds), columns...)
	for _, l := range lines {
		// ssh takes a % in a path for a token, and paths have the test's name in them.
		t.Run(strings.ReplaceAll(l.String(), "%", "percent"), func(t *testing.T) {
			p := far(t, l)
			w := way{server: p.server(t), target: p.target(t)}
			var all []*running
			for _, p := range programs {
				all = append(all, start(t, p, w))
			}
			for range *rounds {
				for _, r := range all {
					table.add(l.String(), r.name, measure(l, r))
				}
			}
		})
	}
	table.publish(t)
}
