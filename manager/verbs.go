package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/report"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Start starts tunnels by name or glob (path.Match); no patterns means all. It
// returns when systemd has been asked, not when they are up.
func (m *Manager) Start(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, _ bool) error {
		r.up()
		// One that runs and waits, for the next try or for a person, need wait no longer.
		if r.says(tunnelfile.Blocked) || r.says(tunnelfile.Retrying) {
			r.reconnect = true
		}
		return nil
	})
}

// Stop stops tunnels, until Start or the service manager's next start. It fails with
// ErrNotStored when they are stopped, but the next daemon will not know.
func (m *Manager) Stop(ctx context.Context, patterns []string) error {
	var stopped []*row
	err := m.each(ctx, patterns, func(r *row, _ bool) error {
		stopped = append(stopped, r)
		r.wished.stop()
		r.asked, r.failure, r.retry = asked{}, failure{}, retryTimer{}
		return nil
	})
	if err != nil {
		return err
	}
	forgotten, err := ask(ctx, m, func() error {
		var errs []error
		for _, r := range stopped {
			if r.down && r.markerErr != nil {
				errs = append(errs, fmt.Errorf("%w: %s is stopped, but this cannot be remembered: %w; it starts again with the daemon",
					listing.ErrNotStored, r.name, r.markerErr))
			}
		}
		return errors.Join(errs...)
	})
	return errors.Join(forgotten, err)
}

// Restart stops and starts tunnels.
func (m *Manager) Restart(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, _ bool) error {
		r.up()
		r.restart = true
		return nil
	})
}

// Reconnect asks for a new SSH connection, made before the old one is let go. A
// tunnel that does not run is ErrRefused if it was named, and left alone otherwise.
func (m *Manager) Reconnect(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, named bool) error {
		switch {
		case r.service.running():
			r.reconnect = true
			r.probe = r.probe || r.service.waits()
		case named:
			return fmt.Errorf("%w: %s has no connection to renew: it is %s", listing.ErrRefused, r.name, r.shown.State)
		}
		return nil
	})
}

// RestartRolling has new processes take over from those that run: they take the listeners, and
// make their SSH connections before the old ones let go of theirs. A tunnel without an SSH
// connection has nothing to lose and is restarted. One that does not run is ErrRefused if it was
// named, and left alone otherwise; but one that listens starts the new program by itself.
func (m *Manager) RestartRolling(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, named bool) error {
		switch {
		case !r.service.running():
			if named && !r.socket.running() {
				return fmt.Errorf("%w: %s does not run: it is %s", listing.ErrRefused, r.name, r.shown.State)
			}
		case r.canHandOver():
			r.handOver = true
		case r.says(tunnelfile.Up), r.says(tunnelfile.Degraded):
			return fmt.Errorf("%w: %s runs a program that cannot hand over; \"restart\" starts the new one, and cuts what is open", listing.ErrRefused, r.name)
		default:
			r.up()
			r.restart = true
		}
		return nil
	})
}

// canHandOver says whether the worker has something to hand over, and knows how.
func (r *row) canHandOver() bool {
	return r.report != nil && r.report.HandsOver && (r.says(tunnelfile.Up) || r.says(tunnelfile.Degraded))
}

// renew has a worker of another version hand over to the program of now, once.
func (m *Manager) renew(r *row) {
	if m.RollingRestart && r.canHandOver() && r.report.Version != m.Version && r.renewed != r.service.MainPID {
		r.renewed, r.handOver = r.service.MainPID, true
		m.Log.Info("handed over to the new program (RollingRestart=yes)", "tunnel", r.name, "from", r.report.Version, "to", m.Version)
	}
}

// Attended says that there is somebody to ask from now on: what is blocked is tried again.
func (m *Manager) Attended(ctx context.Context) error {
	return m.eachKnown(ctx, nil, func(r *row, _ bool) error {
		r.reconnect = r.reconnect || r.says(tunnelfile.Blocked)
		return nil
	})
}

// up is a person's wish that the tunnel run.
func (r *row) up() {
	r.wished.up()
	r.retry = retryTimer{}
	r.occasion()
}

