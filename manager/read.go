package manager

import (
	"context"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/report"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// facts is what a tunnel's units and its worker's report say, read at one time. The report is nil
// if no worker gave one.
type facts struct {
	service, socket unit
	report          *tunnelfile.Report
}

// read reads a row's units again. Hints that come meanwhile cause one more reading, however many
// they are.
func (m *Manager) read(r *row) { m.readUnit(r, "") }

// readUnit reads again what a hint names. It reads the service alone if only that has changed: a
// service changes much more often than a socket, and each has hundreds of properties.
func (m *Manager) readUnit(r *row, unit string) {
	serviceOnly := unit == tunnelfile.ServiceName(r.name)
	r.readSocket = r.readSocket || !serviceOnly
	if r.busy() {
		r.readAgain = true
		return
	}
	pattern := unitsOf(r.name)
	if !r.readSocket {
		pattern = unit
	}
	socket, dir := r.socket, m.runtimeDir(r)
	r.reading, r.readAgain, r.readSocket = true, false, false
	m.do(func(ctx context.Context) func() {
		f, err := m.facts(ctx, r.name, pattern, dir)
		if pattern == unit {
			f.socket = socket
		}
		return func() {
			r.reading = false
			if err != nil {
				m.rereadLater(r, err)
			} else {
				m.rereadDelay = 0
				r.observe(f)
				if r.starting {
					m.checkStart(r)
				}
			}
			m.after(r)
		}
	})
}

// rereadLater reads a row's units again shortly. systemd may send no signal that would cause it.
func (m *Manager) rereadLater(r *row, err error) {
	m.Log.Warn("cannot read units; the daemon tries again shortly", "tunnel", r.name, "error", err)
	m.soon(func() { m.read(r) })
}

// soon has Run's goroutine call f after a failure to read units. Each failure doubles the delay.
func (m *Manager) soon(f func()) {
	m.rereadDelay = min(max(2*m.rereadDelay, 100*time.Millisecond), 10*time.Second)
	time.AfterFunc(m.rereadDelay, func() { m.post(m.ctx, f) })
}

// after plans the next step of a row whose job has ended, and reads units that changed meanwhile.
func (m *Manager) after(r *row) {
	m.step(r)
	if r.readAgain && !r.busy() && m.rows[r.name] == r {
		unit := tunnelfile.ServiceName(r.name)
		if r.readSocket {
			unit = ""
		}
		m.readUnit(r, unit)
	}
}

// unitsOf is a glob for both units of a tunnel. It may match units of other tunnels too.
func unitsOf(name string) string {
	return strings.TrimSuffix(tunnelfile.ServiceName(name), "service") + "*"
}

// facts reads the units and, if the worker has set a status, its report.
//
// It lists the units and does not read them by name: systemd would load a unit to answer, would
// announce that, and the announcement would cause the next reading, without end.
func (m *Manager) facts(ctx context.Context, name, pattern, runtimeDir string) (facts, error) {
	units, err := m.Units.List(ctx, pattern)
	if err != nil {
		return facts{}, err
	}
	var f facts
	for _, u := range units {
		f.add(name, u)
	}
	if f.service.MainPID != 0 && f.service.StatusText != "" {
		reported, err := report.Read(ctx, tunnelfile.ReportSocket(runtimeDir, name))
		if err != nil {
			m.Log.Debug("no report", "tunnel", name, "error", err)
		} else {
			f.report = &reported
		}
	}
	return f, nil
}

// runtimeDir is the folder with the report socket of a row's worker.
func (m *Manager) runtimeDir(r *row) string {
	if m.Host.Scope == systemdctl.System {
		return tunnelfile.UserRuntimeDir(r.user())
	}
	return m.RuntimeDir
}

// loaded says whether systemd knows one of the units.
func (f *facts) loaded() bool { return f.service.Name != "" || f.socket.Name != "" }

// add takes in a unit, if it is one of the tunnel's.
func (f *facts) add(name string, u systemdctl.Unit) {
	switch u.Name {
	case tunnelfile.ServiceName(name):
		f.service = unit{u}
	case tunnelfile.SocketName(name):
		f.socket = unit{u}
	}
}

// readAll lists all our units, and reads those of each tunnel that has units or a row.
func (m *Manager) readAll() {
	m.do(func(ctx context.Context) func() {
		units, err := m.Units.List(ctx, tunnelfile.UnitPattern)
		return func() {
			if err != nil {
				m.Log.Warn("cannot list units; the daemon tries again shortly", "error", err)
				m.soon(m.readAll)
				return
			}
			m.unitsListed, m.rereadDelay = true, 0
			all := make(map[string]facts)
			for _, u := range units {
				name, ok := tunnelfile.NameOfUnit(u.Name)
				if !ok {
					continue
				}
				f := all[name]
				f.add(name, u)
				all[name] = f
				m.row(name)
			}
			for name, r := range m.rows {
				f, loaded := all[name]
				if !r.known && !loaded {
					r.observe(f) // it has no units: there is nothing to read
					m.step(r)
					continue
				}
				if !r.known {
					r.observe(f)
				}
				m.read(r) // and the report
			}
		}
	})
}

// observe stores what was read, and notices what others did to the units.
func (r *row) observe(f facts) {
	wasRunning := r.service.running() || r.service.ending()
	wasListening := r.socket.running()
	r.facts, r.known = f, true
	if !r.loaded() || r.service.running() || r.socket.running() {
		r.lingers = false
	}

	serviceGone, socketGone := r.service.gone(), r.socket.gone()
	if r.stopping {
		gone := (serviceGone || r.service.failed()) && (socketGone || r.socket.failed())
		underWay := r.service.ending() || r.socket.ending() || r.service.Job || r.socket.Job
		r.stopping = !gone && underWay // if neither is true, somebody started it again
		return
	}
	if r.service.running() || r.socket.running() && !wasListening {
		r.failure, r.retry.at = failure{}, time.Time{}
	}
	if r.service.running() {
		r.stoppedElsewhere = false
	}
	if r.file == nil {
		return
	}
	switch {
	case r.file.Start == tunnelfile.StartManual:
		if r.service.running() && !r.down {
			r.started = true // whoever did it
		} else if wasRunning && serviceGone {
			r.started = false // it has done its work, or somebody stopped it
		}
	case r.file.Start == tunnelfile.StartAuto && wasRunning && serviceGone, wasListening && socketGone && serviceGone:
		r.stoppedElsewhere = true
	}
}

// adopt marks a manual tunnel as started if it runs, or listens, when the daemon finds it: a
// person started it before the daemon did.
func (r *row) adopt() {
	if r.file != nil && r.file.Start == tunnelfile.StartManual && !r.down && (r.service.running() || r.socket.running()) {
		r.started = true
	}
}
