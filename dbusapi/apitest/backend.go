package apitest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Backend is tunnels made of memory. What a started tunnel does is told by its
// destination's host, see outcomes.
type Backend struct {
	mu          sync.Mutex
	rows        map[string]listing.Tunnel
	global      listing.Global
	starts      map[string]int // of each tunnel; the first is at Since, others are now
	subscribers map[int]func(listing.Change)
	next        int
}

// outcomes is what becomes of a tunnel to a host of this name, state after state. One to
// any other host comes up at once.
var outcomes = map[string][]outcome{
	"refused":  {{state: tunnelfile.Connecting}, {tunnelfile.Retrying, fault.Unreachable, "in 8s, cannot connect to 198.51.100.2 port 22: connection refused"}},
	"denied":   {{state: tunnelfile.Connecting}, {tunnelfile.Blocked, fault.Denied, "the server refused every way to authenticate (publickey)"}},
	"stranger": {{state: tunnelfile.Connecting}, {tunnelfile.Blocked, fault.HostKeyUnknown, "the host key of stranger is not known, and nobody is there to ask"}},
	"broken":   {{tunnelfile.Failed, fault.Crashed, "holdfast-tunnel ended with status 1, five times in a minute"}},
	"slow":     {{tunnelfile.Connecting, fault.None, "198.51.100.2:22"}},
	"away":     {{tunnelfile.Offline, fault.Network, "no network"}},
	"ruled":    {{tunnelfile.Offline, fault.Rule, "NeverOn=hotel: not on this network"}},
	"taken":    {{tunnelfile.Failed, fault.Listen, "LocalForward 5432: address already in use (held by postgres, pid 812)"}},
	"held":     {{state: tunnelfile.Connecting}, {tunnelfile.Degraded, fault.RemoteListen, "the server still holds port 9090"}},
}

type outcome struct {
	state  tunnelfile.State
	reason fault.Reason
	status string
}

// NewBackend has no tunnels and is online.
func NewBackend() *Backend {
	return &Backend{
		rows:        make(map[string]listing.Tunnel),
		starts:      make(map[string]int),
		global:      listing.Global{Version: "0.0.0-test", Network: "online", NetworkSource: "NetworkManager"},
		subscribers: make(map[int]func(listing.Change)),
	}
}

// Since is when everything in a Backend happened for the first time.
var Since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// publish tells every subscriber. The lock is held, so changes keep their order.
func (b *Backend) publish(c listing.Change) {
	for _, f := range b.subscribers {
		f(c)
	}
}

// Put adds the tunnel or changes it.
func (b *Backend) Put(t listing.Tunnel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(t)
}

func (b *Backend) put(t listing.Tunnel) {
	old, known := b.rows[t.Name]
	b.rows[t.Name] = t
	if known {
		b.publish(listing.Change{Kind: listing.Changed, Old: old, New: t})
	} else {
		b.publish(listing.Change{Kind: listing.Added, New: t})
	}
}

// SetGlobal changes what the manager says of itself.
func (b *Backend) SetGlobal(g listing.Global) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.global
	b.global = g
	b.publish(listing.Change{Kind: listing.GlobalChanged, OldGlobal: old, NewGlobal: g})
}

// row is a tunnel as its file says.
func row(name, text string) (listing.Tunnel, error) {
	file, problems := tunnelfile.Parse(name, "", text)
	if len(problems) > 0 {
		return listing.Tunnel{}, problems
	}
	t := listing.Tunnel{
		Name: name, Description: cmp.Or(file.Description, file.Destination), Destination: file.Destination,
		FilePath: "/home/me/.config/holdfast/" + name + tunnelfile.Suffix, Text: text,
		Unit: tunnelfile.ServiceName(name), StartMode: file.Start, Tags: file.Tags,
		State: tunnelfile.Inactive, StateSince: Since.Add(-time.Hour),
		LocalForward: file.Written(tunnelfile.LocalForward), RemoteForward: file.Written(tunnelfile.RemoteForward),
		DynamicForward: file.Written(tunnelfile.DynamicForward),
	}
	for _, f := range file.Forwards {
		t.Forwards = append(t.Forwards, tunnelfile.ForwardReport{Kind: f.Kind, Listen: f.ListenText(), Target: f.TargetText(), State: tunnelfile.Inactive})
	}
	return t, nil
}

// AddTunnel adds one, and starts it unless Start=manual.
func (b *Backend) AddTunnel(ctx context.Context, name, text string) error {
	if !tunnelfile.ValidName(name) {
		return fmt.Errorf("%w: %q", listing.ErrInvalidName, name)
	}
	t, err := row(name, text)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.rows[name]; known {
		return fmt.Errorf("%w: %s", listing.ErrTunnelExists, name)
	}
	b.put(t)
	if t.StartMode != tunnelfile.StartManual {
		b.start(t)
	}
	return nil
}

// UpdateTunnel changes one.
func (b *Backend) UpdateTunnel(ctx context.Context, name, text string) error {
	t, err := row(name, text)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old, err := b.known(name)
	if err != nil {
		return err
	}
	b.put(at(t, outcome{old.State, old.Reason, old.Status}))
	return nil
}

// RemoveTunnel removes one.
func (b *Backend) RemoveTunnel(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, err := b.known(name)
	if err != nil {
		return err
	}
	delete(b.rows, name)
	b.publish(listing.Change{Kind: listing.Removed, Old: old})
	return nil
}

// CheckTunnel parses the text.
func (b *Backend) CheckTunnel(ctx context.Context, name, text string) (tunnelfile.Problems, error) {
	_, problems := tunnelfile.Parse(name, "", text)
	return problems, nil
}

