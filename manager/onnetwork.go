package manager

import (
	"maps"
	"slices"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/netwatch"
)

// onNetwork takes over a new snapshot of the network. Tunnels that may not run on it are suspended
// or stopped, those that may run again are started, and those that are up are probed if the way to
// their server may have changed. No healthy connection is dropped: the worker finds out.
func (m *Manager) onNetwork(n netwatch.Network) {
	first := !m.networkKnown
	old := m.network
	for _, r := range m.rows {
		if m.obstacle(r).ofWay() {
			r.retry = retryTimer{}
		}
	}
	m.network, m.networkKnown = n, true
	m.Log.Info("network "+string(n.State), "source", n.Source, "connection", n.Primary.ID)
	m.showGlobal()
	for _, r := range m.rows {
		r.forgetWay()
		if r.failure.reason == fault.Listen { // its address may exist now
			r.diagnose = true
		}
	}
	if !first && moved(old, n) {
		m.probeAll()
	}
	m.stepAll()
}

// networkTimeout goes on although there is no snapshot of the network.
func (m *Manager) networkTimeout() {
	if !m.networkKnown {
		m.Log.Warn("nobody says what the network is like; tunnels are tried all the same")
		m.networkKnown = true
	}
}

// onSleep suspends all tunnels before the machine sleeps, and probes them when it wakes. It calls
// done, which lets the machine sleep, once the signals have been sent.
func (m *Manager) onSleep(going bool, done func()) {
	m.asleep = going
	if !going {
		m.probeAll()
	}
	m.afterAll(slices.Collect(maps.Values(m.rows)), done)
}

func (m *Manager) probeAll() {
	for _, r := range m.rows {
		r.probe = true
	}
}
