// Package pool manages the SSH connections of a tunnel. It has a keeper for each, lets them take
// turns, joins their statuses, and decides how many there are.
package pool

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
	"github.com/holdfast/holdfast/worker/keeper"
)

// Config is the configuration of a Pool.
type Config struct {
	Set     *forward.Set                    // serves the forwards over the links
	Keeper  func(*Connection) keeper.Config // makes the Config of a connection's keeper, without Turn and State
	Changed func(Status)                    // called with each change, one call at a time; must not block
	Log     *slog.Logger
}

// Pool is the SSH connections of a tunnel, with a keeper for each.
//
// The keepers make their attempts one at a time, and each waits until all keepers before it are
// complete. So a server that lost all connections at once, or allows few logins at a time, gets one
// attempt at a time. And if it refuses the first keeper, the others do not ask.
type Pool struct {
	c       Config
	ctx     context.Context // ends the keepers
	running sync.WaitGroup
	ended   chan error // cap 1: the error of the first keeper that ended with one
	auto    auto       // owned by the caller of Resize and Fit

	mu          sync.Mutex
	automatic   bool
	connections []*Connection // changed by the caller of Resize and Fit only
	trying      *Connection   // has the turn; nil if none
	waiting     chan struct{} // closed when the turn may be free; nil if nobody waits
	reconnects  uint64        // of connections that were removed from the pool
	refused     error         // why no further connection can be had
}

// Connection is one SSH connection of a pool.
type Connection struct {
	Number int           // counted from 1; the lowest number that is free
	Slot   *forward.Slot // the slot of its links in the Set
	keeper *keeper.Keeper

	last       keeper.Status // guarded by Pool.mu
	lastUptime time.Duration // how long its last link was up before it was lost; guarded by Pool.mu
}

// New makes a pool without connections. ctx ends its keepers.
func New(ctx context.Context, c Config) *Pool {
	return &Pool{c: c, ctx: ctx, ended: make(chan error, 1)}
}

// Wait returns when all keepers have ended.
func (p *Pool) Wait() { p.running.Wait() }

// Ended receives the error of the first keeper that ended with one.
func (p *Pool) Ended() <-chan error { return p.ended }

// Resize sets the number of connections to n. Surplus ones drain. 0 is Connections=auto: then Fit
// changes the number. One goroutine calls Resize and Fit.
func (p *Pool) Resize(n int) {
	p.mu.Lock()
	have := len(p.connections)
	p.automatic, p.refused = n == 0, nil
	p.mu.Unlock()
	p.auto = auto{need: max(have, 1), since: time.Now()}
	if n == 0 {
		n = max(have, 1)
	}
	for ; have < n; have++ {
		p.add()
	}
	for ; have > n; have-- {
		c := p.connections[have-1]
		c.Slot.Close()
		p.remove(c)
	}
}

// add makes one more connection.
func (p *Pool) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &Connection{Number: 1, Slot: p.c.Set.Slot()}
	for slices.ContainsFunc(p.connections, func(o *Connection) bool { return o.Number == c.Number }) {
		c.Number++
	}
	config := p.c.Keeper(c)
	config.Turn = func(ctx context.Context) (func(), error) { return p.turn(ctx, c) }
	config.State = func(s keeper.Status) { p.update(c, s) }
	c.keeper = keeper.New(config)
	p.connections = append(p.connections, c)
	p.running.Go(func() {
		if err := c.keeper.Run(p.ctx); err != nil {
			select {
			case p.ended <- err:
			default: // another keeper has ended before
			}
		}
	})
}

// remove takes a connection, whose slot is closed, out of the pool. The connection drains.
func (p *Pool) remove(c *Connection) {
	p.mu.Lock()
	i := slices.Index(p.connections, c)
	p.connections = slices.Delete(slices.Clone(p.connections), i, i+1)
	p.reconnects += c.last.Reconnects
	p.wakeWaiting()
	p.mu.Unlock()
	c.keeper.Retire() // without p.mu: Retire waits for the keeper's goroutine, which may wait for p.mu
}

// turn is the Turn of c's keeper, see [keeper.Config].
func (p *Pool) turn(ctx context.Context, c *Connection) (done func(), err error) {
	for {
		p.mu.Lock()
		if p.isNext(c) {
			p.trying = c
			p.mu.Unlock()
			return sync.OnceFunc(func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.trying = nil
				p.wakeWaiting()
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
func (p *Pool) isNext(c *Connection) bool {
	before := p.connections
	if i := slices.Index(before, c); i >= 0 {
		before = before[:i]
	}
	return p.trying == nil && !slices.ContainsFunc(before, func(c *Connection) bool { return !c.last.Complete })
}

// wakeWaiting wakes the connections that wait for their turn. p.mu is held.
func (p *Pool) wakeWaiting() {
	if p.waiting != nil {
		close(p.waiting)
		p.waiting = nil
	}
}

// update is called by a keeper, in its goroutine, with each change. The status of a connection that
// was removed from the pool is not published.
func (p *Pool) update(c *Connection, s keeper.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.last.Link != nil && s.Link == nil {
		c.lastUptime = time.Since(c.last.UpSince)
	}
	c.last = s
	if slices.Contains(p.connections, c) {
		p.wakeWaiting()
		p.c.Changed(p.join())
	}
}

// Status is the joined status of the keepers.
func (p *Pool) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.join()
}

// First is the status of the first keeper.
func (p *Pool) First() keeper.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections[0].last
}

// join joins the keepers' statuses. With Connections=auto, further connections count only while
// they are up. p.mu is held.
func (p *Pool) join() Status {
	var all []keeper.Status
	for i, c := range p.connections {
		if i == 0 || !p.automatic || c.last.State == tunnelfile.Up {
			all = append(all, c.last)
		}
	}
	j := Join(all)
	j.Reconnects += p.reconnects
	j.Refused = p.refused
	return j
}

// Size is how many connections there are.
func (p *Pool) Size() int { return len(p.all()) }

// all are the connections now, in order.
func (p *Pool) all() []*Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

// Each calls f with every keeper, in order. It does so without p.mu, because a keeper's methods wait
// for its goroutine, which may be in update.
func (p *Pool) Each(f func(*keeper.Keeper)) {
	for _, c := range p.all() {
		f(c.keeper)
	}
}

// Answers returns nil when the goroutine of every keeper has answered.
func (p *Pool) Answers(ctx context.Context) (err error) {
	p.Each(func(k *keeper.Keeper) {
		if err == nil {
			err = k.Answers(ctx)
		}
	})
	return err
}
