package manager

import (
	"maps"
	"slices"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/netwatch"
)

// onNetwork takes over a new snapshot of the network: what may not run on it is held
// or stopped, what may again is started, what is up is probed if the way may have
// changed. A healthy connection is never dropped for it: the worker finds out.
func (m *Manager) onNetwork(n netwatch.Network) {
	first := !m.heard
	old := m.network
	for _, r := range m.rows {
		if m.obstacle(r).ofWay() {
			r.retry = retryTimer{}
		}
	}
	m.network, m.heard = n, true
	m.Log.Info("network "+string(n.State), "source", n.Source, "connection", n.Primary.ID)
	m.showGlobal()
	for _, r := range m.rows {
		r.forgetWay()
		if r.failure.reason == fault.Listen { // an address may have come
			r.diagnose = true
		}
	}
	if !first && moved(old, n) {
		m.probeAll()
	}
	m.stepAll()
}

// networkUnheard goes on without a word on the network.
func (m *Manager) networkUnheard() {
	if !m.heard {
		m.Log.Warn("nobody says what the network is like")
		m.heard = true
	}
}

// onSleep holds all tunnels before the machine sleeps, and probes them when it wakes.
// When they have been told it calls done, which lets the machine go.
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
