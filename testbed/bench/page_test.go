//go:build bench

package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// A page: this many connections through SOCKS, so many at a time, each a short request
// and a short answer.
const (
	pageConnections = 50
	pageAtOnce      = 6
	pageAnswer      = 30 << 10
)

func page(t *testing.T, r *running) float64 {
	t.Helper()
	begin := time.Now()
	var wg sync.WaitGroup
	tickets := make(chan struct{}, pageAtOnce)
	for range pageConnections {
		tickets <- struct{}{}
		wg.Go(func() {
			defer func() { <-tickets }()
			c, err := socks(r)
			if err == nil {
				_, err = transfer(c, download, pageAnswer)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return float64(time.Since(begin).Microseconds()) / 1000
}

// A page of small connections through SOCKS.
func TestPage(t *testing.T) {
	lines := []line{{rtt: 20 * time.Millisecond}, {rtt: 100 * time.Millisecond}, {rtt: 100 * time.Millisecond, loss: 0.01}}
	title := fmt.Sprintf("A page of %d connections of %d KiB through SOCKS, %d at a time, cubic, ms (ratio to ssh; less is better)", pageConnections, pageAnswer>>10, pageAtOnce)
	overLines(t, "page", title, lines, programs(withHoldfast, holdfast4, holdfast8), func(_ line, r *running) float64 { return page(t, r) })
}
