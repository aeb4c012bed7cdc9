//go:build bench

package bench

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pings asks for a byte n times, one after the other, and returns how long each answer took, in
// microseconds and in order of length.
func pings(t *testing.T, r *running, n int) []float64 {
	t.Helper()
	c, err := local(r)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * patience))
	var took []float64
	for range n {
		begin := time.Now()
		if err := ask(c); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		took = append(took, float64(time.Since(begin).Nanoseconds())/1000)
	}
	slices.Sort(took)
	return took
}

func percentile(sorted []float64, p int) float64 { return sorted[(len(sorted)-1)*p/100] }

// A byte there and a byte back, and again.
func TestPingPong(t *testing.T) {
	w := way{server: here.server(t), target: target(t)}
	table := newResults("ping-pong", fmt.Sprintf("Ping-pong, loopback, µs (ratio to ssh; less is better); medians of %d", *rounds), "p50", "p99")
	var all []*running
	for _, p := range programs(sshGCM, withHoldfast, holdfastOpenSSH, withSocat, raw) {
		all = append(all, start(t, p, w))
	}
	for range *rounds {
		for _, r := range all {
			took := pings(t, r, 3000)
			table.add("p50", r.name, percentile(took, 50))
			table.add("p99", r.name, percentile(took, 99))
		}
	}
	table.publish(t)
}

// Connections that ask for a byte and end, one and 64 at a time.
func TestConnections(t *testing.T) {
	w := way{server: here.server(t), target: target(t)}
	columns := map[string]int{"1 at a time": 1, "64 at a time": 64}
	table := newResults("connections", fmt.Sprintf("Connections a second, loopback (ratio to ssh); medians of %d", *rounds), "1 at a time", "64 at a time")
	cost := newResults("connections-cpu", "The program's CPU, µs a connection (ratio to ssh; less is better)", "1 at a time", "64 at a time")
	var all []*running
	for _, p := range programs(sshGCM, withHoldfast, holdfastOpenSSH, raw) {
		all = append(all, start(t, p, w))
	}
	const number = 1500
	for range *rounds {
		for _, column := range table.columns {
			for _, r := range all {
				before := r.cpu()
				table.add(column, r.name, connections(t, r, number, columns[column]))
				if r.cmd != nil {
					cost.add(column, r.name, float64((r.cpu()-before).Microseconds())/number)
				}
			}
		}
	}
	table.publish(t)
	cost.publish(t)
}

// connections makes so many connections and returns how many a second it were.
func connections(t *testing.T, r *running, number, atOnce int) float64 {
	t.Helper()
	var made atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range atOnce {
		wg.Go(func() {
			for made.Add(1) <= int64(number) {
				c, err := local(r)
				if err == nil {
					c.SetDeadline(time.Now().Add(patience))
					err = ask(c)
					c.Close()
				}
				if err != nil {
					t.Errorf("%s: %v", r.name, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(number) / time.Since(begin).Seconds()
}

// A ping beside four streams that take all they get.
func TestPingBesideBulk(t *testing.T) {
	lines := []line{{rtt: 20 * time.Millisecond, rate: 100 * mbit}}
	overLines(t, "ping-beside-bulk", "p99 of a ping beside 4 streams down, 100 Mbit/s, ms (ratio to ssh; less is better)", lines, programs(withHoldfast, holdfast4), func(_ line, r *running) float64 {
		var streams []net.Conn
		for range 4 {
			c, err := local(r)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			streams = append(streams, c)
			c.Write([]byte{download, 0, 0, 1, 0, 0, 0, 0, 0})
			go drain(c, 1<<40)
		}
		time.Sleep(time.Second) // until the streams fill the line
		took := pings(t, r, 60)
		for _, c := range streams {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		time.Sleep(300 * time.Millisecond)
		return percentile(took, 99) / 1000
	})
}

// A ping beside a hundred channels whose clients do not read.
func TestStalled(t *testing.T) {
	w := way{server: here.server(t), target: target(t)}
	table := newResults("stalled", "p50 of a ping, µs (ratio to ssh; less is better)", "alone", "beside 100 stalled channels")
	for _, p := range programs(withHoldfast) {
		r := start(t, p, w)
		for range *rounds {
			table.add("alone", r.name, percentile(pings(t, r, 1000), 50))
		}
		for range 100 {
			c, err := local(r)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte{download, 0, 0, 0, 0, 4, 0, 0, 0})
		}
		// Until nothing more moves.
		for last := r.cpu(); ; {
			time.Sleep(300 * time.Millisecond)
			if now := r.cpu(); now-last < 20*time.Millisecond {
				break
			} else {
				last = now
			}
		}
		for range *rounds {
			table.add("beside 100 stalled channels", r.name, percentile(pings(t, r, 1000), 50))
		}
		r.stop()
	}
	table.publish(t)
}
