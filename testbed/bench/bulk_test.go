//go:build bench

package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
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
func target(t *testing.T) string {
	return testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
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
	}).String()
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

// bulk moves total bytes over so many streams at once and returns MiB/s.
func bulk(t *testing.T, addr string, direction byte, streams int, total int64) float64 {
	t.Helper()
	begin := time.Now()
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				_, err = transfer(c, direction, total/int64(streams))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return float64(total) / (1 << 20) / time.Since(begin).Seconds()
}

var bulkPrograms = []program{
	{name: "ssh -L", command: ssh()},
	{name: "ssh -L, aes128-gcm", command: ssh("Ciphers=aes128-gcm@openssh.com")},
	{name: "autossh", command: autossh},
	{name: "holdfast", command: holdfast},
	{name: "holdfast, 4 connections", command: holdfast4},
}

// Throughput over one long-lived tunnel each, loopback, no delay.
func TestBulk(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	w := way{server: server, target: target(t)}
	var all []*running
	for _, p := range bulkPrograms {
		all = append(all, start(t, p, w))
	}
	columns := []string{"down 1", "down 8", "up 1", "up 8"}
	speed := newResults(fmt.Sprintf("Bulk, loopback, MiB/s (ratio to ssh -L); %d MiB, medians of %d", *size, *rounds), columns...)
	cost := newResults("The same, client's CPU in s/GiB (ratio to ssh -L)", columns...)
	total := *size << 20
	for range *rounds {
		for _, column := range columns {
			direction, streams := byte(download), 1
			if column[0] == 'u' {
				direction = upload
			}
			if column[len(column)-1] == '8' {
				streams = 8
			}
			for _, r := range all {
				before := r.cpu()
				rate := bulk(t, r.local, direction, streams, total)
				speed.add(column, r.name, rate)
				cost.add(column, r.name, (r.cpu()-before).Seconds()/(float64(total)/(1<<30)))
			}
		}
	}
	speed.print()
	cost.print()
}

// Throughput of several streams over one connection and over four, 40 ms away. Nothing is
// lost on the way, and it is as wide as the machine is fast.
func TestBulkFarAway(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	proxy := testbed.NewProxy(t, server.Addr)
	proxy.SetDelay(20 * time.Millisecond)
	w := way{server: server, host: proxy.Addr, target: target(t)}
	var all []*running
	for _, p := range []program{
		{name: "holdfast", command: holdfast},
		{name: "holdfast, 4 connections", command: holdfast4},
	} {
		all = append(all, start(t, p, w))
	}
	columns := []string{"down 1", "down 8", "up 1", "up 8"}
	speed := newResults(fmt.Sprintf("Bulk, 40 ms away, MiB/s (ratio to one connection); %d MiB, medians of %d", *size, *rounds), columns...)
	for range *rounds {
		for _, column := range columns {
			direction, streams := byte(download), int(column[len(column)-1]-'0')
			if column[0] == 'u' {
				direction = upload
			}
			for _, r := range all {
				speed.add(column, r.name, bulk(t, r.local, direction, streams, *size<<20))
			}
		}
	}
	speed.print()
}
