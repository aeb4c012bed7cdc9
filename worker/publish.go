package worker

import (
	"log/slog"
	"time"

	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/pool"
)

// publish computes the status and publishes it if it has changed.
func (w *worker) publish() {
	links, forwards := w.pool.Status(), w.set.Report()
	if links.State == "" || w.predecessor.serving() {
		return // no keeper has started yet, or another process speaks for the tunnel
	}
	now := w.status(links, forwards)
	w.refuseWhileBlocked(now)
	if w.stopping {
		now = tunnelfile.Status{State: tunnelfile.Stopping}
	}
	firstHere := w.predecessor.present() && !w.publishedHere
	if firstHere && now.State == tunnelfile.Connecting {
		return // others still see the tunnel up, and our link is about to be used
	}
	before := w.setPublished(now)
	if firstHere { // before the status: others read the report when the status changes
		w.publishedHere = true
		w.reports.begin(replaceReports)
	}
	switch {
	case !w.ready && allUp(links.Status, forwards):
		w.ready = true
		w.notify.ready(now.String())
	case now != before:
		w.notify.status(now.String())
	}
	if now.State != before.State {
		w.logState(now)
	}
}

// status computes the status, with everything that people should know now.
func (w *worker) status(links pool.Status, forwards []tunnelfile.ForwardReport) tunnelfile.Status {
	w.rtt = steadyRTT(w.rtt, links.RTT)
	now := describe(links, forwards, w.rtt)
	waitsFor, waiting := w.answers.WaitsFor()
	if now.State == tunnelfile.Connecting {
		now.Reason = waitsFor
	}
	for _, note := range []string{transportNote(links.Status), waiting, w.note, w.commandNote, w.handOverText()} {
		if note != "" {
			now.Text += " (" + note + ")"
		}
	}
	return now
}

// refuseWhileBlocked makes the forwards refuse connections while the tunnel is blocked. That changes their
// state, which causes another publish.
func (w *worker) refuseWhileBlocked(now tunnelfile.Status) {
	refuse := now.State == tunnelfile.Blocked
	switch {
	case refuse == w.refusing:
	case refuse:
		w.set.Refuse(now.Reason, now.Text)
	default:
		w.set.Accept()
	}
	w.refusing = refuse
}

// setPublished makes now the published status. It returns the one before.
func (w *worker) setPublished(now tunnelfile.Status) (before tunnelfile.Status) {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	before, w.published = w.published, now
	if now.State != before.State {
		w.since = time.Now()
	}
	return before
}

// logState logs a new state; holdfast history reads these lines. An outage logs one warning, and
// another one if it needs a person.
func (w *worker) logState(s tunnelfile.Status) {
	level := slog.LevelInfo
	switch s.State {
	case tunnelfile.Up:
		w.outage = false
	case tunnelfile.Blocked:
		level = slog.LevelWarn
		w.outage = true
	case tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Offline:
		if !w.outage {
			level = slog.LevelWarn
		}
		w.outage = true
	}
	journal.Event{Kind: journal.State, State: string(s.State), Reason: string(s.Reason), Status: s.Text}.
		Log(w.log, level, string(s.State), "reason", string(s.Reason), "status", s.Text)
}
