package manager

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/filewatch"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Units is what the manager needs of systemd; *systemdctl.Conn is it.
type Units interface {
	StartTransient(ctx context.Context, unit systemdctl.Transient, aux ...systemdctl.Transient) error
	Start(ctx context.Context, unit string) error
	Stop(ctx context.Context, unit string) error
	Restart(ctx context.Context, unit string) error
	ResetFailed(ctx context.Context, unit string) error
	Kill(ctx context.Context, unit string, sig syscall.Signal) error
	List(ctx context.Context, pattern string) ([]systemdctl.Unit, error)
	Watch(ctx context.Context, match func(unit string) bool) <-chan string
	UserspaceTimestampMonotonic(ctx context.Context) (uint64, error)
	Done() <-chan struct{}
}

// Config is what a Manager needs.
type Config struct {
	Units    Units
	Networks <-chan netwatch.Network // nil if nobody watches the network: it is then taken to be there
	Sleeps   <-chan netwatch.Sleep   // may be nil

	Dirs       tunnelfile.Dirs // new tunnel files are written to the first
	RuntimeDir string          // see tunnelfile.RuntimeDir
	Host       Host
	Version    string

	// RollingRestart hands tunnels that run another version over to the program that is installed.
	RollingRestart bool

	Log *slog.Logger // nil: slog.Default()
}

const (
	maxJobs      = 16               // goroutines that do I/O at once
	jobDeadline  = 30 * time.Second // for each piece of I/O
	networkGrace = 3 * time.Second  // how long to wait for the first snapshot of the network
)

var errStopped = errors.New("the manager has stopped")

// Manager is the table of tunnels. Its methods may be called from any goroutine. They wait until
// Run has read files and units, and then for an answer, but not longer than their context.
type Manager struct {
	Config
	calls       chan func() // for Run's goroutine to call
	ready       chan struct{}
	ended       chan struct{}
	edits       chan struct{} // cap 1, a lock: its holder may write tunnel files
	subscribers subscribers

	// Only Run's goroutine uses the fields below.
	ctx         context.Context
	rows        map[string]*row
	problems    tunnelfile.Problems
	broken      map[string]tunnelfile.Problems // by tunnel
	markers     downMarkers
	down        map[string]bool // tunnels that have a marker and no row yet
	network     netwatch.Network
	asleep      bool
	shown       listing.Global
	jobs        chan struct{} // a slot for each job that runs
	loads       loads
	handOvers   handOvers
	rereadDelay time.Duration // grows while units cannot be read
	clock       *time.Timer   // fires when the next retry of a row is due; stopped if none is

	markersRead, unitsListed, filesLoaded, networkKnown bool // ready if all are true
	isReady, isOpen                                     bool
}

// New makes a manager, which does nothing until Run.
func New(c Config) *Manager {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Manager{
		Config:       c,
		calls:        make(chan func()),
		ready:        make(chan struct{}),
		ended:        make(chan struct{}),
		edits:        make(chan struct{}, 1),
		jobs:         make(chan struct{}, maxJobs),
		rows:         make(map[string]*row),
		markers:      downMarkers{dir: filepath.Join(c.RuntimeDir, "down")},
		network:      netwatch.Network{State: netwatch.Unknown},
		networkKnown: c.Networks == nil,
		handOvers:    handOvers{underWay: make(map[string]handOver)},
	}
}

// Ready is closed when files and units have been read for the first time.
func (m *Manager) Ready() <-chan struct{} { return m.ready }

// Run owns the table until the context ends (nil) or the connection to systemd is lost (an
// error). The tunnels run on in both cases: they are systemd's.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	defer close(m.ended)
	m.ctx = ctx

	m.readMarkers()
	hints := m.Units.Watch(ctx, func(unit string) bool { _, ok := tunnelfile.NameOfUnit(unit); return ok })
	networks, sleeps := m.Networks, m.Sleeps
	files := make(chan struct{})
	helpers.Go(func() { filewatch.Watch(ctx, m.Log, tunnelFiles(m.Dirs), files) })
	grace := time.AfterFunc(networkGrace, func() { m.post(ctx, m.networkTimeout) })
	defer grace.Stop()
	m.clock = time.AfterFunc(time.Hour, func() { m.post(ctx, m.retryDue) })
	m.clock.Stop()
	defer m.clock.Stop()

	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.Units.Done():
			return errors.New("the connection to systemd is lost")
		case call := <-m.calls:
			call()
		case unit, ok := <-hints:
			if !ok {
				hints = nil // Done follows
			} else if name, ok := tunnelfile.NameOfUnit(unit); ok {
				m.readUnit(m.row(name), unit)
			} else {
				m.readAll()
			}
		case <-files:
			m.load(nil)
		case n, ok := <-networks:
			if ok {
				m.onNetwork(n)
			} else {
				networks = nil
			}
		case s, ok := <-sleeps:
			if ok {
				m.onSleep(s.Going, s.Release)
			} else {
				sleeps = nil
			}
		}
		m.checkReady()
	}
}

