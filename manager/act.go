package manager

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/internal/listing"
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
	if !m.isReady || !r.known || r.busy() {
		return
	}
	if !r.isShown {
		r.adopt()
	}
	m.renew(r)
	o := m.obstacle(r)
	if o.here() && o.why != fault.Rule && !r.wayKnown && (r.wanted() || r.service.running()) {
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
	waits := o.ofWay() && r.wanted() || r.socket.failed() && r.socket.Result == "trigger-limit-hit" && r.wanted()
	if waits && r.retry.at.IsZero() {
		m.tryLater(r)
	}
	if r.markerOld {
		m.mark(r)
		return
	}
	switch action.Verb {
	case Wait:
		r.finish()
	case Nothing:
		r.clear()
		r.finish()
		m.forget(r)
	default:
		m.act(r, action)
	}
}

// afterAll calls done when what follows from the rows as they are now is under way.
func (m *Manager) afterAll(rows []*row, done func()) {
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
	return obstacleOf(&r.file.Tunnel, r.way, m.network, m.asleep)
}

// locate finds out how this machine gets to a tunnel's server. That is asked only once the
// network is in the way, since it costs an ssh, and from time to time while it is: ssh_config may
// have been mended meanwhile.
func (m *Manager) locate(r *row) {
	r.acting, r.wayKnown = true, true
	file, state := r.file, m.network.State
	m.do(func(ctx context.Context) func() {
		way := m.Host.Way(ctx, m.Host.Locate(ctx, file.Tunnel), state)
		return func() {
			r.acting = false
			if r.file != nil && r.file.hash == file.hash && r.wayKnown { // else it is asked again
				r.way = way
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
		return // never was a tunnel: it is among the problems
	}
	t := r.view(o, time.Now())
	switch {
	case !r.isShown:
		if t.State == tunnelfile.Offline { // nobody else has it in the journal
			m.logState(t)
		}
		m.subscribers.publish(listing.Change{Kind: listing.Added, New: t})
	case reflect.DeepEqual(r.shown, t):
		return
	default:
		if r.shown.State != t.State {
			m.logState(t)
		}
		m.subscribers.publish(listing.Change{Kind: listing.Changed, Old: r.shown, New: t})
	}
	r.shown, r.isShown = t, true
}

// logState is read by holdfast history too.
func (m *Manager) logState(t listing.Tunnel) {
	level := slog.LevelInfo
	if t.State == tunnelfile.Failed {
		level = slog.LevelWarn // nobody else says it
	}
	journal.Event{Kind: journal.State, State: string(t.State), Reason: string(t.Reason), Status: t.Status}.
		Log(m.Log, level, string(t.State), "tunnel", t.Name, "reason", string(t.Reason), "status", t.Status)
}

// forget drops the row of a tunnel that has neither file nor units any more.
func (m *Manager) forget(r *row) {
	if r.file != nil || r.broken || r.active() {
		return
	}
	delete(m.rows, r.name)
	if r.isShown {
		m.subscribers.publish(listing.Change{Kind: listing.Removed, Old: r.shown})
	}
}

// mark writes down whether a person stopped the tunnel.
func (m *Manager) mark(r *row) {
	r.acting, r.markerOld = true, false
	markers, down := m.markers, r.down
	m.do(func(context.Context) func() {
		err := markers.set(r.name, down)
		return func() {
			r.acting, r.markerErr = false, err
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
		r.stopping, r.starting = true, false
	}
	file, dir := r.file, m.runtimeDir(r)
	sent := lastSignal{pid: r.service.MainPID}
	if file != nil {
		sent.file = file.hash
	}
	m.Log.Debug("act", "tunnel", r.name, "action", a.Verb, "signal", int(a.Signal))
	m.do(func(ctx context.Context) func() {
		file, err := m.perform(ctx, r.name, a, file)
		f, readErr := m.facts(ctx, r.name, unitsOf(r.name), dir)
		return func() {
			r.acting = false
			if file != nil && r.file != nil && r.file.hash == file.hash {
				r.file = file // with its units as this machine has them now
			}
			if readErr != nil {
				m.unreadable(r, readErr)
			} else {
				r.take(f)
			}
			if a.Verb == SendSignal {
				m.signalled(r, a.Signal, sent, err)
			} else {
				m.performed(r, a.Verb, err)
			}
			m.after(r)
		}
	})
}

// performed notes what an action did, in the table.
func (m *Manager) performed(r *row, v Verb, err error) {
	switch {
	case v == Unload:
		r.lingers = r.loaded()
		return
	case v == Diagnose:
		m.diagnosed(r, err)
		return
	}
	if v != StopUnits {
		r.begun()
	}
	if err == nil && (v == MakeService || v == StartService || v == RestartService) {
		m.checkStart(r)
	}
	if errors.Is(err, errDesignRefused) {
		if r.file != nil {
			r.refusedDesign = r.file.design.Mark
		}
		m.Log.Warn(errDesignRefused.Error(), "tunnel", r.name)
		return
	}
	if err == nil {
		return
	}
	r.stopping = false
	m.Log.Warn("cannot", "tunnel", r.name, "action", v, "error", err)
	m.fail(r, err)
}

// checkStart notes that systemd refused to start a service although it had taken the job: the
// service does not fail, it stays as it was. A unit that it requires did not start.
func (m *Manager) checkStart(r *row) {
	r.starting = r.service.Job && !r.service.running()
	if r.starting || r.file == nil || !r.service.gone() || r.socket.failed() {
		return
	}
	ours := r.file.design.Socket.Name
	required := slices.DeleteFunc(r.file.design.Service.Required(), func(name string) bool { return name == ours })
	if len(required) > 0 {
		m.fail(r, fault.New(fault.Dependency, "%s did not start, and the tunnel requires it", strings.Join(required, " or ")))
	}
}

// diagnosed notes why a tunnel cannot listen, or that it could now. A port may be free
// again before anybody looked, and then once more is tried at once.
func (m *Manager) diagnosed(r *row, err error) {
	r.diagnose = false
	switch {
	case r.file == nil: // it went meanwhile
	case err != nil:
		m.fail(r, err)
	case r.file.design.Partial() || r.failure != (failure{}) || !r.retry.recent():
		r.retry.last = time.Now()
		r.occasion()
	default:
		s := socketFailure(r.socket)
		r.failure = failure{s.Reason, s.Text}
		m.tryLater(r)
	}
}

// fail notes why something could not be done about a tunnel's units. What may pass without
// a sign is tried again later.
func (m *Manager) fail(r *row, err error) {
	if taken, ok := errors.AsType[*sockets.Error](err); ok {
		if other := m.listenerOf(taken.Address, r); other != "" {
			taken.Owner = sockets.Owner{Tunnel: other}
		}
		err = taken
	}
	r.failure = failure{cmp.Or(fault.ReasonOf(err), fault.Crashed), err.Error()}
	switch r.failure.reason {
	case fault.Listen, fault.Dependency:
		m.tryLater(r)
	}
}

// listenerOf is the other tunnel that listens on an address.
func (m *Manager) listenerOf(a sockets.Address, but *row) string {
	for _, name := range m.names() {
		r := m.rows[name]
		if r == but || r.file == nil || !r.socket.running() {
			continue
		}
		for _, l := range r.file.design.Listen {
			if l.Address == a {
				return name
			}
		}
	}
	return ""
}

// signalled notes which signal the worker got. One that could not get it has ended or
// soon will have: it is not sent twice.
func (m *Manager) signalled(r *row, signal syscall.Signal, sent lastSignal, err error) {
	if r.lastSignal.pid != sent.pid {
		r.lastSignal = lastSignal{pid: sent.pid}
	}
	switch signal {
	case tunnelfile.SignalReload:
		r.lastSignal.file = sent.file
	case tunnelfile.SignalSuspend:
		r.lastSignal.suspend = true
	case tunnelfile.SignalProbe:
		r.lastSignal.suspend, r.probe = false, false
	case tunnelfile.SignalReconnect:
		r.reconnect = false
	case tunnelfile.SignalHandOver:
		r.handOver = false
	}
	switch {
	case err != nil && !errors.Is(err, systemdctl.ErrNoProcess) && !errors.Is(err, systemdctl.ErrNoSuchUnit):
		m.Log.Warn("cannot send a signal", "tunnel", r.name, "signal", signal, "error", err)
	case err == nil && signal == tunnelfile.SignalReload:
		// Its state may stay the same, and then systemd has no news of it.
		time.AfterFunc(reloadGrace, func() { m.post(m.ctx, func() { m.read(r) }) })
	}
}

// reloadGrace is how long a worker may take to apply a changed file before its report is read again.
const reloadGrace = 500 * time.Millisecond
