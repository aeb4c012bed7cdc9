package forward

import (
	"sync"
	"time"
)

// paced limits how often an event is reported. It reports the first event at once, and then at the end
// of each period the number of events in it, until a period had none. The zero value with every and tell
// set is ready.
type paced struct {
	every time.Duration
	tell  func(n int) // n is the number of events since the last call; no lock is held

	mu    sync.Mutex
	n     int
	timer *time.Timer // nil if the last period had no event
}

// add counts one event.
func (p *paced) add() {
	p.mu.Lock()
	p.n++
	if p.timer != nil {
		p.mu.Unlock()
		return
	}
	p.n = 0
	p.timer = time.AfterFunc(p.every, p.over)
	p.mu.Unlock()
	p.tell(1)
}

// over is the timer's function, at the end of a period.
func (p *paced) over() {
	p.mu.Lock()
	n := p.n
	p.n = 0
	if n == 0 {
		p.timer = nil
	} else {
		p.timer.Reset(p.every)
	}
	p.mu.Unlock()
	if n > 0 {
		p.tell(n)
	}
}
