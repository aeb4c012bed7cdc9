package manager

import (
	"cmp"
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// stepAll is step for every row.
func (m *Manager) stepAll() {
	for _, r := range m.rows {
		m.step(r)
	}
}

// step shows a row as it is and starts the next thing there is to do for it, one at a
// time. Whatever may have changed a row calls it.
func (m *Manager) step(r *row) {
	if !m.isReady || !r.known || r.acting || r.reading {
		return
	}
	if !r.isShown {
		r.adopt()
	}
	o := m.obstacle(r)
	if o.here() && o.why != fault.Rule && !r.asked && (r.wanted() || r.service.running()) {
		if !r.isShown {
			m.show(r, o) // who asks for it meanwhile must not hear that there is no such tunnel
		}
		m.locate(r)
		return
	}
	action := plan(r, o)
	if action.Verb != Diagnose { // else the reason comes with the state
		m.show(r, o)
	}
	if r.socket.failed() && r.socket.Result == "trigger-limit-hit" && r.wanted() && r.again.at.IsZero() {
		m.tryLater(r)
	}
	if r.unmarked {
		m.mark(r)
		return
	}
	switch action.Verb {
	case Wait:
		r.settle()
	case Nothing:
		r.retry, r.restart, r.reconnect, r.probe = false, false, false, false
		r.settle()
		m.forget(r)
	default:
		m.act(r, action)
	}
}

// settle answers those who wait for what they asked of a row to be under way.
func (r *row) settle() {
	for _, f := range r.waiting {
		f()
	}
	r.waiting = nil
}

// settled calls done when what follows from the rows as they are now is under way.
func (m *Manager) settled(rows []*row, done func()) {
	left := len(rows) + 1
	one := func() {
		if left--; left == 0 {
			done()
		}
	}
	for _, r := range rows {
		r.waiting = append(r.waiting, one)
		m.step(r)
	}
	one()
}

func (m *Manager) obstacle(r *row) obstacle {
	if r.file == nil {
		return obstacle{}
	}
	return obstacleOf(r.file, r.server, m.network, m.asleep)
}

// locate finds out where a tunnel leads: asked only once the network is in its way,
// since it costs an ssh.
func (m *Manager) locate(r *row) {
	r.acting, r.asked = true, true
	file, hash := *r.file, r.hash
	m.do(func(ctx context.Context) func() {
		server := m.Host.Locate(ctx, file)
		return func() {
			r.acting = false
			if r.hash == hash {
				r.server = server
			}
			m.after(r)
		}
	})
}

// show publishes a row if it differs from what was published.
func (m *Manager) show(r *row, o obstacle) {
	if r.file == nil && !r.broken && !r.isShown && !r.service.running() {
		return // left-overs of a tunnel that is gone
	}
	if r.file == nil && r.broken && !r.isShown && !r.service.running() && !r.socket.running() {
		return // never was a tunnel: it stands among the problems
	}
	t := r.view(o, time.Now())
	switch {
	case !r.isShown:
		if t.State == tunnelfile.Offline { // nobody else has it in the journal
			m.logState(t)
		}
		m.subscribers.tell(Change{Kind: Added, New: t})
	case same(r.shown, t):
		return
	default:
		if r.shown.State != t.State {
			m.logState(t)
		}
		m.subscribers.tell(Change{Kind: Changed, Old: r.shown, New: t})
	}
	r.shown, r.isShown = t, true
}

// logState is read by holdfast history too.
func (m *Manager) logState(t Tunnel) {
	m.Log.Info(string(t.State), "tunnel", t.Name, "reason", string(t.Reason), "status", t.Status)
}

// forget drops the row of a tunnel that has neither file nor units any more.
func (m *Manager) forget(r *row) {
	if r.file != nil || r.broken || r.service.running() || r.service.ending() || r.socket.running() || r.socket.ending() {
		return
	}
	delete(m.rows, r.name)
	if r.isShown {
		m.subscribers.tell(Change{Kind: Removed, Old: r.shown})
	}
}

// mark writes down whether a person stopped the tunnel.
func (m *Manager) mark(r *row) {
	r.acting, r.unmarked = true, false
	markers, down := m.markers, r.down
	m.do(func(context.Context) func() {
		err := markers.set(r.name, down)
		return func() {
			r.acting, r.forgetful = false, err
			if err != nil {
				m.Log.Warn("cannot remember what was asked for across restarts", "tunnel", r.name, "error", err)
			}
			m.after(r)
		}
	})
}

// act carries an action out, reads the units again and goes on from there.
func (m *Manager) act(r *row, a Action) {
	r.acting, r.readAgain, r.readSocket = true, false, false
	if a.Verb == StopUnits {
		r.stopping = true
	}
	d, pid, dir := r.design, r.service.MainPID, m.runtimeDir(r)
	m.Log.Debug("act", "tunnel", r.name, "action", a.Verb, "signal", int(a.Signal))
	m.do(func(ctx context.Context) func() {
		err := m.perform(ctx, r.name, a, d)
		f, readErr := m.facts(ctx, r.name, unitsOf(r.name), dir)
		return func() {
			r.acting = false
			if readErr != nil {
				m.Log.Warn("cannot read units", "tunnel", r.name, "error", readErr)
			} else {
				r.take(f)
			}
			if a.Verb == SendSignal {
				m.signalled(r, a.Signal, pid, err)
			} else {
				m.performed(r, a.Verb, d.mark, err)
			}
			m.after(r)
		}
	})
}

// performed notes what an action did, in the table.
func (m *Manager) performed(r *row, v Verb, made mark, err error) {
	switch {
	case v == Unload:
		r.lingers = r.loaded()
		return
	case v == Diagnose:
		m.diagnosed(r, err)
		return
	}
	if v != StopUnits {
		r.retry, r.restart, r.probe = false, false, false
	}
	if errors.Is(err, errKept) {
		r.kept = made
		m.Log.Warn(errKept.Error(), "tunnel", r.name)
		return
	}
	if err == nil {
		return
	}
	r.stopping = false
	r.problem, r.problemWhy = err.Error(), reasonOf(err)
	m.Log.Warn("cannot", "tunnel", r.name, "action", v, "error", err)
	if errors.As(err, new(*sockets.Error)) {
		m.diagnosed(r, err)
	}
}

// diagnosed notes why a tunnel cannot listen, or that it could now. A port may be free
// again before anybody looked, and then once more is tried at once.
func (m *Manager) diagnosed(r *row, err error) {
	r.diagnose = false
	var taken *sockets.Error
	switch {
	case err == nil && (r.problem != "" || !r.again.fails()):
		r.again.last = time.Now()
		r.occasion()
		return
	case err == nil:
		s := socketFailure(r.socket)
		r.problem, r.problemWhy = s.Text, s.Reason
	case errors.As(err, &taken):
		if other := m.listenerOf(taken.Address, r); other != "" {
			taken.Owner = sockets.Owner{Tunnel: other}
		}
		r.problem, r.problemWhy = taken.Error(), fault.Listen
	default:
		r.problem, r.problemWhy = err.Error(), reasonOf(err)
	}
	m.tryLater(r)
}

// reasonOf is why something could not be done about a tunnel's units.
func reasonOf(err error) fault.Reason { return cmp.Or(fault.ReasonOf(err), fault.Crashed) }

// listenerOf is the other tunnel that listens on an address.
func (m *Manager) listenerOf(a sockets.Address, but *row) string {
	for _, name := range m.names() {
		r := m.rows[name]
		if r == but || !r.socket.running() {
			continue
		}
		for _, l := range r.design.listen {
			if l.Address == a {
				return name
			}
		}
	}
	return ""
}

// signalled notes what the worker was told. One that could not be told has ended or
// soon will have: it is not told twice.
func (m *Manager) signalled(r *row, signal syscall.Signal, pid uint32, err error) {
	if r.told.pid != pid {
		r.told = told{pid: pid}
	}
	switch signal {
	case signalReload:
		r.told.file = r.hash
	case signalHold:
		r.told.hold = true
	case signalProbe:
		r.told.hold, r.probe = false, false
	case signalReconnect:
		r.reconnect = false
	}
	switch {
	case err != nil && !errors.Is(err, systemdctl.ErrNoProcess) && !errors.Is(err, systemdctl.ErrNoSuchUnit):
		m.Log.Warn("cannot send a signal", "tunnel", r.name, "signal", signal, "error", err)
	case err == nil && signal == signalReload:
		// Its state may stay the same, and then systemd has no news of it.
		time.AfterFunc(reloadGrace, func() { m.post(m.ctx, func() { m.read(r) }) })
	}
}

// reloadGrace is how long a worker may take to apply a changed file before its report is read again.
const reloadGrace = 500 * time.Millisecond
