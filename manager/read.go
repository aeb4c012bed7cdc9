package manager

import (
	"context"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/report"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// facts are a tunnel's units and its worker's report, read at one time.
type facts struct {
	service, socket unit
	report          *tunnelfile.Report
}

// read reads a row's units again; any number of hints meanwhile make one more reading.
func (m *Manager) read(r *row) { m.readUnit(r, "") }

// readUnit reads again what a hint names: a service says much oftener that it changed
// than a socket does, and systemd has hundreds of properties to tell for each.
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
				m.unreadable(r, err)
			} else {
				m.readingAgain = pause{}
				r.take(f)
				if r.starting {
					m.checkStart(r)
				}
			}
			m.after(r)
		}
	})
}

// unreadable has a row's units read again shortly: nobody may say that they changed.
func (m *Manager) unreadable(r *row, err error) {
	m.Log.Warn("cannot read units; they are read again shortly", "tunnel", r.name, "error", err)
	m.readingAgain.later(func() { m.post(m.ctx, func() { m.read(r) }) })
}

// pause grows with each failure in a row to read units.
type pause struct{ next time.Duration }

func (p *pause) later(f func()) {
	p.next = min(max(2*p.next, 100*time.Millisecond), 10*time.Second)
	time.AfterFunc(p.next, f)
}

// after goes on with a row once its units have been read, and reads what changed meanwhile.
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

// unitsOf is a glob over both units of a tunnel, and over those of a few others.
func unitsOf(name string) string {
	return strings.TrimSuffix(tunnelfile.ServiceName(name), "service") + "*"
}

// facts reads the units and, when the worker has had time to say something, its report.
//
// Units are listed rather than read by name: systemd loads a unit to answer for it,
// announces that, and the announcement would have it read again, and so on for ever.
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
		said, err := report.Read(ctx, tunnelfile.ReportSocket(runtimeDir, name))
		if err != nil {
			m.Log.Debug("no report", "tunnel", name, "error", err)
		} else {
			f.report = &said
		}
	}
	return f, nil
}

// runtimeDir is where a row's worker keeps its report socket.
func (m *Manager) runtimeDir(r *row) string {
	if m.Host.Scope == systemdctl.System {
		return tunnelfile.UserRuntimeDir(r.user())
	}
	return m.RuntimeDir
}

// loaded says whether systemd knows one of the units.
func (f *facts) loaded() bool { return f.service.Name != "" || f.socket.Name != "" }

// add puts a unit where it belongs, if it is one of the tunnel's.
func (f *facts) add(name string, u systemdctl.Unit) {
	switch u.Name {
	case tunnelfile.ServiceName(name):
		f.service = unit{u}
	case tunnelfile.SocketName(name):
		f.socket = unit{u}
	}
}

// readAll lists all units of ours and reads those of each tunnel that runs or is known.
func (m *Manager) readAll() {
	m.do(func(ctx context.Context) func() {
		units, err := m.Units.List(ctx, tunnelfile.UnitPattern)
		return func() {
			if err != nil {
				m.Log.Warn("cannot list units; they are listed again shortly", "error", err)
				m.readingAgain.later(func() { m.post(m.ctx, m.readAll) })
				return
			}
			m.listed, m.readingAgain = true, pause{}
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
					r.take(f) // nothing there: that is all there is to know
					m.step(r)
					continue
				}
				if !r.known {
					r.take(f)
				}
				m.read(r) // with the report
			}
		}
	})
}

// take takes over what was read, and notices what others did to the units.
func (r *row) take(f facts) {
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
		r.stopping = !gone && underWay // if neither, somebody started it again
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
			r.started = true // by whomever
		} else if wasRunning && serviceGone {
			r.started = false // it did what it was started for, or somebody stopped it
		}
	case r.file.Start == tunnelfile.StartAuto && wasRunning && serviceGone, wasListening && socketGone && serviceGone:
		r.stoppedElsewhere = true
	}
}

// adopt takes a manual tunnel that is found running, or listening, for one that a
// person started before this daemon did.
func (r *row) adopt() {
	if r.file != nil && r.file.Start == tunnelfile.StartManual && !r.down && (r.service.running() || r.socket.running()) {
		r.started = true
	}
}
