package worker

import (
	"context"
	"path/filepath"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// keeperConfig is the configuration of one connection's keeper. dir is the runtime directory; empty if there
// is none.
func (w *worker) keeperConfig(c *pool.Connection, dir string) keeper.Config {
	log := w.log
	if c.Number > 1 {
		log = log.With("connection", c.Number)
	}
	if dir != "" {
		dir = filepath.Join(dir, "servers")
	}
	return keeper.Config{
		Policy: w.inForce.Load().policy(), ServersDir: dir,
		Dial: func(ctx context.Context) (keeper.Link, error) {
			if w.pool.Further(c) {
				if err := w.answers.NeedsTouch(); err != nil {
					return nil, err
				}
				ctx = keeper.WithoutPerson(ctx)
			}
			link, err := w.dial(ctx)
			if err == nil && w.inForce.Load().tunnel.NoDelay {
				go w.noDelay(link.(sshlink.Link))
			}
			return link, err
		},
		Use: func(ctx context.Context, link keeper.Link) error {
			if err := w.takeOver(ctx); err != nil {
				return err
			}
			return c.Slot.Use(ctx, link.(sshlink.Link))
		},
		Lost: w.lost, Draining: w.draining, IdleSince: w.set.IdleSince, Fingerprint: w.fingerprint,
		Once: w.o.Once, Log: log,
	}
}

// dial makes one attempt with the current configuration of ssh. It runs in a goroutine of the
// keeper.
func (w *worker) dial(ctx context.Context) (keeper.Link, error) {
	if w.predecessor.serving() {
		ctx = keeper.WithoutPerson(ctx) // the tunnel is up in the predecessor: ask nobody
	}
	for {
		r, err := w.resolveAgain(ctx)
		if err != nil {
			return nil, err
		}
		link, err := r.Dial(ctx)
		if err == nil {
			return link, nil
		}
		class := fault.ClassOf(err)
		if class == fault.ClassDenied {
			w.answers.Wrong()
		}
		if ctx.Err() != nil || !class.Blocks() || !r.Changed() {
			return nil, err
		}
		// Somebody repaired it during the attempt. Try again, because nothing else notices that change.
		w.log.Info("ssh's configuration has changed during the attempt: trying again", "error", err)
	}
}

// resolveAgain resolves the destination again if ssh's configuration may have changed. It sends the result
// to w.resolved.
func (w *worker) resolveAgain(ctx context.Context) (*sshlink.Resolved, error) {
	s := *w.inForce.Load()
	before := s.resolved
	if before == nil {
		s.resolved, s.err = sshlink.Resolve(ctx, s.source(w.log), w.o.Ask)
	} else {
		s.resolved, s.err = before.Renewed(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.err != nil:
		return nil, s.err
	case s.resolved != before:
		w.resolving.Lock()
		defer w.resolving.Unlock()
		select {
		case <-w.resolved: // replace a result that the loop has not received
		default:
		}
		w.resolved <- s
	}
	return s.resolved, nil
}

// adopt puts newly resolved settings in force.
func (w *worker) adopt(s settings) {
	old := *w.inForce.Load()
	if tunnelfile.SettingsHash(s.tunnel) != tunnelfile.SettingsHash(old.tunnel) {
		return // resolved from a file that is no longer in force
	}
	if err := w.set.Apply(s.forwards()); err != nil {
		w.log.Warn("what ssh_config says now cannot be applied", "error", err)
		return
	}
	w.inForce.Store(&s)
	if s.policy() != old.policy() {
		w.pool.Each(func(k *keeper.Keeper) { k.Change(s.policy(), false) })
	}
}

func (w *worker) lost(l keeper.Link, why error) { w.set.Lost(l.(sshlink.Link)) }

// draining is how many channels still run over a replaced link, RemoteCommand included.
func (w *worker) draining(l keeper.Link) int {
	n := w.set.Load(l.(sshlink.Link))
	if on := w.commandOn.Load(); on != nil && *on == l.(sshlink.Link) {
		n++
	}
	return n
}
