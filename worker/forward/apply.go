package forward

import (
	"slices"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/tunnelfile"
)

// identity decides which forward of a changed file is the same one as before. Other parts, such as the
// text and the line, may change without effect.
type identity struct {
	kind           tunnelfile.ForwardKind
	listen, target tunnelfile.Address
	everywhere     bool // GatewayPorts, if it has an effect on this forward
}

func identify(spec tunnelfile.Forward, c *Config) identity {
	everywhere := c.GatewayPorts && spec.Kind != tunnelfile.RemoteForward && !spec.Listen.Bind
	return identity{spec.Kind, spec.Listen, spec.Target, everywhere}
}

// Apply changes to another configuration. It opens new forwards, closes removed ones to new connections,
// and leaves all others alone. A forward of which only the target changed keeps its listener. On an error
// nothing has changed.
func (s *Set) Apply(c Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()

	s.mu.Lock()
	old, unowned, first := slices.Clone(s.forwards), slices.Clone(s.unowned), s.config.Load() == nil
	s.mu.Unlock()

	var gone []*forward
	kept := make(map[identity]*forward)
	for _, f := range old {
		id := identify(f.settings(), s.config.Load())
		if kept[id] == nil && slices.ContainsFunc(c.Forwards, func(spec tunnelfile.Forward) bool { return identify(spec, &c) == id }) {
			kept[id] = f
		} else {
			gone = append(gone, f)
			unowned = append(unowned, f.ports...)
		}
	}

	var now, added []*forward
	var opened []*port
	for _, spec := range c.Forwards {
		id := identify(spec, &c)
		if f := kept[id]; f != nil {
			delete(kept, id)
			now = append(now, f)
			continue
		}
		f := newForward(s, spec)
		now, added = append(now, f), append(added, f)
		if spec.Kind == tunnelfile.RemoteForward {
			continue
		}
		if f.ports, unowned = takePorts(spec, &c, unowned); f.ports != nil {
			continue
		}
		var err *sockets.Error
		f.ports, err = openPorts(spec, &c)
		if err != nil && !c.ExitOnForwardFailure {
			f.absent = err.Why()
			s.log.Warn("cannot listen, the other forwards are served (ExitOnForwardFailure=no)", "forward", f.String(), "error", err)
			continue
		}
		if err != nil {
			closePorts(opened)
			return err
		}
		opened = append(opened, f.ports...)
	}

	// Nothing fails from here on.
	for _, f := range added {
		for _, p := range f.ports {
			p.owner.Store(f)
		}
	}
	if !first {
		s.storePorts(opened)
	}
	s.commit(c, now, added, gone, unowned)
	for _, p := range opened {
		s.running.Go(func() { p.accept(s) })
	}
	s.releaseAll() // more channels may be allowed
	s.awaitAbsent(firstAbsence)
	s.changed()
	return nil
}

// storePorts puts ports into the service manager's store, if there is one.
func (s *Set) storePorts(ports []*port) {
	if s.store == nil {
		return
	}
	for _, p := range ports {
		p.stored = p.storeName()
		s.store(p.stored, p.listener)
	}
}

// commit puts a successful Apply in force. now has a forward for each of c.Forwards, in their order.
func (s *Set) commit(c Config, now, added, gone []*forward, unowned []*port) {
	s.mu.Lock()
	s.config.Store(&c)
	for _, f := range added {
		if f.spec.Kind == tunnelfile.RemoteForward {
			f.bind = takeBind(f, gone)
		}
	}
	for i, f := range now {
		f.mu.Lock()
		f.spec = c.Forwards[i]
		f.mu.Unlock()
	}
	s.forwards = now
	s.retired = append(s.retired, gone...)
	s.unowned = nil
	for _, p := range unowned {
		p.owner.Store(nil)
		if p.inherited || p.stored != "" && s.unstore == nil {
			s.unowned = append(s.unowned, p) // the service manager keeps it open, so this process must answer there
			continue
		}
		if p.stored != "" {
			s.unstore(p.stored)
		}
		p.close()
	}
	orphans := s.pending.remove(func(v *visitor) bool { return slices.Contains(gone, v.forward) })
	for _, f := range added {
		if f.bind != nil {
			f.bind.moveTo(s.first())
		}
	}
	s.restartCheck(c.Check)
	s.mu.Unlock()

	for _, f := range gone {
		if f.bind != nil && f.bind.owner.Load() == f {
			f.bind.stop()
		}
	}
	s.dismissAll(orphans)
}
