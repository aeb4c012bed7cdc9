package dbusapi

import (
	"context"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// managerObject is the Manager interface, on the entry object.
type managerObject struct{ *server }

// do is server.do on the entry object.
func (o managerObject) do(msg dbus.Message, f func(ctx context.Context) error) *dbus.Error {
	if err := onEntry(msg, ManagerInterface); err != nil {
		return err
	}
	return o.server.do(msg, f)
}

// Limits for what a caller may pass. Each pattern is compared with the name of each tunnel, while the
// manager's table waits.
const (
	maxTunnels = 4096
	maxNames   = maxTunnels
	maxName    = 255 // bytes of a name or glob
)

// boundText returns an error for a name or text that is too long for a tunnel.
func boundText(name, text string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("%w: it has more than %d characters", listing.ErrInvalidName, maxName)
	case len(text) > tunnelfile.MaxFileSize:
		return fmt.Errorf("%w: a tunnel file has at most %d KiB, this text has %d", ErrTooMany, tunnelfile.MaxFileSize>>10, len(text)>>10)
	}
	return nil
}

// boundNames is an error for more names, or longer ones, than there can be.
func boundNames(names []string) *dbus.Error {
	if len(names) > maxNames {
		return bus.LimitsExceeded(fmt.Sprintf("%d names, more than %d", len(names), maxNames))
	}
	for _, name := range names {
		if err := boundText(name, ""); err != nil {
			return dbusError(err)
		}
	}
	return nil
}

// onNames is do for the methods that take names and globs.
func (o managerObject) onNames(msg dbus.Message, f func(ctx context.Context, patterns []string) error, names []string) *dbus.Error {
	if err := boundNames(names); err != nil {
		return err
	}
	return o.do(msg, func(ctx context.Context) error { return f(ctx, names) })
}

func (o managerObject) AddTunnel(msg dbus.Message, name, text string) (dbus.ObjectPath, *dbus.Error) {
	err := o.do(msg, func(ctx context.Context) error {
		if err := boundText(name, text); err != nil {
			return err
		}
		tunnels, err := o.backend.Tunnels(ctx)
		if err != nil {
			return err
		}
		if len(tunnels) >= maxTunnels {
			return fmt.Errorf("%w: there are %d tunnels already", ErrTooMany, len(tunnels))
		}
		return o.backend.AddTunnel(ctx, name, text)
	})
	if err != nil {
		return "/", err
	}
	return tunnelPath(name), nil
}

func (o managerObject) UpdateTunnel(msg dbus.Message, name, text string) *dbus.Error {
	return o.do(msg, func(ctx context.Context) error {
		if err := boundText(name, text); err != nil {
			return err
		}
		return o.backend.UpdateTunnel(ctx, name, text)
	})
}

func (o managerObject) RemoveTunnel(msg dbus.Message, name string) *dbus.Error {
	return o.do(msg, func(ctx context.Context) error { return o.backend.RemoveTunnel(ctx, name) })
}

// askedAtOnce is how many tunnels are asked side by side what they counted: one that hangs takes a second.
const askedAtOnce = 32

func (o managerObject) Statistics(msg dbus.Message, names []string) (map[string]map[string]dbus.Variant, *dbus.Error) {
	if err := onEntry(msg, ManagerInterface); err != nil {
		return nil, err
	}
	if err := boundNames(names); err != nil {
		return nil, err
	}
	return answer(o.server, func(ctx context.Context) (map[string]map[string]dbus.Variant, error) {
		tunnels, err := o.backend.Tunnels(ctx)
		if err != nil {
			return nil, err
		}
		var (
			mu      sync.Mutex
			asked   sync.WaitGroup
			counted = make(map[string]map[string]dbus.Variant)
			slots   = make(chan struct{}, askedAtOnce)
			wanted  = make(map[string]bool)
		)
		for _, name := range names {
			wanted[name] = true
		}
		for _, t := range tunnels {
			if len(names) > 0 && !wanted[t.Name] {
				continue
			}
			slots <- struct{}{}
			asked.Go(func() {
				defer func() { <-slots }()
				s, err := o.counted(ctx, t.Name)
				if err != nil || s.Empty() {
					return
				}
				values := s.shown(o.mayRead(msg, t))
				mu.Lock()
				defer mu.Unlock()
				counted[t.Name] = values
			})
		}
		asked.Wait()
		return counted, nil
	})
}

// checkRow is a tunnelfile.Problem of a text that has no path: (uss).
type checkRow struct {
	Line    uint32
	Key     string
	Message string
}

func (o managerObject) CheckTunnel(msg dbus.Message, name, text string) ([]checkRow, *dbus.Error) {
	if err := onEntry(msg, ManagerInterface); err != nil {
		return nil, err
	}
	// Checking may ask ssh, which runs what a Match exec says.
	if err := o.allowed(msg); err != nil {
		return nil, err
	}
	problems, err := answer(o.server, func(ctx context.Context) (tunnelfile.Problems, error) {
		if err := boundText(name, text); err != nil {
			return nil, err
		}
		return o.backend.CheckTunnel(ctx, name, text)
	})
	return mapped(problems, func(p tunnelfile.Problem) checkRow { return checkRow{uint32(max(p.Line, 0)), p.Key, p.Message} }), err
}

func (o managerObject) GetTunnel(msg dbus.Message, name string) (dbus.ObjectPath, *dbus.Error) {
	if err := onEntry(msg, ManagerInterface); err != nil {
		return "/", err
	}
	t, err := answerFor(o.server, name, o.backend.Tunnel)
	if err != nil {
		return "/", err
	}
	return tunnelPath(t.Name), nil
}

func (o managerObject) Start(msg dbus.Message, names []string) *dbus.Error {
	return o.onNames(msg, o.backend.Start, names)
}

func (o managerObject) Stop(msg dbus.Message, names []string) *dbus.Error {
	return o.onNames(msg, o.backend.Stop, names)
}

func (o managerObject) Restart(msg dbus.Message, names []string) *dbus.Error {
	return o.onNames(msg, o.backend.Restart, names)
}

func (o managerObject) Reconnect(msg dbus.Message, names []string) *dbus.Error {
	return o.onNames(msg, o.backend.Reconnect, names)
}

func (o managerObject) RestartRolling(msg dbus.Message, names []string) *dbus.Error {
	return o.onNames(msg, o.backend.RestartRolling, names)
}

func (o managerObject) Reload(msg dbus.Message) *dbus.Error {
	return o.do(msg, o.backend.Reload)
}

func (o managerObject) RegisterAgent(msg dbus.Message, path dbus.ObjectPath) *dbus.Error {
	return o.do(msg, func(ctx context.Context) error { return o.register(ctx, senderOf(msg), path) })
}

func (o managerObject) UnregisterAgent(msg dbus.Message, path dbus.ObjectPath) *dbus.Error {
	return o.do(msg, func(ctx context.Context) error { return o.unregister(ctx, senderOf(msg), path) })
}

// onEntry returns an error unless the message is for the entry object, the only one with this
// interface.
func onEntry(msg dbus.Message, iface string) *dbus.Error {
	path := pathOf(msg)
	if path == EntryPath {
		return nil
	}
	if _, ok := tunnelfile.NameOfPath(string(path)); ok || path == tunnelsPath {
		return unknownInterface(path, iface)
	}
	return unknownObject(path)
}
