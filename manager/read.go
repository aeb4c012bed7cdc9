package manager

import (
	"context"
	"errors"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// facts are a tunnel's units and its worker's report, read at one time.
type facts struct {
	service, socket unit
	report          *tunnelfile.Report
}

// read reads a row's units again; any number of hints meanwhile make one more reading.
func (m *Manager) read(r *row) {
	if r.reading || r.acting {
		r.readAgain = true // an action ends with a reading of its own
		return
	}
	r.reading, r.readAgain = true, false
	m.do(func(ctx context.Context) func() {
		f, err := m.facts(ctx, r.name)
		return func() {
			r.reading = false
			if err != nil {
				m.Log.Warn("cannot read units", "tunnel", r.name, "error", err)
			} else {
				r.take(f)
			}
			m.after(r)
		}
	})
}

// after goes on with a row once its units have been read.
func (m *Manager) after(r *row) {
	if r.readAgain {
		m.read(r)
		return
	}
	m.step(r)
}

// facts reads the units and, when the worker has had time to say something, its report.
func (m *Manager) facts(ctx context.Context, name string) (facts, error) {
	service, err := m.unit(ctx, tunnelfile.ServiceName(name))
	if err != nil {
		return facts{}, err
	}
	socket, err := m.unit(ctx, tunnelfile.SocketName(name))
	if err != nil {
		return facts{}, err
	}
	f := facts{service: service, socket: socket}
	if service.MainPID != 0 && service.StatusText != "" {
		report, err := readReport(ctx, tunnelfile.ReportSocket(m.RuntimeDir, name))
		if err != nil {
			m.Log.Debug("no report", "tunnel", name, "error", err)
		} else {
			f.report = &report
		}
	}
	return f, nil
}

func (m *Manager) unit(ctx context.Context, name string) (unit, error) {
	u, err := m.Units.Unit(ctx, name)
	if errors.Is(err, systemdctl.ErrNoSuchUnit) {
		return unit{}, nil
	}
	return unit{u}, err
}

// readAll lists all units of ours and reads those of each tunnel that runs or is known.
func (m *Manager) readAll() {
	m.do(func(ctx context.Context) func() {
		units, err := m.Units.List(ctx, tunnelfile.UnitPattern)
		return func() {
			if err != nil {
				m.Log.Warn("cannot list units", "error", err)
				return
			}
			m.listed = true
			all := make(map[string]facts)
			for _, u := range units {
				name, ok := tunnelfile.NameOfUnit(u.Name)
				if !ok {
					continue
				}
				f := all[name]
				if u.Name == tunnelfile.ServiceName(name) {
					f.service = unit{u}
				} else {
					f.socket = unit{u}
				}
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
	r.service, r.socket, r.report, r.known = f.service, f.socket, f.report, true

	serviceGone := !r.service.running() && !r.service.ending() && !r.service.failed() && !r.service.Job
	socketGone := !r.socket.running() && !r.socket.ending() && !r.socket.failed() && !r.socket.Job
	if r.stopping {
		refused := r.service.running() && !r.service.Job || r.socket.running() && !r.socket.Job
		r.stopping = !(serviceGone || r.service.failed()) || !(socketGone || r.socket.failed())
		r.stopping = r.stopping && !refused
		return
	}
	if r.service.running() || r.socket.running() && !wasListening {
		r.problem, r.again = "", again{}
	}
	if r.service.running() {
		r.alone = false
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
		r.alone = true
	}
}

// adopt takes a manual tunnel that is found running, or listening, for one that a
// person started before this daemon did.
func (r *row) adopt() {
	if r.file != nil && r.file.Start == tunnelfile.StartManual && !r.down && (r.service.running() || r.socket.running()) {
		r.started = true
	}
}