// post has Run's goroutine call f.
func (m *Manager) post(ctx context.Context, f func()) {
	select {
	case m.calls <- f:
	case <-ctx.Done():
	}
}

// ask has Run's goroutine call f, and waits for the result.
func ask[T any](ctx context.Context, m *Manager, f func() T) (T, error) {
	answer := make(chan T, 1)
	_, err := receive(ctx, m, m.ready)
	if err == nil {
		select {
		case m.calls <- func() { answer <- f() }:
			return receive(ctx, m, answer)
		case <-m.ended:
			err = errStopped
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	var zero T
	return zero, err
}

// receive receives from Run's goroutine, which may have stopped.
func receive[T any](ctx context.Context, m *Manager, from <-chan T) (T, error) {
	var zero T
	select {
	case v := <-from:
		return v, nil
	case <-m.ended:
		return zero, errStopped
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

// askRow is ask for the row of a tunnel, or ErrNoSuchTunnel.
func askRow[T any](ctx context.Context, m *Manager, name string, f func(*row) T) (T, error) {
	type result struct {
		value T
		known bool
	}
	a, err := ask(ctx, m, func() result {
		if r := m.rows[name]; r != nil && r.isShown {
			return result{f(r), true}
		}
		return result{}
	})
	if err == nil && !a.known {
		err = noSuchTunnel(name)
	}
	return a.value, err
}

// checkReady starts the actions once files, units, markers and the network are known, and lets
// callers in once every tunnel has been shown.
func (m *Manager) checkReady() {
	if m.isOpen || !m.markersRead || !m.unitsListed || !m.filesLoaded || !m.networkKnown {
		return
	}
	if !m.isReady {
		m.isReady = true
		m.showGlobal()
		m.stepAll()
	}
	for _, r := range m.rows {
		if !r.isShown && (!r.known || r.busy()) {
			return
		}
	}
	m.isOpen = true
	close(m.ready)
	m.Log.Info("ready", "tunnels", len(m.rows), "problems", len(m.problems), "network", m.network.State, "source", m.network.Source)
}

func (m *Manager) readMarkers() {
	m.do(func(ctx context.Context) func() {
		life, err := m.Units.UserspaceTimestampMonotonic(ctx)
		markers := downMarkers{m.markers.dir, life}
		if err != nil {
			return func() {
				m.Log.Warn("systemd does not say since when it runs; the daemon asks again shortly", "error", err)
				m.soon(m.readMarkers)
			}
		}
		down, err := markers.all()
		return func() {
			if err != nil {
				m.Log.Warn("cannot tell which tunnels were stopped by hand", "error", err)
			}
			m.markers, m.down, m.markersRead, m.rereadDelay = markers, down, true, 0
			for name, r := range m.rows {
				r.down = down[name]
			}
			m.load(nil)
		}
	})
}

// row returns the row of that name, and makes it if there is none.
func (m *Manager) row(name string) *row {
	r := m.rows[name]
	if r == nil {
		r = &row{name: name, wished: wished{down: m.down[name]}}
		m.rows[name] = r
	}
	return r
}

// names returns the names of all rows, sorted.
func (m *Manager) names() []string { return slices.Sorted(maps.Keys(m.rows)) }

// Tunnels returns every tunnel, sorted by name.
func (m *Manager) Tunnels(ctx context.Context) ([]listing.Tunnel, error) {
	return ask(ctx, m, func() []listing.Tunnel {
		var list []listing.Tunnel
		for _, name := range m.names() {
			if r := m.rows[name]; r.isShown {
				list = append(list, r.shown)
			}
		}
		return list
	})
}

// Tunnel returns the tunnel of that name, or ErrNoSuchTunnel. It reads the directories again
// before it says that there is none.
func (m *Manager) Tunnel(ctx context.Context, name string) (listing.Tunnel, error) {
	shown := func(r *row) listing.Tunnel { return r.shown }
	t, err := askRow(ctx, m, name, shown)
	if !errors.Is(err, listing.ErrNoSuchTunnel) || !tunnelfile.ValidName(name) {
		return t, err
	}
	if err := m.loadAndWait(ctx); err != nil {
		return listing.Tunnel{}, err
	}
	return askRow(ctx, m, name, shown)
}

// Global returns what the manager publishes of itself.
func (m *Manager) Global(ctx context.Context) (listing.Global, error) {
	return ask(ctx, m, func() listing.Global { return m.shown })
}

// Subscribe calls f with every later change, in order, from a goroutine of its own, until cancel
// is called. If f is slow, changes of one tunnel are joined.
func (m *Manager) Subscribe(f func(listing.Change)) (cancel func()) { return m.subscribers.add(f) }

// showGlobal publishes what the manager says of itself, if it has changed.
func (m *Manager) showGlobal() {
	now := listing.Global{
		Version:       m.Version,
		Network:       string(m.network.State),
		NetworkSource: m.network.Source,
		Problems:      m.problems,
	}
	old := m.shown
	m.shown = now
	if m.isReady && !reflect.DeepEqual(old, now) {
		m.subscribers.publish(listing.Change{Kind: listing.GlobalChanged, OldGlobal: old, NewGlobal: now})
	}
}
