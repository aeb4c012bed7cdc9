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
	UserspaceTimestamp(ctx context.Context) (realtime time.Time, monotonic uint64, err error)
	Done() <-chan struct{}
}

// Config is what a Manager is made of.
type Config struct {
	Units    Units
	Networks <-chan netwatch.Network // nil: nobody watches the network, and it is taken to be there
	Sleeps   <-chan netwatch.Sleep   // may be nil

	Dirs       tunnelfile.Dirs // tunnel files are written to the first
	RuntimeDir string          // see tunnelfile.RuntimeDir
	Host       Host
	Version    string

	// RollingRestart has tunnels that run another version handed over to the program of now.
	RollingRestart bool

	Log *slog.Logger // nil: slog.Default()
}

const (
	maxJobs      = 16               // how many goroutines do I/O at once
	jobDeadline  = 30 * time.Second // of each piece of I/O
	networkGrace = 3 * time.Second  // how long to wait for the first word on the network
)

var errStopped = errors.New("the manager has stopped")

// Manager is the table of tunnels. Its methods may be called from any goroutine; they
// wait for Run to have read files and units, for an answer, and for no longer than
// their context.
type Manager struct {
	Config
	calls       chan func() // to be called by Run's goroutine
	ready       chan struct{}
	ended       chan struct{}
	edits       chan struct{} // cap 1: who has put something in may write tunnel files
	subscribers subscribers

	// What follows is Run's goroutine's alone.
	ctx          context.Context
	rows         map[string]*row
	problems     tunnelfile.Problems
	broken       map[string]tunnelfile.Problems // by tunnel
	markers      downMarkers
	down         map[string]bool // by the markers, as the daemon found them
	network      netwatch.Network
	asleep       bool
	shown        listing.Global
	jobs         jobs
	loads        loads
	readingAgain pause       // when a reading of the units failed
	clock        *time.Timer // when to try again what waits for a port; armed only when something does

	marked, listed, loaded, heard bool // all true: ready
	isReady, isOpen               bool
}

// New is a manager that does nothing until Run.
func New(c Config) *Manager {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Manager{
		Config:  c,
		calls:   make(chan func()),
		ready:   make(chan struct{}),
		ended:   make(chan struct{}),
		edits:   make(chan struct{}, 1),
		rows:    make(map[string]*row),
		markers: downMarkers{dir: filepath.Join(c.RuntimeDir, "down")},
		network: netwatch.Network{State: netwatch.Unknown},
		heard:   c.Networks == nil,
	}
}

// Ready is closed when files and units have been read for the first time.
func (m *Manager) Ready() <-chan struct{} { return m.ready }

// Run owns the table until the context ends, which is nil, or systemd is gone, which
// is an error. The tunnels go on either way: they are systemd's.
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
	grace := time.AfterFunc(networkGrace, func() { m.post(ctx, m.networkUnheard) })
	defer grace.Stop()
	m.clock = time.AfterFunc(time.Hour, func() { m.post(ctx, m.tryAgain) })
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

// ask is post for the manager's methods: it waits for the answer.
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

// checkReady lets actions begin when all there is to know is known, and callers in
// when every tunnel has been shown.
func (m *Manager) checkReady() {
	if m.isOpen || !m.marked || !m.listed || !m.loaded || !m.heard {
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
		_, life, err := m.Units.UserspaceTimestamp(ctx)
		markers := downMarkers{m.markers.dir, life}
		if err != nil {
			return func() {
				m.Log.Warn("systemd does not say since when it runs; it is asked again shortly", "error", err)
				m.readingAgain.later(func() { m.post(m.ctx, m.readMarkers) })
			}
		}
		down, err := markers.all()
		return func() {
			if err != nil {
				m.Log.Warn("cannot tell which tunnels were stopped by hand", "error", err)
			}
			m.markers, m.down, m.marked, m.readingAgain = markers, down, true, pause{}
			for name, r := range m.rows {
				r.down = down[name]
			}
			m.load(nil)
		}
	})
}

// row is the row of that name, made when there is none: a file or a unit has it.
func (m *Manager) row(name string) *row {
	r := m.rows[name]
	if r == nil {
		r = &row{name: name, wished: wished{down: m.down[name]}}
		m.rows[name] = r
	}
	return r
}

// names is the names of all rows, sorted.
func (m *Manager) names() []string { return slices.Sorted(maps.Keys(m.rows)) }

// Tunnels is every tunnel, sorted by name.
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

// Tunnel is the tunnel of that name, or ErrNoSuchTunnel. A file written just now counts: the
// directories are read before it is said that there is none.
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

// Global is what there is to say of the manager itself.
func (m *Manager) Global(ctx context.Context) (listing.Global, error) {
	return ask(ctx, m, func() listing.Global { return m.shown })
}

// Subscribe calls f with every later change, in order, from a goroutine of its own,
// until cancel is called. Changes of one tunnel that f is too slow for become one.
func (m *Manager) Subscribe(f func(listing.Change)) (cancel func()) { return m.subscribers.add(f) }

// showGlobal publishes what changed of the manager itself.
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
