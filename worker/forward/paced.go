package forward

import (
	"sync"
	"time"
)

// paced tells of something at once, and then once a period of all that came meanwhile, for
// as long as it goes on. Its zero value with every and tell set is ready.
type paced struct {
	every time.Duration
	tell  func(n int) // how many since the last call; no lock is held

	mu    sync.Mutex
	n     int
	timer *time.Timer // nil: nothing came for a period
}

// add counts one more.
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

// over is the timer's function.
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
