package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
)

// pool is the SSH connections of a tunnel, a keeper for each. Their attempts are made one at
// a time, and each waits until all keepers before it have settled. So a server that has lost
// all of them at once, or allows few logins at a time, meets one; and what it refuses the
// first it is not asked for again by the others.
type pool struct {
	config  func(*line) keeper.Config // of a line's keeper, but for Turn and State
	changed func(together)            // called with what all say together, one call at a time; must not block
	ctx     context.Context           // ends the keepers
	running sync.WaitGroup
	ended   chan error // cap 1: what the first keeper ended with that did not end well

	mu      sync.Mutex
	lines   []*line       // by place; the goroutine of the worker's Run changes it
	trying  *line         // whose turn it is; nil: nobody's
	waiting chan struct{} // closed when the next may look whether it is theirs; nil: nobody waits
}

// line is one connection of a pool.
type line struct {
	place  int
	keeper *keeper.Keeper
	said   keeper.Status // last; guarded by pool.mu
}

func newPool(ctx context.Context, config func(*line) keeper.Config, changed func(together)) *pool {
	return &pool{ctx: ctx, config: config, changed: changed, ended: make(chan error, 1)}
}

// resize makes it n connections. Those that are too many drain.
func (p *pool) resize(n int) {
	p.mu.Lock()
	var retired []*line
	if n < len(p.lines) {
		retired = p.lines[n:]
		p.lines = p.lines[:n:n]
	}
	for place := len(p.lines); place < n; place++ {
		l := &line{place: place}
		c := p.config(l)
		c.Turn = func(ctx context.Context) (func(), error) { return p.turn(ctx, l) }
		c.State = func(s keeper.Status) { p.hear(l, s) }
		l.keeper = keeper.New(c)
		p.lines = append(p.lines, l)
		p.running.Go(func() {
			if err := l.keeper.Run(p.ctx); err != nil {
				select {
				case p.ended <- err:
				default: // there was another before
				}
			}
		})
	}
	p.mu.Unlock()
	for _, l := range retired {
		l.keeper.Retire()
	}
}

// turn is [keeper.Config.Turn] of l's keeper.
func (p *pool) turn(ctx context.Context, l *line) (done func(), err error) {
	for {
		p.mu.Lock()
		if p.isNext(l) {
			p.trying = l
			p.mu.Unlock()
			return sync.OnceFunc(func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.trying = nil
				p.lookAgain()
			}), nil
		}
		if p.waiting == nil {
			p.waiting = make(chan struct{})
		}
		again := p.waiting
		p.mu.Unlock()
		select {
		case <-again:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isNext says whether it is l's turn. p.mu is held.
func (p *pool) isNext(l *line) bool {
	before := p.lines[:min(l.place, len(p.lines))]
	return p.trying == nil && !slices.ContainsFunc(before, func(l *line) bool { return !l.said.Settled })
}

// lookAgain wakes those that wait for their turn. p.mu is held.
func (p *pool) lookAgain() {
	if p.waiting != nil {
		close(p.waiting)
		p.waiting = nil
	}
}

// hear is called by a keeper, in its goroutine, with each change. A line that is no longer
// wanted is not heard.
func (p *pool) hear(l *line, s keeper.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.said = s
	if l.place < len(p.lines) && p.lines[l.place] == l {
		p.lookAgain()
		p.changed(join(p.statuses()))
	}
}

// together is what the keepers say together.
func (p *pool) together() together {
	p.mu.Lock()
	defer p.mu.Unlock()
	return join(p.statuses())
}

// first is what the first keeper says.
func (p *pool) first() keeper.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[0].said
}

// statuses are the keepers' own. p.mu is held.
func (p *pool) statuses() []keeper.Status {
	all := make([]keeper.Status, len(p.lines))
	for i, l := range p.lines {
		all[i] = l.said
	}
	return all
}

// each calls f with every keeper, the first one first. Methods of a keeper wait for its
// goroutine, which may be in hear.
func (p *pool) each(f func(*keeper.Keeper)) {
	p.mu.Lock()
	lines := p.lines
	p.mu.Unlock()
	for _, l := range lines {
		f(l.keeper)
	}
}

// answers returns when the goroutine of every keeper has answered.
func (p *pool) answers(ctx context.Context) (err error) {
	p.each(func(k *keeper.Keeper) {
		if err == nil {
			err = k.Answers(ctx)
		}
	})
	return err
}

// together is what there is to say of a tunnel's connections: the status of one of them,
// which speaks for all, and how many there are.
type together struct {
	keeper.Status
	wanted int
	well   int    // of them
	amiss  string // why not all are; empty: the others are on their way
}

// join is what keepers say together. The tunnel is up while one of them is: the first such
// speaks for all, and of those that are not the first, which is the one that is being tried.
// While none is up, the first that has a link at all speaks, or the first.
func join(all []keeper.Status) together {
	j := together{wanted: len(all)}
	speaks, amiss := -1, -1
	var since time.Time
	var reconnects uint64
	for i, s := range all {
		reconnects += s.Reconnects
		if !s.UpSince.IsZero() && (since.IsZero() || s.UpSince.Before(since)) {
			since = s.UpSince
		}
		isUp := s.State == tunnelfile.Up
		if isUp {
			j.well++
		} else if amiss < 0 {
			amiss = i
		}
		if speaks < 0 && s.Link != nil || isUp && j.well == 1 {
			speaks = i
		}
	}
	j.Status = all[max(speaks, 0)]
	j.UpSince, j.Reconnects = since, reconnects
	if j.well > 0 && amiss >= 0 {
		s := all[amiss]
		j.Err, j.NextTry, j.amiss = s.Err, s.NextTry, s.Text
		if s.State == tunnelfile.Connecting || s.State == "" {
			j.amiss = ""
			if s.Err != nil {
				j.amiss = s.Err.Error()
			}
		}
	}
	return j
}
