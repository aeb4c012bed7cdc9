package dbusapi

import (
	"context"
	"errors"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/listing"
)

// Snapshot is everything the daemon publishes, at one moment.
type Snapshot struct {
	Running bool   // the daemon runs; if not, only Err is set
	Err     error  // why it does not run, if that is known
	Owner   string // the unique bus name of its process, which changes with each start
	Global  listing.Global
	Tunnels []listing.Tunnel // sorted by name
}

// Tunnel is the tunnel of this name.
func (s Snapshot) Tunnel(name string) (listing.Tunnel, bool) { return listing.Find(s.Tunnels, name) }

// Watch sends a Snapshot now, and whenever something differs. The channel is closed when ctx ends or
// the bus goes away. A slow reader misses Snapshots in between, but never the latest.
//
// It starts the daemon once. If the daemon ends, a Snapshot says so, and the next one comes when it
// runs again, by itself or by Activate.
func (c *Client) Watch(ctx context.Context) (<-chan Snapshot, error) {
	signals, stop, err := c.conn.Signals(ctx, bus.Match{Sender: BusName, PathPrefix: EntryPath}, bus.OwnerChanges(BusName))
	if err != nil {
		return nil, goError(err)
	}
	w := &watcher{client: c, signals: signals, stop: stop}
	snapshots := make(chan Snapshot)
	go w.run(ctx, snapshots)
	return snapshots, nil
}

// watcher follows the daemon.
type watcher struct {
	client  *Client
	signals <-chan *dbus.Signal
	stop    func()

	now                     Snapshot // without its Tunnels
	tunnels                 map[dbus.ObjectPath]listing.Tunnel
	tunnelsAsOf, globalAsOf moment
}

// moment is when a question was asked, in the order in which replies and signals come.
//
// The reply includes the changes of signals that came before the question, and not those of signals
// after the reply. For a signal in between it is unknown: the daemon makes a reply before it sends
// it.
type moment struct {
	asked   dbus.Sequence // of a reply that came before the question
	replied dbus.Sequence
}

// news says whether a signal has a change that the reply does not include, or may have one (unsure).
func (m moment) news(signal *dbus.Signal) (news, unsure bool) {
	return signal.Sequence > m.replied, signal.Sequence > m.asked && signal.Sequence < m.replied
}

func (w *watcher) run(ctx context.Context, snapshots chan<- Snapshot) {
	defer close(snapshots)
	defer w.stop()
	w.load(ctx)
	out, next := snapshots, w.snapshot()
	for {
		select {
		case <-ctx.Done():
			return
		case out <- next:
			out = nil // until something differs
		case signal, ok := <-w.signals:
			if !ok {
				return // the bus went away
			}
			if w.take(ctx, signal) {
				out, next = snapshots, w.snapshot()
			}
		}
	}
}

func (w *watcher) snapshot() Snapshot {
	s := w.now
	s.Tunnels = sorted(w.tunnels)
	return s
}

// load asks for everything.
func (w *watcher) load(ctx context.Context) {
	w.now = Snapshot{}
	theBus := w.client.conn.BusObject()
	w.globalAsOf = moment{replied: theBus.CallWithContext(ctx, bus.Name+".GetId", 0).ResponseSequence}
	err := w.loadGlobal(ctx)
	if err == nil {
		w.tunnelsAsOf = w.globalAsOf
		err = w.loadTunnels(ctx)
	}
	if err == nil {
		err = theBus.CallWithContext(ctx, bus.Name+".GetNameOwner", 0, BusName).Store(&w.now.Owner)
	}
	w.now.Running, w.now.Err = err == nil, err
	if err != nil {
		w.tunnels = nil
	}
}

func (w *watcher) loadGlobal(ctx context.Context) error {
	global, replied, err := w.client.global(ctx)
	if err == nil {
		w.now.Global, w.globalAsOf = global, moment{w.globalAsOf.replied, replied}
	}
	return err
}

func (w *watcher) loadTunnels(ctx context.Context) error {
	tunnels, replied, err := w.client.managed(ctx)
	if err == nil {
		w.tunnels, w.tunnelsAsOf = tunnels, moment{w.tunnelsAsOf.replied, replied}
	}
	return err
}

