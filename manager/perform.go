package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// unloadGrace is how long systemd may take to unload a transient unit that ended.
const unloadGrace = time.Second

// perform is the I/O of an action. Where it designs the units anew, it returns the file with
// them.
func (m *Manager) perform(ctx context.Context, name string, a Action, f *file) (*file, error) {
	switch a.Verb {
	case MakeService, MakeSocket, Diagnose:
		units, err := f.design.Renewed(ctx, f.Tunnel, m.Host.Host)
		switch {
		case err != nil:
			return nil, err
		case a.Verb == Diagnose:
			units, err = units.WithoutTaken(ctx, f.Tunnel, m.Host.Host)
		default:
			err = m.make(ctx, name, a.Verb, units)
		}
		return &file{f.Tunnel, units, f.hash}, err
	}
	return nil, m.performOn(ctx, name, a)
}

// performOn is the I/O of an action on units that exist.
func (m *Manager) performOn(ctx context.Context, name string, a Action) error {
	service, socket := tunnelfile.ServiceName(name), tunnelfile.SocketName(name)
	switch a.Verb {
	case StartService, RestartService:
		// This resets the start limit, which is for crashes and not for starts by people and networks.
		if err := ignoreGone(m.Units.ResetFailed(ctx, service)); err != nil {
			return err
		}
		if a.Verb == StartService {
			return m.Units.Start(ctx, service)
		}
		return m.Units.Restart(ctx, service)
	case StopUnits:
		return m.stop(ctx, name)
	case Unload:
		return m.unload(ctx, name)
	case FreeNames:
		return errors.Join(ignoreGone(m.Units.ResetFailed(ctx, socket)), ignoreGone(m.Units.ResetFailed(ctx, service)))
	case SendSignal:
		return m.Units.Kill(ctx, service, a.Signal)
	}
	return fmt.Errorf("no such action: %d", a.Verb)
}

// make makes both units of a tunnel and starts one of them.
func (m *Manager) make(ctx context.Context, name string, v Verb, units design.Units) error {
	if err := units.CheckPaths(ctx); err != nil {
		return err
	}
	if units.Socket.Name == "" { // an earlier one may have failed
		if err := ignoreGone(m.Units.ResetFailed(ctx, tunnelfile.SocketName(name))); err != nil {
			return err
		}
	}
	unit, others := units.Service, []systemdctl.Transient{units.Socket}
	switch {
	case v == MakeSocket:
		unit, others = units.Socket, []systemdctl.Transient{units.Service}
	case units.Socket.Name == "":
		others = nil
	}
	start := func() error { return m.Units.StartTransient(ctx, unit, others...) }
	err := start()
	if !errors.Is(err, systemdctl.ErrUnitExists) {
		return err
	}
	if err := m.unload(ctx, name); err != nil {
		return err
	}
	if err := start(); !errors.Is(err, systemdctl.ErrUnitExists) {
		return err
	}
	if err := m.Units.Start(ctx, unit.Name); err != nil {
		return err
	}
	return errDesignRefused
}

// errDesignRefused says that a tunnel was started with its old settings: another unit refers to
// its units, so systemd keeps them loaded. The old settings are better than no tunnel.
var errDesignRefused = errors.New("a unit that refers to the tunnel's units keeps them as they were: the new settings wait until that unit is stopped")

// unload waits until systemd has unloaded a tunnel's units, which have ended. systemd unloads
// them when their control group is empty, but sometimes it misses that (seen with systemd 252 on
// Linux 6.18); another stop makes it look again.
func (m *Manager) unload(ctx context.Context, name string) error {
	for end, pause := time.Now().Add(unloadGrace), 10*time.Millisecond; ; pause *= 2 {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		f, err := m.facts(ctx, name, unitsOf(name), m.RuntimeDir)
		if err != nil || !f.loaded() || time.Now().After(end) {
			return err
		}
		if err := m.stop(ctx, name); err != nil {
			return err
		}
	}
}

// stop stops both units: the socket first, so that no connection starts the service again.
func (m *Manager) stop(ctx context.Context, name string) error {
	return errors.Join(ignoreGone(m.Units.Stop(ctx, tunnelfile.SocketName(name))),
		ignoreGone(m.Units.Stop(ctx, tunnelfile.ServiceName(name))))
}

// ignoreGone returns err, or nil if it says that there is no such unit.
func ignoreGone(err error) error {
	if errors.Is(err, systemdctl.ErrNoSuchUnit) {
		return nil
	}
	return err
}
