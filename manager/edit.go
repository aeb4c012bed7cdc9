package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/tunnelfile"
)

// CheckTunnel returns everything that is wrong with the text of a tunnel file, nil if nothing is.
// It writes nothing. The error is for a name that no tunnel can have.
func (m *Manager) CheckTunnel(ctx context.Context, name, text string) (tunnelfile.Problems, error) {
	if !tunnelfile.ValidName(name) {
		return nil, invalidName(name)
	}
	t, problems := tunnelfile.Parse(name, "", text)
	_, more := design.Of(ctx, t, m.Host.Host)
	return append(problems, more...), ctx.Err()
}

// AddTunnel checks the text and writes it to the first directory. It fails with
// ErrInvalidName, ErrTunnelExists, tunnelfile.Problems or ErrNotStored.
func (m *Manager) AddTunnel(ctx context.Context, name, text string) error {
	return m.edit(ctx, name, func() error {
		if path := m.find(name); path != "" {
			return fmt.Errorf("%w: %s (%s)", listing.ErrTunnelExists, name, path)
		}
		return m.store(ctx, name, text)
	})
}

// UpdateTunnel does the same for a tunnel that exists. A file in another directory than the first
// stays, and the new file overrides it.
func (m *Manager) UpdateTunnel(ctx context.Context, name, text string) error {
	return m.edit(ctx, name, func() error {
		if m.find(name) == "" {
			return noSuchTunnel(name)
		}
		return m.store(ctx, name, text)
	})
}

// RemoveTunnel stops a tunnel, and deletes its file and the drop-ins beside it. It is ErrRefused if
// the file is in another directory than the first.
func (m *Manager) RemoveTunnel(ctx context.Context, name string) error {
	return m.edit(ctx, name, func() error {
		path := m.find(name)
		switch {
		case path == "":
			return noSuchTunnel(name)
		case filepath.Dir(path) != filepath.Clean(m.Dirs[0]):
			return fmt.Errorf("%w: %s is not yours to remove, it is the administrator's: %s (stop it, or override it with a file of that name in %s)",
				listing.ErrRefused, name, path, m.Dirs[0])
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("%w: %w", listing.ErrNotStored, err)
		}
		if err := os.RemoveAll(path + ".d"); err != nil {
			return fmt.Errorf("%w: %w", listing.ErrNotStored, err)
		}
		return nil
	})
}

// edit changes tunnel files, one caller at a time. It waits until the table has read them and the
// actions that follow are under way.
func (m *Manager) edit(ctx context.Context, name string, change func() error) error {
	if !tunnelfile.ValidName(name) {
		return invalidName(name)
	}
	select {
	case m.edits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := change()
	<-m.edits
	if err != nil {
		return err
	}
	return m.loadAndWait(ctx)
}

func (m *Manager) store(ctx context.Context, name, text string) error {
	problems, err := m.CheckTunnel(ctx, name, text)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return problems
	}
	if err := tunnelfile.Write(filepath.Join(m.Dirs[0], name+tunnelfile.Suffix), text); err != nil {
		return fmt.Errorf("%w: %w", listing.ErrNotStored, err)
	}
	return nil
}

// find returns the path of the file that counts for a name, whether it can be read or not; "" if
// there is none.
func (m *Manager) find(name string) string {
	for _, dir := range m.Dirs {
		path := filepath.Join(dir, name+tunnelfile.Suffix)
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return ""
}

func invalidName(name string) error { return fmt.Errorf("%w: %q", listing.ErrInvalidName, name) }
