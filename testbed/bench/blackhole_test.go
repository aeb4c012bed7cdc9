//go:build bench

package bench

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// holeLength is how long nothing gets through. It is longer than what ssh takes to
// notice with the recipe's settings.
const holeLength = 60 * time.Second

// recipe is what people set: autossh's manual, and countless pages, say so.
var recipe = []string{"ServerAliveInterval=10", "ServerAliveCountMax=3"}

// hole is what a program did during and after a black hole.
type hole struct {
	detected time.Duration // after its begin, until another attempt reached the proxy or the program ended; 0: never
	usable   time.Duration // after its end, until a new connection was served
	refused  int64         // new connections that were refused, reset or ended without an answer
	waited   int64         // new connections that got no answer within their client's patience
}

// A black hole, in use: a client connects five times a second, all the time.
func TestBlackHole(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 100"}})
	w := way{server: server, target: target(t), settings: recipe}
	programs := []program{
		{name: "autossh, 10x3", command: autossh},
		{name: "ssh, restarted after 60 s", command: ssh(), restart: time.Minute},
		withHoldfast,
	}
	fmt.Printf("\nA black hole of %v, s\n%-28s %-8s %10s %10s %10s %10s\n", holeLength, "", "", "detected", "usable", "refused", "unanswered")
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, use := range []string{"in use", "idle"} {
		for _, p := range programs {
			if !strings.Contains(p.name, *only) {
				continue
			}
			proxy := testbed.NewProxy(t, server.Addr)
			w := w
			w.host = proxy.Addr
			r := start(t, p, w)
			wg.Go(func() {
				h := fall(t, r, proxy, use == "in use")
				mu.Lock()
				defer mu.Unlock()
				detected := "never"
				if h.detected > 0 {
					detected = fmt.Sprintf("%.1f", h.detected.Seconds())
				}
				fmt.Printf("%-28s %-8s %10s %10.1f %10d %10d\n", p.name, use, detected, h.usable.Seconds(), h.refused, h.waited)
			})
		}
	}
	wg.Wait()
}

// fall puts a program through the hole.
func fall(t *testing.T, r *running, proxy *testbed.Proxy, inUse bool) hole {
	const clientPatience = 20 * time.Second
	var refused, waited atomic.Int64
	var detected atomic.Int64
	over := make(chan struct{})
	var wg sync.WaitGroup
	attempts := proxy.Accepted()
	proxy.SetSilent(true)
	begin := time.Now()
	wg.Go(func() { // the restarts that a service manager would do, and what is seen from outside
		for {
			select {
			case <-over:
				return
			case <-r.ended:
				detected.CompareAndSwap(0, int64(time.Since(begin)))
				if r.restart == 0 {
					<-over
					return
				}
				select {
				case <-over:
					return
				case <-time.After(r.restart):
					if err := r.launch(t); err != nil {
						t.Error(err)
					}
				}
			case <-time.After(20 * time.Millisecond):
				if proxy.Accepted() > attempts {
					detected.CompareAndSwap(0, int64(time.Since(begin)))
				}
			}
		}
	})
	if inUse {
		var clients sync.WaitGroup
		for end := begin.Add(holeLength); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			clients.Go(func() {
				came := time.Since(begin)
				switch err := r.served(clientPatience); {
				case errors.Is(err, os.ErrDeadlineExceeded):
					waited.Add(1)
				case err != nil:
					refused.Add(1)
					t.Logf("%s: connection of %.1f s ended at %.1f s: %v", r.name, came.Seconds(), time.Since(begin).Seconds(), err)
				}
			})
		}
		defer clients.Wait()
	} else {
		time.Sleep(holeLength)
	}
	proxy.SetSilent(false)
	end := time.Now()
	for r.served(time.Second) != nil && time.Since(end) < 3*time.Minute {
		time.Sleep(20 * time.Millisecond)
	}
	usable := time.Since(end)
	close(over)
	wg.Wait()
	return hole{time.Duration(detected.Load()), usable, refused.Load(), waited.Load()}
}
