//go:build bench

package bench

import (
	"net"
	"testing"
	"time"
)

// Memory of one tunnel: fresh and idle, with a hundred silent connections open, and idle again
// after bulk. What programs share is looked at in TestFiftyIdle.
func TestMemory(t *testing.T) {
	all := startAll(t, programs(withAutossh, withHoldfast, holdfastOpenSSH), way{server: here.server(t), target: target(t)})
	columns := []string{"idle", "100 silent connections", "idle after bulk"}
	tables := map[string]*results{
		"Rss":           newResults("memory-rss", "Resident memory of one tunnel, MiB (ratio to ssh; less is better)", columns...),
		"Private_Dirty": newResults("memory-private", "Private memory of one tunnel, MiB (ratio to ssh; less is better)", columns...),
	}
	var open []net.Conn
	work := map[string]func(*running) error{
		columns[0]: func(*running) error { return nil },
		columns[1]: func(r *running) error {
			for range 100 {
				c, err := local(r)
				if err == nil {
					open = append(open, c)
					err = ask(c) // so that the connection is known to stand
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
		columns[2]: func(r *running) error {
			_, err := bulk(r, local, download, 8, *size*mib)
			if err == nil {
				_, err = bulk(r, local, upload, 8, *size*mib)
			}
			return err
		},
	}
	for _, column := range columns {
		for _, r := range all {
			if r.err == nil {
				r.err = work[column](r)
			}
		}
		settle(all...)
		for _, r := range all {
			for field, table := range tables {
				table.measure(t, column, r, func() (float64, error) { return float64(r.memory(field)) / 1024, nil })
			}
		}
		for _, c := range open {
			c.Close()
		}
		open = nil
	}
	for _, table := range tables {
		table.publish(t)
	}
}

// ask gets one byte.
func ask(c net.Conn) error {
	if _, err := c.Write([]byte{download, 0, 0, 0, 0, 0, 0, 0, 1}); err != nil {
		return err
	}
	return drain(c, 1)
}

// tidyTime is what programs have to give memory back that they no longer need.
const tidyTime = 8 * time.Second

// settle waits tidyTime, and then until memory has not changed for a second, ten at most.
func settle(all ...*running) {
	time.Sleep(tidyTime)
	last, since, end := int64(0), time.Now(), time.Now().Add(10*time.Second)
	for time.Now().Before(end) && time.Since(since) < time.Second {
		var now int64
		for _, r := range all {
			now += r.memory("Rss")
		}
		if now != last {
			last, since = now, time.Now()
		}
		time.Sleep(200 * time.Millisecond)
	}
}
