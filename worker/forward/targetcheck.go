package forward

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	checkInterval = time.Minute
	checkTimeout  = 10 * time.Second
)

// restartCheck starts the checks of Check=connect, or ends them. s.mu is held.
func (s *Set) restartCheck(check string) {
	if s.stopCheck != nil {
		s.stopCheck()
		s.stopCheck = nil
	}
	if check != "connect" {
		for _, f := range s.forwards {
			f.mu.Lock()
			f.trouble = ""
			f.mu.Unlock()
		}
		return
	}
	if s.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stopCheck = cancel
	s.running.Go(func() {
		tick := time.NewTicker(checkInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-s.checkNow:
			}
			s.checkAll(ctx)
		}
	})
}

// checkAll checks the target of each forward that was not used for a while.
func (s *Set) checkAll(ctx context.Context) {
	s.mu.Lock()
	n, forwards := s.first(), slices.Clone(s.forwards)
	s.mu.Unlock()
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	stop := context.AfterFunc(n.opening, cancel)
	defer stop()
	var checks sync.WaitGroup
	for _, f := range forwards {
		checks.Go(func() { f.check(ctx, n) })
	}
	checks.Wait()
}

// check opens and closes a connection to the forward's target. A forward that is in use, or whose
// clients choose the target, is not checked.
func (f *forward) check(ctx context.Context, n *lane) {
	spec := f.settings()
	used := time.Since(time.Unix(0, f.lastOpen.Load())) < checkInterval
	if spec.SOCKS() || f.open.Load() > 0 || used {
		return
	}
	t := targetOf(spec.Target)
	dial := n.link.DialContext
	if spec.Kind == tunnelfile.RemoteForward {
		dial = dialer.DialContext
	}
	c, err := dial(ctx, t.network, t.addr)
	switch {
	case err == nil:
		c.Close()
		f.setTrouble("")
	case n.opening.Err() != nil || spec.Kind != tunnelfile.RemoteForward && !TurnedDown(err) && ctx.Err() != context.DeadlineExceeded:
		// The link failed and not the target. The keeper reports that.
	default:
		f.setTrouble(Reason(t.addr, err))
	}
}
