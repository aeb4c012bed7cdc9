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

// step publishes a row and starts its next action; a row has one action at a time. Call it after
// every change of a row.
func (m *Manager) step(r *row) {
	m.stepOne(r)
	m.startHandOvers()
}

func (m *Manager) stepOne(r *row) {
	if !m.isReady || !r.known || r.busy() {
		return
	}
	if !r.isShown {
		r.adopt()
	}
	m.seeHandOver(r)
	m.renew(r)
	o := m.obstacle(r)
	if o.blocks() && o.why != fault.Rule && !r.wayKnown && (r.wanted() || r.service.running()) {
		if !r.isShown {
			m.show(r, o) // else a caller would get ErrNoSuchTunnel meanwhile
		}
		m.locate(r)
		return
	}
	action := plan(r, o)
	if action.Verb != Diagnose { // Diagnose finds the reason, which is published with the state
		m.show(r, o)
	}
	waits := o.ofWay() && r.wanted() || r.socket.failed() && r.socket.Result == "trigger-limit-hit" && r.wanted()
	if waits && r.retry.at.IsZero() {
		m.scheduleRetry(r)
	}
	if r.markerOld {
		m.saveMarker(r)
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

// afterAll calls done when the actions that these rows need now are under way.
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

// locate finds out how this machine gets to a tunnel's server. It runs ssh, so it is called only
// while the network keeps the tunnel from running; and then from time to time, because a person
// may correct ssh_config meanwhile.
func (m *Manager) locate(r *row) {
	r.acting, r.wayKnown = true, true
	file, state := r.file, m.network.State
	m.do(func(ctx context.Context) func() {
		way := m.Host.Way(ctx, m.Host.Locate(ctx, file.Tunnel), state)
		return func() {
			r.acting = false
			if r.file != nil && r.file.hash == file.hash && r.wayKnown { // else it will be located anew
				r.way = way
			}
			m.after(r)
		}
	})
}

// show publishes a row if it differs from what was published last.
func (m *Manager) show(r *row, o obstacle) {
	if r.file == nil && !r.broken && !r.isShown && !r.service.running() {
		return // units left over from a tunnel that is gone
	}
	if r.file == nil && r.broken && !r.isShown && !r.service.running() && !r.socket.running() {
		return // its file never was good: it is among the problems
	}
	t := r.view(o, time.Now())
	switch {
	case !r.isShown:
		if t.State == tunnelfile.Offline { // no worker runs that could log it
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

// logState logs a state. holdfast history reads these entries.
func (m *Manager) logState(t listing.Tunnel) {
	level := slog.LevelInfo
	if t.State == tunnelfile.Failed {
		level = slog.LevelWarn // no worker runs that could log it
	}
	journal.Event{Kind: journal.State, State: string(t.State), Reason: string(t.Reason), Status: t.Status}.
		Log(m.Log, level, string(t.State), "tunnel", t.Name, "reason", string(t.Reason), "status", t.Status)
}

// forget deletes the row of a tunnel that has neither a file nor units any more.
func (m *Manager) forget(r *row) {
	if r.file != nil || r.broken || r.active() {
		return
	}
	delete(m.rows, r.name)
	delete(m.handOvers.underWay, r.name)
	if r.isShown {
		m.subscribers.publish(listing.Change{Kind: listing.Removed, Old: r.shown})
	}
}

// saveMarker writes or removes the marker of a tunnel that a person stopped.
func (m *Manager) saveMarker(r *row) {
	r.acting, r.markerOld = true, false
	markers, down := m.markers, r.down
	m.do(func(context.Context) func() {
		err := markers.set(r.name, down)
		return func() {
			r.acting, r.markerErr = false, err
			if err != nil {
				m.Log.Warn("cannot store across restarts of the daemon whether the tunnel was stopped", "tunnel", r.name, "error", err)
			}
			m.after(r)
		}
	})
}

// act does an action, reads the units and plans the next step.
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
				r.file = file // its units are designed for this machine as it is now
			}
			if readErr != nil {
				m.rereadLater(r, readErr)
			} else {
				r.observe(f)
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

// performed enters the outcome of an action in the table.
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

// checkStart notices that systemd did not start a service although it accepted the job: a unit
// that the service requires did not start. The service itself does not fail then, but stays as
// it was.
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

// diagnosed enters why a tunnel cannot listen, or that it can now. A port may have become free
// before the look: then the next try comes at once, but only once in resetAfter.
func (m *Manager) diagnosed(r *row, err error) {
	r.diagnose = false
	switch {
	case r.file == nil: // it was removed meanwhile
	case err != nil:
		m.fail(r, err)
	case r.file.design.Partial() || r.failure != (failure{}) || !r.retry.recent():
		r.retry.last = time.Now()
		r.allowRetry()
	default:
		s := socketFailure(r.socket)
		r.failure = failure{s.Reason, s.Text}
		m.scheduleRetry(r)
	}
}

// fail enters why something could not be done with a tunnel's units. It schedules a retry if the
// cause may end without a signal to the daemon.
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
		m.scheduleRetry(r)
	}
}

// listenerOf is the other tunnel that listens on an address, "" if none does.
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

// signalled enters which signal was sent to the worker. If it could not be sent, the worker has
// ended or is about to: it is not sent twice.
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
		// If its state stays the same, systemd announces no change.
		time.AfterFunc(reloadGrace, func() { m.post(m.ctx, func() { m.read(r) }) })
	}
}

// reloadGrace is how long to wait until the report of a worker that reads its file is read again.
const reloadGrace = 500 * time.Millisecond
