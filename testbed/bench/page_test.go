//go:build bench

package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// A page: this many connections through SOCKS, so many at a time, each a short request
// and a short answer.
const (
	pageConnections = 50
	pageAtOnce      = 6
	pageAnswer      = 8 << 10
)

func page(t *testing.T, socks, target string) time.Duration {
	t.Helper()
	begin := time.Now()
	var wg sync.WaitGroup
	tickets := make(chan struct{}, pageAtOnce)
	for range pageConnections {
		tickets <- struct{}{}
		wg.Go(func() {
			defer func() { <-tickets }()
			c, err := testbed.DialSOCKS("tcp", socks, target)
			if err == nil {
				_, err = transfer(c, download, pageAnswer)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// A page of small connections through SOCKS, at several round-trip times.
func TestPage(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	w := way{server: server, target: target(t)}
	programs := []program{
		{name: "ssh -D", command: ssh()},
		{name: "autossh -D", command: autossh},
		{name: "holdfast", command: holdfast},
	}
	trips := []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond}
	var columns []string
	for _, rtt := range trips {
		columns = append(columns, "rtt "+rtt.String())
	}
	times := newResults(fmt.Sprintf("A page of %d connections through SOCKS, %d at a time, ms (ratio to ssh -D); medians of %d", pageConnections, pageAtOnce, *rounds), columns...)
	for i, rtt := range trips {
		var all []*running
		for _, p := range programs {
			proxy := testbed.NewProxy(t, server.Addr)
			proxy.SetDelay(rtt / 2)
			w.host = proxy.Addr
			all = append(all, start(t, p, w))
		}
		for range *rounds {
			for _, r := range all {
				times.add(columns[i], r.name, float64(page(t, r.socks, w.target).Microseconds())/1000)
			}
		}
	}
	times.print()
}
