package manager

import (
	"context"
	"errors"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Manager is the table of tunnels. Its methods may be called from any goroutine
// while Run runs; each waits for an answer until its context ends.
type Manager struct{}

var errNotBuilt = errors.New("not built yet")

// Tunnels is every row, sorted by name.
func (m *Manager) Tunnels(ctx context.Context) ([]Tunnel, error) { return nil, errNotBuilt }

// Tunnel is the row of that name, or ErrNoSuchTunnel.
func (m *Manager) Tunnel(ctx context.Context, name string) (Tunnel, error) {
	return Tunnel{}, errNotBuilt
}

// Global is what there is to say of the manager itself.
func (m *Manager) Global(ctx context.Context) (Global, error) { return Global{}, errNotBuilt }

// CheckTunnel says all that is wrong with the text of a tunnel file; nothing is
// written. No problems: nil. The error is for a name that cannot be one.
func (m *Manager) CheckTunnel(ctx context.Context, name, text string) (tunnelfile.Problems, error) {
	return nil, errNotBuilt
}

// AddTunnel checks the text and writes it to the first directory. It fails with
// ErrInvalidName, ErrTunnelExists, tunnelfile.Problems or ErrNotStored.
func (m *Manager) AddTunnel(ctx context.Context, name, text string) error { return errNotBuilt }

// UpdateTunnel does the same for a tunnel that exists.
func (m *Manager) UpdateTunnel(ctx context.Context, name, text string) error { return errNotBuilt }

// RemoveTunnel stops a tunnel and deletes its file.
func (m *Manager) RemoveTunnel(ctx context.Context, name string) error { return errNotBuilt }

// Start starts tunnels by name or glob (path.Match); no patterns means all.
// It returns when systemd has been asked, not when they are up.
func (m *Manager) Start(ctx context.Context, patterns []string) error { return errNotBuilt }

// Stop stops tunnels, until Start or the service manager's next start.
func (m *Manager) Stop(ctx context.Context, patterns []string) error { return errNotBuilt }

// Restart stops and starts tunnels.
func (m *Manager) Restart(ctx context.Context, patterns []string) error { return errNotBuilt }

// Reconnect asks for a new SSH connection, made before the old one is let go.
func (m *Manager) Reconnect(ctx context.Context, patterns []string) error { return errNotBuilt }

// Reload reads the directories again.
func (m *Manager) Reload(ctx context.Context) error { return errNotBuilt }

// Statistics is the running tunnel's own report, read now. A tunnel that does not
// run has an empty one with its name and state.
func (m *Manager) Statistics(ctx context.Context, name string) (tunnelfile.Report, error) {
	return tunnelfile.Report{}, errNotBuilt
}

// Subscribe calls f with every later change, in order, from a goroutine of its
// own, until cancel is called.
func (m *Manager) Subscribe(f func(Change)) (cancel func()) { return func() {} }