// take takes in a signal, and says whether something may differ.
func (w *watcher) take(ctx context.Context, signal *dbus.Signal) bool {
	switch signal.Name {
	case bus.Name + ".NameOwnerChanged":
		return w.ownerChanged(ctx, signal)
	case propertiesInterface + ".PropertiesChanged":
		return w.propertiesChanged(ctx, signal)
	case objectManagerInterface + ".InterfacesAdded":
		var path dbus.ObjectPath
		var interfaces map[string]map[string]dbus.Variant
		if dbus.Store(signal.Body, &path, &interfaces) != nil {
			return false
		}
		return w.ofTunnels(ctx, signal, func() bool {
			if properties, ok := interfaces[TunnelInterface]; ok && !complete(properties) {
				return w.readTunnel(ctx, path)
			}
			return w.update(path, interfaces[TunnelInterface])
		})
	case objectManagerInterface + ".InterfacesRemoved":
		var path dbus.ObjectPath
		var interfaces []string
		if dbus.Store(signal.Body, &path, &interfaces) != nil {
			return false
		}
		return w.ofTunnels(ctx, signal, func() bool { delete(w.tunnels, path); return true })
	}
	return false
}

// ofTunnels takes in a signal about the tunnels. If the signal is news it calls change; if that is
// unsure it asks for all tunnels anew.
func (w *watcher) ofTunnels(ctx context.Context, signal *dbus.Signal, change func() bool) bool {
	switch news, unsure := w.tunnelsAsOf.news(signal); {
	case !w.now.Running:
		return false
	case unsure:
		// If the daemon does not answer any more, the signal of its end follows.
		return w.loadTunnels(ctx) == nil
	case !news:
		return false
	}
	return change()
}

func (w *watcher) ownerChanged(ctx context.Context, signal *dbus.Signal) bool {
	_, owner, ok := bus.OwnerChange(signal)
	if !ok || signal.Sequence < w.globalAsOf.replied {
		return false
	}
	if owner == "" {
		w.now, w.tunnels = Snapshot{Err: ErrStopped}, nil
		return true
	}
	w.load(ctx)
	return true
}

func (w *watcher) propertiesChanged(ctx context.Context, signal *dbus.Signal) bool {
	var iface string
	var changed map[string]dbus.Variant
	var invalidated []string
	if dbus.Store(signal.Body, &iface, &changed, &invalidated) != nil || !w.now.Running {
		return false
	}
	switch iface {
	case ManagerInterface:
		switch news, unsure := w.globalAsOf.news(signal); {
		case unsure, news && len(invalidated) > 0:
			// The tunnels are never older than what the daemon publishes of itself.
			return w.loadGlobal(ctx) == nil && w.loadTunnels(ctx) == nil
		case !news:
			return false
		}
		g, err := withProperties(w.now.Global, changed)
		w.now.Global = g
		return err == nil
	case TunnelInterface:
		return w.ofTunnels(ctx, signal, func() bool {
			_, known := w.tunnels[signal.Path]
			if known && len(invalidated) > 0 {
				return w.readTunnel(ctx, signal.Path)
			}
			return known && w.update(signal.Path, changed)
		})
	}
	return false
}

// readTunnel asks for a tunnel, because a signal did not have all its properties.
func (w *watcher) readTunnel(ctx context.Context, path dbus.ObjectPath) bool {
	t, err := w.client.tunnelAt(ctx, path)
	if err == nil {
		w.tunnels[path] = t
	}
	return err == nil
}

// update changes these properties of a tunnel.
func (w *watcher) update(path dbus.ObjectPath, properties map[string]dbus.Variant) bool {
	t, err := withProperties(w.tunnels[path], properties)
	if err != nil || t.Name == "" {
		return false
	}
	w.tunnels[path] = t
	return true
}

// Wait watches until done is true for a Snapshot, and returns that one.
func (c *Client) Wait(ctx context.Context, done func(Snapshot) bool) (Snapshot, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	snapshots, err := c.Watch(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	var last Snapshot
	for last = range snapshots {
		if done(last) {
			return last, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return last, err
	}
	return last, errors.Join(ErrNoBus, errors.New("the message bus went away"))
}
