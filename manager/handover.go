package manager

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	maxHandOvers  = 4                // at a time: each is another process and another login
	handOverLimit = 80 * time.Second // for one; a worker gives its successor a minute
)

// handOvers lets few tunnels at a time be handed over to a new process.
type handOvers struct {
	queue    []queuedHandOver // in the order in which they were asked
	underWay map[string]handOver
}

// queuedHandOver is one whose turn has not come yet.
type queuedHandOver struct {
	name    string
	unasked bool // RollingRestart=yes wants it, and no person
}

// handOver is one that is under way.
type handOver struct {
	from     uint32    // process
	failedAt time.Time // an earlier one, of that process
	until    time.Time
}

// canHandOver says whether the worker has something to hand over, and knows how.
func (r *row) canHandOver() bool {
	return r.report != nil && r.report.HandsOver && (r.statusIs(tunnelfile.Up) || r.statusIs(tunnelfile.Degraded))
}

// waitsForPerson says whether the worker told so, be it of one of several connections.
func (r *row) waitsForPerson() bool {
	return tunnelfile.ParseStatus(r.service.StatusText).Reason.Class().Blocks()
}

// queueHandOver has a worker hand over when it is its turn.
func (m *Manager) queueHandOver(r *row, unasked bool) {
	_, underWay := m.handOvers.underWay[r.name]
	isQueued := slices.ContainsFunc(m.handOvers.queue, func(q queuedHandOver) bool { return q.name == r.name })
	if !underWay && !isQueued {
		m.handOvers.queue = append(m.handOvers.queue, queuedHandOver{r.name, unasked})
	}
}

// renew has a worker of another version hand over to the program of now, once.
func (m *Manager) renew(r *row) {
	if m.RollingRestart && r.canHandOver() && !r.waitsForPerson() && r.report.Version != m.Version && r.renewed != r.service.MainPID {
		r.renewed = r.service.MainPID
		m.queueHandOver(r, true)
		m.Log.Info("is to be handed over to the new program (RollingRestart=yes)", "tunnel", r.name, "from", r.report.Version, "to", m.Version)
	}
}

// seeHandOver notices that a handover has ended, well or not.
func (m *Manager) seeHandOver(r *row) {
	h, underWay := m.handOvers.underWay[r.name]
	if underWay && (r.service.MainPID != h.from || !r.canHandOver() || !r.report.NotHandedOverAt.Equal(h.failedAt) || !time.Now().Before(h.until)) {
		delete(m.handOvers.underWay, r.name)
		r.handOver = false
		if !r.canHandOver() {
			r.renewed = 0 // the new program has not failed: once it is up again
		}
	}
}

// startHandOvers begins those whose turn it is. One that has lost its connection meanwhile has
// nothing to hand over: it is restarted if a person asked, else it is to be handed over once it
// is up again.
func (m *Manager) startHandOvers() {
	for len(m.handOvers.underWay) < maxHandOvers && len(m.handOvers.queue) > 0 {
		next := m.handOvers.queue[0]
		r := m.rows[next.name]
		m.handOvers.queue = m.handOvers.queue[1:]
		if r == nil || !r.service.running() {
			continue
		}
		switch {
		case r.canHandOver():
			m.handOvers.underWay[r.name] = handOver{r.service.MainPID, r.report.NotHandedOverAt, time.Now().Add(handOverLimit)}
			time.AfterFunc(handOverLimit, func() { m.post(m.ctx, func() { m.step(r) }) })
			r.handOver = true
		case next.unasked:
			r.renewed = 0
		default:
			r.restart = true
		}
		m.step(r)
	}
}
