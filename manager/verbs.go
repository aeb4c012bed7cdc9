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

// Start starts tunnels by name or glob (path.Match), all if there are no patterns. It returns when
// systemd has the jobs, not when the tunnels are up.
func (m *Manager) Start(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, _ bool) error {
		r.up()
		// A worker that waits for the next try, or for a person, tries at once.
		if r.statusIs(tunnelfile.Blocked) || r.statusIs(tunnelfile.Retrying) {
			r.reconnect = true
		}
		return nil
	})
}

// Stop stops tunnels until Start, or until the service manager's next start. ErrNotStored says
// that they are stopped, but the next daemon will start them again.
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
	notStored, err := ask(ctx, m, func() error {
		var errs []error
		for _, r := range stopped {
			if r.down && r.markerErr != nil {
				errs = append(errs, fmt.Errorf("%w: %s is stopped, but this cannot be remembered: %w; it starts again with the daemon",
					listing.ErrNotStored, r.name, r.markerErr))
			}
		}
		return errors.Join(errs...)
	})
	return errors.Join(notStored, err)
}

// Restart stops and starts tunnels.
func (m *Manager) Restart(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, _ bool) error {
		r.up()
		r.restart = true
		return nil
	})
}

// Reconnect asks for a new SSH connection, which is made before the old one is closed. A tunnel
// that does not run is ErrRefused if its name was given, and left alone if a glob matched it.
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

// RestartRolling has new processes take over from those that run, few at a time: they get the
// listeners, and make their SSH connections before the old processes close theirs. A tunnel without an SSH connection
// has nothing to lose and is restarted. A tunnel that does not run is ErrRefused if its name was
// given, unless it listens: then the next connection starts the new program.
func (m *Manager) RestartRolling(ctx context.Context, patterns []string) error {
	return m.each(ctx, patterns, func(r *row, named bool) error {
		switch {
		case !r.service.running():
			if named && !r.socket.running() {
				return fmt.Errorf("%w: %s does not run: it is %s", listing.ErrRefused, r.name, r.shown.State)
			}
		case r.canHandOver():
			m.queueHandOver(r, false)
		case r.statusIs(tunnelfile.Up), r.statusIs(tunnelfile.Degraded):
			return fmt.Errorf("%w: %s runs a program that cannot hand over; \"restart\" starts the new one, and cuts what is open", listing.ErrRefused, r.name)
		default:
			r.up()
			r.restart = true
		}
		return nil
	})
}

// Attended says that somebody can answer questions from now on. Tunnels that are blocked try again.
func (m *Manager) Attended(ctx context.Context) error {
	return m.eachKnown(ctx, nil, func(r *row, _ bool) error {
		r.reconnect = r.reconnect || r.statusIs(tunnelfile.Blocked)
		return nil
	})
}

// up is a person's wish that the tunnel runs.
func (r *row) up() {
	r.wished.up()
	r.retry = retryTimer{}
	r.allowRetry()
}

// Reload reads the directories again, and retries what failed.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.loadAndWait(ctx); err != nil {
		return err
	}
	return m.eachKnown(ctx, nil, func(r *row, _ bool) error {
		if !r.stoppedElsewhere {
			r.allowRetry()
		}
		return nil
	})
}

// Statistics returns the report of a tunnel's worker, read now. The report of a tunnel that does
// not run has its state and nothing else.
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

// User returns the user that a tunnel of the system runs as.
func (m *Manager) User(ctx context.Context, name string) (string, error) {
	return askRow(ctx, m, name, (*row).user)
}

// each does something to every tunnel that the patterns name, and waits until the actions that
// follow are under way. It does nothing if a pattern names no tunnel. It reads the directories
// first, unless all patterns are names of known tunnels.
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
	done := make(chan struct{})
	failed, err := ask(ctx, m, func() error {
		matches, err := m.match(patterns)
		errs := []error{err}
		var rows []*row
		for _, r := range matches {
			errs = append(errs, do(r.row, r.named))
			rows = append(rows, r.row)
		}
		m.afterAll(rows, func() { close(done) })
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	_, err = receive(ctx, m, done)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(failed, listing.ErrUnderWay)
	}
	return cmp.Or(err, failed)
}

// isGlob says whether a pattern is a glob, and not a name.
func isGlob(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// match is a row, and whether a pattern was its name.
type match struct {
	*row
	named bool
}

// match returns the tunnels that the patterns name, each once, in the order of the patterns.
func (m *Manager) match(patterns []string) ([]match, error) {
	all := len(patterns) == 0
	if all {
		patterns = []string{"*"}
	}
	var found []match
	seen := make(map[string]bool)
	for _, pattern := range patterns {
		matched := all
		for _, name := range m.names() {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", listing.ErrInvalidName, pattern, err)
			}
			r := m.rows[name]
			if !ok || !r.isShown {
				continue
			}
			matched = true
			if !seen[name] {
				seen[name] = true
				found = append(found, match{r, !isGlob(pattern)})
			}
		}
		if problems := m.broken[pattern]; !matched && len(problems) > 0 {
			return nil, problems
		}
		if !matched {
			return nil, noSuchTunnel(pattern)
		}
	}
	return found, nil
}

func noSuchTunnel(name string) error { return fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, name) }