// Reload reads the directories again, and tries again what failed.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.loadAndWait(ctx); err != nil {
		return err
	}
	return m.eachKnown(ctx, nil, func(r *row, _ bool) error {
		if !r.stoppedElsewhere {
			r.occasion()
		}
		return nil
	})
}

// Statistics is the running tunnel's own report, read now. One that does not run has
// a report with its state and nothing else to say.
func (m *Manager) Statistics(ctx context.Context, name string) (tunnelfile.Report, error) {
	t, err := m.Tunnel(ctx, name)
	if err != nil {
		return tunnelfile.Report{}, err
	}
	dir, err := askRow(ctx, m, name, m.runtimeDir)
	if err != nil {
		return tunnelfile.Report{}, err
	}
	now, err := report.Read(ctx, tunnelfile.ReportSocket(dir, name))
	if err != nil {
		return tunnelfile.Report{Name: name, State: t.State, Status: t.Status, StateSince: t.StateSince}, nil
	}
	return now, nil
}

// User is who a tunnel of the system runs as.
func (m *Manager) User(ctx context.Context, name string) (string, error) {
	return askRow(ctx, m, name, (*row).user)
}

// each does something to every tunnel that a pattern names, and waits until what
// follows from it is under way. Nothing is done when a pattern names none. Files written
// just now count: the directories are read first, unless all patterns are names of
// tunnels that are known.
func (m *Manager) each(ctx context.Context, patterns []string, do func(r *row, named bool) error) error {
	if len(patterns) > 0 && !slices.ContainsFunc(patterns, isGlob) {
		if err := m.eachKnown(ctx, patterns, do); !errors.Is(err, listing.ErrNoSuchTunnel) {
			return err
		}
	}
	if err := m.loadAndWait(ctx); err != nil {
		return err
	}
	return m.eachKnown(ctx, patterns, do)
}

func (m *Manager) eachKnown(ctx context.Context, patterns []string, do func(r *row, named bool) error) error {
	type outcome struct {
		waits int
		done  chan struct{}
		err   error
	}
	o, err := ask(ctx, m, func() outcome {
		rows, err := m.match(patterns)
		if err != nil {
			return outcome{err: err}
		}
		out := outcome{waits: len(rows), done: make(chan struct{}, len(rows))}
		var errs []error
		for _, r := range rows {
			errs = append(errs, do(r.row, r.named))
			r.waiting = append(r.waiting, func() { out.done <- struct{}{} })
			m.step(r.row)
		}
		out.err = errors.Join(errs...)
		return out
	})
	if err != nil {
		return err
	}
	err = m.await(ctx, o.done, o.waits)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(o.err, listing.ErrUnderWay)
	}
	return cmp.Or(err, o.err)
}

// await waits for so many signs of being done.
func (m *Manager) await(ctx context.Context, done <-chan struct{}, n int) error {
	for range n {
		if _, err := receive(ctx, m, done); err != nil {
			return err
		}
	}
	return nil
}

// isGlob says whether a pattern is one, and not a name.
func isGlob(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// match is a row and whether it was called by its very name.
type match struct {
	*row
	named bool
}

// match is the tunnels that patterns name, each once, in the order of the patterns.
func (m *Manager) match(patterns []string) ([]match, error) {
	all := len(patterns) == 0
	if all {
		patterns = []string{"*"}
	}
	var found []match
	seen := make(map[string]bool)
	for _, pattern := range patterns {
		isName := !isGlob(pattern)
		some := all
		for _, name := range m.names() {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", listing.ErrInvalidName, pattern, err)
			}
			r := m.rows[name]
			if !ok || !r.isShown {
				continue
			}
			some = true
			if !seen[name] {
				seen[name] = true
				found = append(found, match{r, isName})
			}
		}
		if problems := m.broken[pattern]; !some && len(problems) > 0 {
			return nil, problems
		}
		if !some {
			return nil, noSuchTunnel(pattern)
		}
	}
	return found, nil
}

func noSuchTunnel(name string) error { return fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, name) }
