//go:build bench

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pings asks for a byte n times, one after the other, or until a time is over, and returns how long
// each answer took, in microseconds and in order of length.
func pings(r *running, n int, most time.Duration) ([]float64, error) {
	c, err := local(r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	end := time.Now().Add(most)
	c.SetDeadline(end.Add(patience))
	if err := ask(c); err != nil { // the channel opens
		return nil, err
	}
	var took []float64
	for len(took) < n && time.Now().Before(end) {
		begin := time.Now()
		if err := ask(c); err != nil {
			return nil, err
		}
		took = append(took, float64(time.Since(begin).Nanoseconds())/1000)
	}
	slices.Sort(took)
	return took, nil
}

func percentile(sorted []float64, p int) float64 { return sorted[(len(sorted)-1)*p/100] }

// A byte there and a byte back, and again.
func TestPingPong(t *testing.T) {
	table := newResults("ping-pong", fmt.Sprintf("Ping-pong, loopback, µs (ratio to ssh; less is better); medians of %d", *rounds), "p50", "p99")
	all := startAll(t, programs(sshGCM, withHoldfast, holdfastOpenSSH, withSocat, raw), way{server: here.server(t), target: target(t)})
	for range *rounds {
		for _, r := range all {
			table.measure(t, "p50", r, func() (float64, error) {
				took, err := pings(r, 5000, patience)
				if err != nil {
					return 0, err
				}
				table.add("p99", r.name, percentile(took, 99))
				return percentile(took, 50), nil
			})
		}
	}
	table.publish(t)
}

// Connections that ask for a byte and end, one and 64 at a time.
func TestConnections(t *testing.T) {
	columns := map[string]int{"1 at a time": 1, "64 at a time": 64}
	table := newResults("connections", fmt.Sprintf("Connections a second, loopback (ratio to ssh); medians of %d; connections that failed are counted", *rounds), "1 at a time", "64 at a time")
	cost := newResults("connections-cpu", "The program's CPU, µs a connection (ratio to ssh; less is better)", "1 at a time", "64 at a time")
	all := startAll(t, programs(sshGCM, withHoldfast, holdfastOpenSSH, raw), way{server: here.server(t), target: target(t)})
	const number = 1500
	for range *rounds {
		for _, column := range table.columns {
			for _, r := range all {
				table.measure(t, column, r, func() (float64, error) {
					before := r.cpu()
					rate, failed := connections(r, number, columns[column])
					if failed > 0 {
						table.fail(column, r.name, failed)
					}
					if r.cmd != nil {
						cost.add(column, r.name, float64((r.cpu()-before).Microseconds())/number)
					}
					return rate, nil
				})
			}
		}
	}
	table.publish(t)
	cost.publish(t)
}

// connections makes so many connections and returns how many a second it were, and how many failed.
func connections(r *running, number, atOnce int) (rate float64, failed int) {
	var made, bad atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range atOnce {
		wg.Go(func() {
			for made.Add(1) <= int64(number) {
				if r.served(patience) != nil {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	failed = int(bad.Load())
	return float64(number-failed) / time.Since(begin).Seconds(), failed
}

// A ping beside four streams that take all they get.
func TestPingBesideBulk(t *testing.T) {
	const after, span = 3 * time.Second, 8 * time.Second
	lines := []line{{rtt: 20 * time.Millisecond, rate: 100 * mbit}}
	title := fmt.Sprintf("p99 of a ping beside 4 streams down that began %v before, 100 Mbit/s, cubic, ms (ratio to ssh; less is better)", after)
	overLines(t, "ping-beside-bulk", title, lines, programs(withHoldfast, holdfastAuto, raw), func(_ line, r *running) (float64, error) {
		d, err := startDownloads(r, 4)
		if err != nil {
			return 0, err
		}
		defer d.stop()
		time.Sleep(after)
		took, err := pings(r, 1<<20, span)
		if err = errors.Join(err, d.failed()); err != nil {
			return 0, err
		}
		return percentile(took, 99) / 1000, nil
	})
}

// A ping beside a hundred channels whose clients do not read.
func TestStalled(t *testing.T) {
	const alone, beside = "alone", "beside 100 stalled channels"
	table := newResults("stalled", fmt.Sprintf("p50 of a ping, µs (ratio to ssh; less is better); medians of %d", *rounds), alone, beside)
	for _, p := range programs(withHoldfast, holdfastAuto, holdfast8, holdfastOpenSSH) {
		r := start(t, p, way{server: here.server(t), target: target(t)})
		measure := func(column string) {
			for range *rounds {
				table.measure(t, column, r, func() (float64, error) {
					took, err := pings(r, 2000, patience)
					if err != nil {
						return 0, err
					}
					return percentile(took, 50), nil
				})
			}
		}
		measure(alone)
		if r.err == nil {
			var stop func()
			stop, r.err = stall(r, 100)
			measure(beside)
			stop()
		}
		r.stop()
	}
	table.publish(t)
}

// stall opens so many connections on which much is asked for and nothing read, and waits until
// nothing more moves.
func stall(r *running, number int) (stop func(), err error) {
	var streams []net.Conn
	stop = func() {
		for _, c := range streams {
			c.Close()
		}
	}
	for range number {
		c, err := local(r)
		if err != nil {
			return stop, err
		}
		streams = append(streams, c)
		if _, err := c.Write(binary.BigEndian.AppendUint64([]byte{download}, 64*mib)); err != nil {
			return stop, err
		}
	}
	for last := r.cpu(); ; {
		time.Sleep(300 * time.Millisecond)
		now := r.cpu()
		if now-last < 20*time.Millisecond {
			return stop, nil
		}
		last = now
	}
}
