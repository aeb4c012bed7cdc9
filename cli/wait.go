package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// wait follows tunnels until each is as wanted, needs somebody to act, or the timeout is over.
type wait struct {
	*session.Session
	action
	client  *dbusapi.Client
	start   time.Time
	timeout time.Duration
	pending []listing.Tunnel  // not finished; as they were before the request
	shown   map[string]string // the line that was shown last, by name
	moved   map[string]bool   // by name: the tunnel has reacted to the request
	ended   []listing.Tunnel
	failed  bool

	unwell        map[string]time.Time // by name: since when it is degraded
	notHandedOver map[string]string    // by name: why it did not change to a new process
}

// stale is how long after the request a state may still be the one from before it.
const stale = 2 * time.Second

// recoveryTime is how long a tunnel may be degraded before up reports a failure. A forward may come up
// shortly after the others.
const recoveryTime = 5 * time.Second

func newWait(s *session.Session, a action, client *dbusapi.Client, before []listing.Tunnel, start time.Time, timeout time.Duration) *wait {
	w := &wait{
		Session: s, action: a, client: client, start: start, timeout: timeout, pending: slices.Clone(before),
		shown: make(map[string]string), moved: make(map[string]bool), unwell: make(map[string]time.Time), notHandedOver: make(map[string]string),
	}
	for _, t := range before { // do not show the states from before
		w.shown[t.Name] = happening(t)
	}
	return w
}

// run waits for all tunnels and returns the result.
func (w *wait) run(now dbusapi.Snapshot, snapshots <-chan dbusapi.Snapshot) error {
	defer w.Out.EndProgress()
	over := time.NewTimer(time.Until(w.start.Add(w.timeout)))
	defer over.Stop()
	pace := time.Second // between two updates of the elapsed time
	if w.poll {
		pace = 200 * time.Millisecond
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if w.finishDone(now); len(w.pending) == 0 {
			return w.result()
		}
		w.show(now)
		select {
		case <-w.Ctx.Done():
			return w.interrupted(now)
		case <-over.C:
			w.giveUp(now)
			return w.result()
		case <-tick.C:
			if w.poll {
				now = w.lookAgain(now)
			}
		case next, ok := <-snapshots:
			switch {
			case !ok && w.Ctx.Err() != nil:
				return w.interrupted(now)
			case !ok:
				return dbusapi.ErrNoBus
			case !next.Running:
				if err := w.client.Activate(w.Ctx); err != nil {
					return w.InterruptedOr(err)
				}
				continue
			}
			now = next
		}
	}
}

// lookAgain updates a snapshot with the tunnels' statistics. A new SSH connection changes neither state
// nor status, so it causes no signal. Only the statistics say why a rolling restart failed.
func (w *wait) lookAgain(now dbusapi.Snapshot) dbusapi.Snapshot {
	now.Tunnels = slices.Clone(now.Tunnels)
	for i, t := range now.Tunnels {
		if _, pending := listing.Find(w.pending, t.Name); !pending {
			continue
		}
		s, err := w.client.Statistics(w.Ctx, t.Name)
		if err == nil && w.handsOver && s.NotHandedOverAt.After(w.start) {
			w.notHandedOver[t.Name] = s.NotHandedOver
		}
		if err == nil && !w.handsOver && s.UpTime > 0 && s.UpTime < time.Since(w.start) {
			now.Tunnels[i].UpSince = time.Now().Add(-s.UpTime)
		}
	}
	return now
}

// finishDone removes the finished tunnels from pending and prints their results.
func (w *wait) finishDone(now dbusapi.Snapshot) {
	w.pending = slices.DeleteFunc(w.pending, func(before listing.Tunnel) bool {
		t, there := now.Tunnel(before.Name)
		fresh := !t.StateSince.Equal(before.StateSince) || time.Since(w.start) >= stale
		switch {
		case !there && w.stops:
			w.finish(before, "was removed")
		case !there:
			w.fail(before, before.Name+" was removed meanwhile", "")
		case w.mayRecover(t):
			w.moved[t.Name] = true
			return false
		case w.mustBeWell && t.State == tunnelfile.Degraded:
			w.fail(t, isLine(t), tunnel.Hint(t))
		case w.notHandedOver[t.Name] != "":
			w.fail(t, fmt.Sprintf("%s stays in its old process: %s", t.Name, text.Printable(w.notHandedOver[t.Name])), "")
		case w.done(t, w.start):
			w.finish(t, w.goal)
		case !w.stops && fresh && needsSomebody(t):
			w.fail(t, isLine(t), tunnel.Hint(t))
		case !w.stops && t.State == tunnelfile.Inactive && w.moved[t.Name]:
			w.fail(t, t.Name+" was stopped meanwhile", "")
		default:
			w.note(t)
			return false
		}
		return true
	})
}

// note remembers that a tunnel has reacted to the request. On the way from offline or failed to
// connecting it may be inactive, so these states do not count.
func (w *wait) note(t listing.Tunnel) {
	switch t.State {
	case tunnelfile.Inactive, tunnelfile.Stopping, tunnelfile.Offline, tunnelfile.Failed:
	default:
		w.moved[t.Name] = !w.restarts || t.StateSince.After(w.start)
	}
}

