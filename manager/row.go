package manager

import (
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// row is one tunnel in the table. Only Run's goroutine uses it.
type row struct {
	name   string
	file   *file // as it was last read without problems; nil if there is none
	broken bool  // the file cannot be read now: leave alone what runs

	wished
	asked
	seen
	inFlight

	failure failure    // of the last action; zero if it did not fail
	retry   retryTimer // when to try again without being asked

	shown   listing.Tunnel
	isShown bool
}

// failure is why the last action failed.
type failure struct {
	reason fault.Reason
	text   string
}

// wished is what a person wants. It stays so until the person wants something else.
type wished struct {
	down             bool // a person stopped it (see downMarkers)
	started          bool // Start=manual, and a person started it
	stoppedElsewhere bool // systemctl stopped it: do not start it without being asked

	markerOld bool  // the marker on disk differs from down
	markerErr error // why the marker could not be written
}

// up is the wish that the tunnel runs.
func (w *wished) up() {
	w.markerOld = w.markerOld || w.down
	w.down, w.started, w.stoppedElsewhere = false, true, false
}

// stop is the wish that it does not run.
func (w *wished) stop() {
	w.markerOld = w.markerOld || !w.down || w.markerErr != nil
	w.down, w.started, w.stoppedElsewhere = true, false, false
}

// forget is for a tunnel whose file is gone. A new file of that name starts from nothing.
func (w *wished) forget() {
	w.markerOld = w.markerOld || w.down
	w.down = false
}

// asked is what to do once. The action that does it clears it.
type asked struct {
	retryNow  bool // retry what failed, or start what was stopped elsewhere
	restart   bool
	reconnect bool
	handOver  bool // have a new process take over
	probe     bool
	diagnose  bool // find out whether its addresses are free now
}

// begun is for an action that made or started units: these requests are done by it.
func (a *asked) begun() { a.retryNow, a.restart, a.handOver, a.probe = false, false, false, false }

// clear is for a plan without an action.
func (a *asked) clear() { *a = asked{diagnose: a.diagnose} }

// seen is what was last observed of the tunnel.
type seen struct {
	facts
	known bool // the units have been read

	lastSignal    lastSignal
	renewed       uint32      // the process that RollingRestart= has asked to hand over
	refusedDesign design.Mark // of units that systemd would not make
	way           Way         // to the server
	wayKnown      bool
}

// lastSignal is what was last sent to the worker with this process ID.
type lastSignal struct {
	pid     uint32
	suspend bool   // SignalSuspend, and no SignalProbe since
	file    string // SettingsHash of the file that SignalReload was about
}

// inFlight is what is under way.
type inFlight struct {
	acting     bool     // an action, which ends by reading the units
	reading    bool     // the units are being read
	readAgain  bool     // one of them has changed meanwhile
	readSocket bool     // and it was not only the service
	starting   bool     // the start of the service was asked for and not yet observed
	stopping   bool     // the stop of the units was asked for and not yet observed
	lingers    bool     // the units have ended, and systemd does not unload them
	waiting    []func() // to call when there is nothing more to do
}

// busy says whether a job of the row is under way: it must end before the next step.
func (i *inFlight) busy() bool { return i.acting || i.reading }

// finish answers the callers that wait until what they asked for is under way.
func (i *inFlight) finish() {
	for _, f := range i.waiting {
		f()
	}
	i.waiting = nil
}

// unit is a unit as it was last read. The zero unit is not loaded.
type unit struct{ systemdctl.Unit }

// running says whether the unit is in a state that a stop would end.
func (u unit) running() bool {
	switch u.ActiveState {
	case "active", "activating", "reloading", "refreshing":
		return true
	}
	return false
}

func (u unit) failed() bool { return u.ActiveState == "failed" }
func (u unit) ending() bool { return u.ActiveState == "deactivating" }

// gone says whether the unit has ended without a failure.
func (u unit) gone() bool { return !u.running() && !u.ending() && !u.failed() && !u.Job }

// waits says whether the service crashed and waits for its next start.
func (u unit) waits() bool {
	return tunnelfile.StateOf(u.ActiveState, u.SubState, "") == tunnelfile.Retrying
}

// active says whether one of the two units runs, or is about to end.
func (s *seen) active() bool {
	return s.service.running() || s.service.ending() || s.socket.running() || s.socket.ending()
}

// statusIs says whether the worker runs and its status has this state.
func (s *seen) statusIs(state tunnelfile.State) bool {
	return s.service.running() && tunnelfile.ParseStatus(s.service.StatusText).State == state
}

// forgetWay causes the server to be located anew: the file or the network has changed.
func (s *seen) forgetWay() { s.way, s.wayKnown = WayOut, false }

// listens says whether the tunnel is to have a socket unit.
func (r *row) listens() bool { return r.file != nil && r.file.design.Socket.Name != "" }

// wanted says whether the tunnel is to run if the network permits.
func (r *row) wanted() bool {
	if r.file == nil || r.down {
		return false
	}
	return r.file.Start != tunnelfile.StartManual || r.started
}

// stale says whether the units were made from other settings than the file's.
func (r *row) stale() bool {
	want := r.file.design.Mark
	if r.refusedDesign != (design.Mark{}) && r.refusedDesign == want {
		return false
	}
	have, ours := design.MarkOf(r.service.Environment)
	if !ours || have.Service != want.Service {
		return true
	}
	// A running worker opens and closes listeners by itself. The socket unit is made anew when no
	// worker runs.
	return have.Socket != want.Socket && !r.service.running() && !r.service.ending()
}

// user is the user that a tunnel of the system runs as.
func (r *row) user() string {
	if r.file == nil {
		return tunnelfile.Tunnel{}.User()
	}
	return r.file.User()
}

// allowRetry lets the row retry what failed, and start what somebody else stopped.
func (r *row) allowRetry() {
	r.retryNow, r.stoppedElsewhere, r.failure = true, false, failure{}
}