// Tunnel is one row.
func (b *Backend) Tunnel(ctx context.Context, name string) (listing.Tunnel, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known(name)
}

func (b *Backend) known(name string) (listing.Tunnel, error) {
	t, known := b.rows[name]
	if !known {
		return t, fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, name)
	}
	return t, nil
}

// Tunnels is all rows, sorted by name.
func (b *Backend) Tunnels(ctx context.Context) ([]listing.Tunnel, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.matching(nil)
}

func (b *Backend) matching(patterns []string) ([]listing.Tunnel, error) {
	var found []listing.Tunnel
	for _, name := range slices.Sorted(maps.Keys(b.rows)) {
		if len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			found = append(found, b.rows[name])
		}
	}
	for _, p := range patterns {
		if !slices.ContainsFunc(found, func(t listing.Tunnel) bool { ok, _ := path.Match(p, t.Name); return ok }) {
			return nil, fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, p)
		}
	}
	return found, nil
}

// each calls f for each tunnel that matches.
func (b *Backend) each(patterns []string, f func(listing.Tunnel)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	tunnels, err := b.matching(patterns)
	for _, t := range tunnels {
		f(t)
	}
	return err
}

func (b *Backend) start(t listing.Tunnel) {
	host := t.Destination[strings.LastIndex(t.Destination, "@")+1:]
	steps, known := outcomes[host]
	if !known {
		steps = []outcome{{state: tunnelfile.Connecting}, {tunnelfile.Up, fault.None, text.Count(len(t.Forwards), "forward") + ", rtt 12 ms"}}
	}
	if t.StartMode == tunnelfile.StartOnDemand {
		steps = []outcome{{state: tunnelfile.Listening}}
	}
	for _, step := range steps {
		now := at(t, step)
		if b.starts[t.Name] > 0 {
			now.StateSince = time.Now()
		}
		if !now.UpSince.IsZero() {
			now.UpSince = now.StateSince
		}
		b.put(now)
	}
	b.starts[t.Name]++
}

// at is the tunnel in this state.
func at(t listing.Tunnel, o outcome) listing.Tunnel {
	t.State, t.Reason, t.Status, t.StateSince, t.UpSince = o.state, o.reason, o.status, Since, time.Time{}
	if o.state == tunnelfile.Up || o.state == tunnelfile.Degraded {
		t.UpSince = Since
	}
	t.Forwards = slices.Clone(t.Forwards)
	for i := range t.Forwards {
		t.Forwards[i].State = o.state
	}
	return t
}

// Start starts tunnels, which for one to "crowd" takes longer than a call may.
func (b *Backend) Start(ctx context.Context, patterns []string) error {
	late := false
	err := b.each(patterns, func(t listing.Tunnel) {
		b.start(t)
		late = late || strings.HasSuffix(t.Destination, "@crowd")
	})
	if late {
		return listing.ErrUnderWay
	}
	return err
}

// Stop stops tunnels.
func (b *Backend) Stop(ctx context.Context, patterns []string) error {
	return b.each(patterns, func(t listing.Tunnel) {
		b.put(at(t, outcome{state: tunnelfile.Stopping}))
		b.put(at(t, outcome{state: tunnelfile.Inactive}))
	})
}

// Restart is Stop and Start.
func (b *Backend) Restart(ctx context.Context, patterns []string) error {
	if err := b.Stop(ctx, patterns); err != nil {
		return err
	}
	return b.Start(ctx, patterns)
}

// Reconnect makes tunnels that are up come up now.
func (b *Backend) Reconnect(ctx context.Context, patterns []string) error {
	return b.each(patterns, func(t listing.Tunnel) {
		if !t.UpSince.IsZero() {
			t.UpSince = time.Now()
			b.put(t)
		}
	})
}

// RestartRolling does the same: a new process has a new connection.
func (b *Backend) RestartRolling(ctx context.Context, patterns []string) error {
	return b.Reconnect(ctx, patterns)
}

// Reload does nothing.
func (b *Backend) Reload(ctx context.Context) error { return nil }

// Attended does nothing.
func (b *Backend) Attended(ctx context.Context) error { return nil }

// Statistics are the same for every tunnel that is up.
func (b *Backend) Statistics(ctx context.Context, name string) (tunnelfile.Report, error) {
	t, err := b.Tunnel(ctx, name)
	if err != nil || t.UpSince.IsZero() {
		return tunnelfile.Report{Name: name}, err
	}
	counted := slices.Clone(t.Forwards)
	if len(counted) > 0 { // all of it by the first one
		counted[0].BytesSent, counted[0].BytesReceived = 1536, 104857600
		counted[0].ChannelsOpen, counted[0].ChannelsTotal = 2, 17
	}
	return tunnelfile.Report{
		Name: name, State: t.State, Forwards: counted, UpSince: time.Now().Add(-90 * time.Minute), RTT: 12 * time.Millisecond,
		BytesSent: 1536, BytesReceived: 104857600, ChannelsOpen: 2, ChannelsTotal: 17, Reconnects: 1, Connections: 1, ConnectionsWanted: 1,
		Transport: tunnelfile.TransportNative, Peer: "198.51.100.2:22",
		Kex: "mlkem768x25519-sha256", Cipher: "aes128-gcm@openssh.com", HostKey: "ssh-ed25519 SHA256:abc",
	}, nil
}

// Global is what the manager says of itself.
func (b *Backend) Global(ctx context.Context) (listing.Global, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.global, nil
}

// Subscribe calls f with every change, under the lock.
func (b *Backend) Subscribe(f func(listing.Change)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.next
	b.next++
	b.subscribers[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subscribers, id)
	}
}

// User is root, as in tunnels of the system that do not say otherwise.
func (b *Backend) User(context.Context, string) (string, error) { return "root", nil }
