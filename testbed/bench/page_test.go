//go:build bench

package bench

import (
	"errors"
	"fmt"
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

func page(r *running) (float64, error) {
	begin := time.Now()
	failed := make(chan error, pageConnections)
	tickets := make(chan struct{}, pageAtOnce)
	for range pageConnections {
		tickets <- struct{}{}
		go func() {
			defer func() { <-tickets }()
			c, err := socks(r)
			if err == nil {
				_, err = transfer(c, download, pageAnswer)
			}
			failed <- err
		}()
	}
	var err error
	for range pageConnections {
		err = errors.Join(err, <-failed)
	}
	return float64(time.Since(begin).Microseconds()) / 1000, err
}

// A page of small connections through SOCKS.
func TestPage(t *testing.T) {
	lines := []line{{rtt: 20 * time.Millisecond}, {rtt: 100 * time.Millisecond}, {rtt: 100 * time.Millisecond, loss: 0.01}}
	title := fmt.Sprintf("A page of %d connections of %d KiB through SOCKS, %d at a time, cubic, ms (ratio to ssh; less is better)", pageConnections, pageAnswer>>10, pageAtOnce)
	overLines(t, "page", title, lines, programs(withHoldfast, holdfastAuto, holdfastNoDelay, holdfast8), func(_ line, r *running) (float64, error) { return page(r) })
}
