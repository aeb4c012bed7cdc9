//go:build bench

package bench

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// Memory of one tunnel: fresh and idle, with a hundred silent connections open, and
// idle again after bulk.
func TestMemory(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	w := way{server: server, target: target(t)}
	columns := []string{"RSS", "PSS", "private"}
	for _, moment := range []string{"idle", "with 100 silent connections", "idle after bulk"} {
		table := newResults("memory-"+strings.ReplaceAll(moment, " ", "-"), "Memory, "+moment+", MiB (ratio to ssh; less is better)", columns...)
		for _, p := range programs(withAutossh, withHoldfast, holdfastOpenSSH) {
			r := start(t, p, w)
			switch moment {
			case "with 100 silent connections":
				for range 100 {
					c, err := net.Dial("tcp", r.local)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					// One answer, so that the connection is known to stand.
					if err := ask(c); err != nil {
						t.Fatal(err)
					}
				}
			case "idle after bulk":
				bulk(t, r, local, download, 8, *size<<20)
				bulk(t, r, local, upload, 8, *size<<20)
			}
			settle(r)
			table.add("RSS", p.name, float64(r.memory("Rss"))/1024)
			table.add("PSS", p.name, float64(r.memory("Pss"))/1024)
			table.add("private", p.name, float64(r.memory("Private_Dirty"))/1024)
			r.stop()
		}
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
func settle(r *running) {
	time.Sleep(tidyTime)
	last, since, end := int64(0), time.Now(), time.Now().Add(10*time.Second)
	for time.Now().Before(end) && time.Since(since) < time.Second {
		if now := r.memory("Rss"); now != last {
			last, since = now, time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
}