// mayRecover says whether a tunnel is degraded and may be well soon without anybody's help.
func (w *wait) mayRecover(t listing.Tunnel) bool {
	if !w.mustBeWell || t.State != tunnelfile.Degraded {
		delete(w.unwell, t.Name)
		return false
	}
	switch t.Reason {
	case fault.RemoteListen, fault.SlowAnswer, fault.Connections, fault.Lost:
		return true
	}
	since, seen := w.unwell[t.Name]
	if !seen {
		since = time.Now()
		w.unwell[t.Name] = since
	}
	if time.Since(since) < recoveryTime {
		return true
	}
	delete(w.unwell, t.Name)
	return false
}

// needsSomebody says whether a tunnel stays as it is until a person acts, or a file or a rule changes.
// Just after the request this may be the state from before it, see stale.
func needsSomebody(t listing.Tunnel) bool {
	if tunnel.Stuck(t.State) {
		return true
	}
	switch t.Reason {
	case fault.Rule, fault.Portal, fault.Settings, fault.Listen, fault.Dependency:
		return t.State == tunnelfile.Offline || t.State == tunnelfile.Retrying
	}
	return false
}

// fail prints that a tunnel did not become as wanted.
func (w *wait) fail(t listing.Tunnel, message, hint string) {
	w.failed = true
	w.ended = append(w.ended, t)
	w.Out.Failure(message, hint)
}

// finish prints that a tunnel is as wanted.
func (w *wait) finish(t listing.Tunnel, goal string) {
	w.ended = append(w.ended, t)
	if w.JSON {
		return
	}
	content := t.Name + " " + goal
	switch {
	case t.State == tunnelfile.Degraded:
		content = isLine(t)
	case t.State == tunnelfile.Listening && w.mustBeWell:
		content = t.Name + " listens; the SSH connection is made at the first connection"
	case t.Status != "" && tunnel.Running(t.State):
		content += ": " + text.Printable(t.Status)
	}
	w.Out.Line("%s", content)
}

// giveUp prints the state of each pending tunnel when the timeout is over.
func (w *wait) giveUp(now dbusapi.Snapshot) {
	for _, before := range w.pending {
		t, _ := now.Tunnel(before.Name)
		w.fail(t, fmt.Sprintf("%s %s after %s: %s", t.Name, w.goalMissed, span(w.timeout), tunnel.Line(t)), tunnel.Hint(t))
	}
	w.pending = nil
}

// interrupted prints the state of each pending tunnel after Ctrl-C. It changes nothing.
func (w *wait) interrupted(now dbusapi.Snapshot) error {
	for _, before := range w.pending {
		if t, ok := now.Tunnel(before.Name); ok {
			w.Out.Note("%s is left as it is, %s", t.Name, tunnel.Line(t))
			if !w.stops {
				w.Out.Hint(tunnel.Hint(t))
			}
		}
	}
	return session.ErrPrinted
}

// show prints what the pending tunnels are doing. On a terminal it rewrites a line for each, with the
// elapsed time. Elsewhere it prints each change.
func (w *wait) show(now dbusapi.Snapshot) {
	var lines []string
	for _, before := range w.pending {
		t, _ := now.Tunnel(before.Name)
		line := happening(t)
		if w.shown[t.Name] != line && !w.Out.Live {
			w.Out.Progress(line)
		}
		w.shown[t.Name] = line
		lines = append(lines, line)
	}
	if !w.Out.Live {
		return
	}
	if more := len(lines) - mostShown; more > 0 {
		lines = append(lines[:mostShown], fmt.Sprintf("… and %s more", text.Count(more, "tunnel")))
	}
	waited := time.Since(w.start).Truncate(time.Second)
	if waited >= time.Second {
		lines = append(lines, fmt.Sprintf("%s of %s at most; Ctrl-C leaves %s as it is", span(waited), span(w.timeout), w.them()))
	}
	w.Out.Progress(lines...)
}

// mostShown is how many tunnels are shown.
const mostShown = 10

// span formats a duration as --timeout takes it: "1m30s", "10m".
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		zero string
	}{{time.Hour, "0m0s"}, {time.Minute, "0s"}} {
		if d >= unit.of && d%unit.of == 0 {
			return strings.TrimSuffix(d.String(), unit.zero)
		}
	}
	return d.String()
}

// them names the pending tunnels in a sentence.
func (w *wait) them() string {
	if len(w.pending) == 1 {
		return w.pending[0].Name
	}
	return "each"
}

// happening is a tunnel's state with its name: "web: retrying: in 8s, connection refused".
func happening(t listing.Tunnel) string { return t.Name + ": " + tunnel.Line(t) }

// isLine is a tunnel's state as a sentence.
func isLine(t listing.Tunnel) string { return fmt.Sprintf("%s is %s", t.Name, tunnel.Line(t)) }

func (w *wait) result() error {
	if w.JSON {
		slices.SortFunc(w.ended, func(a, b listing.Tunnel) int { return strings.Compare(a.Name, b.Name) })
		if err := w.Out.JSON(jsonout.TunnelsOf(w.ended), false); err != nil {
			return err
		}
	}
	if w.failed {
		return session.ErrPrinted
	}
	return nil
}
