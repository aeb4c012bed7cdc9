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
// a time, and each waits until all keepers before it are complete. So a server that has lost
// all of them at once, or allows few logins at a time, meets one; and what it refuses the
// first it is not asked for again by the others.
type pool struct {
	config  func(*connection) keeper.Config // of its keeper, but for Turn and State
	changed func(poolStatus)                // called with each change, one call at a time; must not block
	ctx     context.Context                 // ends the keepers
	running sync.WaitGroup
	ended   chan error // cap 1: what the first keeper ended with that did not end well

	mu          sync.Mutex
	connections []*connection // by slot; the goroutine of the worker's Run changes it
	trying      *connection   // whose turn it is; nil: nobody's
	waiting     chan struct{} // closed when the next may look whether it is theirs; nil: nobody waits
}

// connection is one SSH connection of a pool.
type connection struct {
	slot   int
	keeper *keeper.Keeper
	last   keeper.Status // guarded by pool.mu
}

func newPool(ctx context.Context, config func(*connection) keeper.Config, changed func(poolStatus)) *pool {
	return &pool{ctx: ctx, config: config, changed: changed, ended: make(chan error, 1)}
}

// resize makes it n connections. Those that are too many drain.
func (p *pool) resize(n int) {
	p.mu.Lock()
	var retired []*connection
	if n < len(p.connections) {
		retired = p.connections[n:]
		p.connections = p.connections[:n:n]
	}
	for slot := len(p.connections); slot < n; slot++ {
		c := &connection{slot: slot}
		config := p.config(c)
		config.Turn = func(ctx context.Context) (func(), error) { return p.turn(ctx, c) }
		config.State = func(s keeper.Status) { p.update(c, s) }
		c.keeper = keeper.New(config)
		p.connections = append(p.connections, c)
		p.running.Go(func() {
			if err := c.keeper.Run(p.ctx); err != nil {
				select {
				case p.ended <- err:
				default: // there was another before
				}
			}
		})
	}
	p.mu.Unlock()
	for _, c := range retired {
		c.keeper.Retire()
	}
}

// turn is [keeper.Config.Turn] of c's keeper.
func (p *pool) turn(ctx context.Context, c *connection) (done func(), err error) {
	for {
		p.mu.Lock()
		if p.isNext(c) {
			p.trying = c
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

// isNext says whether it is c's turn. p.mu is held.
func (p *pool) isNext(c *connection) bool {
	before := p.connections[:min(c.slot, len(p.connections))]
	return p.trying == nil && !slices.ContainsFunc(before, func(c *connection) bool { return !c.last.Complete })
}

// lookAgain wakes those that wait for their turn. p.mu is held.
func (p *pool) lookAgain() {
	if p.waiting != nil {
		close(p.waiting)
		p.waiting = nil
	}
}

// update is called by a keeper, in its goroutine, with each change. Ignore a connection
// that was removed from the pool.
func (p *pool) update(c *connection, s keeper.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.last = s
	if c.slot < len(p.connections) && p.connections[c.slot] == c {
		p.lookAgain()
		p.changed(join(p.statuses()))
	}
}

// status is what the keepers say together.
func (p *pool) status() poolStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return join(p.statuses())
}

// first is what the first keeper says.
func (p *pool) first() keeper.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections[0].last
}

// statuses are the keepers' own. p.mu is held.
func (p *pool) statuses() []keeper.Status {
	all := make([]keeper.Status, len(p.connections))
	for i, c := range p.connections {
		all[i] = c.last
	}
	return all
}

// each calls f with every keeper, the first one first. Methods of a keeper wait for its
// goroutine, which may be in update.
func (p *pool) each(f func(*keeper.Keeper)) {
	p.mu.Lock()
	all := p.connections
	p.mu.Unlock()
	for _, c := range all {
		f(c.keeper)
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

// poolStatus is what there is to say of a tunnel's connections: the status of one of them,
// which speaks for all, and how many there are.
type poolStatus struct {
	keeper.Status
	wanted  int
	up      int    // of them
	problem string // why not all are; empty: the others are on their way
}

// join is what keepers say together. The tunnel is up while one of them is: the first such
// speaks for all, and of those that are not the first, which is the one that is being tried.
// While none is up, the first that has a link at all speaks, or the first.
func join(all []keeper.Status) poolStatus {
	j := poolStatus{wanted: len(all)}
	speaker, down := -1, -1
	var since time.Time
	var reconnects uint64
	for i, s := range all {
		reconnects += s.Reconnects
		if !s.UpSince.IsZero() && (since.IsZero() || s.UpSince.Before(since)) {
			since = s.UpSince
		}
		isUp := s.State == tunnelfile.Up
		if isUp {
			j.up++
		} else if down < 0 {
			down = i
		}
		if speaker < 0 && s.Link != nil || isUp && j.up == 1 {
			speaker = i
		}
	}
	j.Status = all[max(speaker, 0)]
	j.UpSince, j.Reconnects = since, reconnects
	if j.up > 0 && down >= 0 {
		s := all[down]
		j.Err, j.NextTry, j.problem = s.Err, s.NextTry, s.Text
		if s.State == tunnelfile.Connecting || s.State == "" {
			j.problem = ""
			if s.Err != nil {
				j.problem = s.Err.Error()
			}
		}
	}
	return j
}
