package manager

import (
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// row is one tunnel as the table has it. Only the table's goroutine touches it.
type row struct {
	name   string
	file   *file // as it was last read without problems; nil: there is none
	broken bool  // the file as it stands cannot be read: leave alone what runs

	wished
	asked
	seen
	inFlight

	failure failure    // of the last action; zero: it did not fail
	retry   retryTimer // when to try again unasked

	shown   listing.Tunnel
	isShown bool
}

// failure is why the last action failed.
type failure struct {
	reason fault.Reason
	text   string
}

// wished is what a person wants, until the next wish.
type wished struct {
	down             bool // a person said so (see downMarkers)
	started          bool // Start=manual, and a person said so
	stoppedElsewhere bool // by systemctl: not to be started again unasked

	markerOld bool  // the marker on disk is not as down says
	markerErr error // why it could not be made so
}

// up is the wish that the tunnel run.
func (w *wished) up() {
	w.markerOld = w.markerOld || w.down
	w.down, w.started, w.stoppedElsewhere = false, true, false
}

// stop is the wish that it do not.
func (w *wished) stop() {
	w.markerOld = w.markerOld || !w.down || w.markerErr != nil
	w.down, w.started, w.stoppedElsewhere = true, false, false
}

// forget is for a tunnel whose file is gone: a new one of that name starts afresh.
func (w *wished) forget() {
	w.markerOld = w.markerOld || w.down
	w.down = false
}

// asked is what is to be done once. The action that does it clears it.
type asked struct {
	again     bool // try again what failed, or what was stopped elsewhere
	restart   bool
	reconnect bool
	handOver  bool // to a new process
	probe     bool
	diagnose  bool // find out whether its addresses can be listened on by now
}

// begun is for an action that made or started units: what it stands for is done.
func (a *asked) begun() { a.again, a.restart, a.handOver, a.probe = false, false, false, false }

// clear is for a plan with nothing in it.
func (a *asked) clear() { *a = asked{diagnose: a.diagnose} }

// seen is what was last seen of the tunnel.
type seen struct {
	facts
	known bool // the units have been read

	lastSignal    lastSignal
	renewed       uint32      // the process that RollingRestart= has asked to hand over
	refusedDesign design.Mark // of units that systemd would not make
	way           Way         // to the server
	wayKnown      bool
}

// lastSignal is what the worker with this process ID was told last.
type lastSignal struct {
	pid     uint32
	suspend bool   // SIGUSR2, and not SIGUSR1 since
	file    string // SettingsHash of the file for which it was sent SIGHUP
}

// inFlight is what is under way.
type inFlight struct {
	acting     bool     // an action; it ends with a reading
	reading    bool     // the units are being read
	readAgain  bool     // one of them changed meanwhile,
	readSocket bool     // not only the service
	starting   bool     // we asked for the service's start and have not seen it yet
	stopping   bool     // we asked for the units' end and have not seen it yet
	lingers    bool     // the units have ended and systemd keeps them, whatever we do
	waiting    []func() // called when there is nothing to do
}

// busy says whether the row is to be left alone until something has ended.
func (i *inFlight) busy() bool { return i.acting || i.reading }

// finish answers those who wait for what they asked to be under way.
func (i *inFlight) finish() {
	for _, f := range i.waiting {
		f()
	}
	i.waiting = nil
}

// unit is a unit as it was last read; the zero unit is not loaded.
type unit struct{ systemdctl.Unit }

// running says whether the unit is there in any way that a stop would end.
func (u unit) running() bool {
	switch u.ActiveState {
	case "active", "activating", "reloading", "refreshing":
		return true
	}
	return false
}

func (u unit) failed() bool { return u.ActiveState == "failed" }
func (u unit) ending() bool { return u.ActiveState == "deactivating" }

// gone says whether the unit has ended, and not by failing.
func (u unit) gone() bool { return !u.running() && !u.ending() && !u.failed() && !u.Job }

// waits says whether a crashed service waits for its next start.
func (u unit) waits() bool {
	return u.ActiveState == "activating" && (u.SubState == "auto-restart" || u.SubState == "auto-restart-queued")
}

// active says whether any of the two units is there, or about to end.
func (s *seen) active() bool {
	return s.service.running() || s.service.ending() || s.socket.running() || s.socket.ending()
}

// says tells whether the worker runs and its last word was this state.
func (s *seen) says(state tunnelfile.State) bool {
	return s.service.running() && tunnelfile.ParseStatus(s.service.StatusText).State == state
}

// forgetWay has the server located again: the file, or the network, has changed.
func (s *seen) forgetWay() { s.way, s.wayKnown = WayOut, false }

// listens says whether the tunnel is to have a socket unit.
func (r *row) listens() bool { return r.file != nil && r.file.design.Socket.Name != "" }

// wanted says whether the tunnel is to run, network permitting.
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
	// A running worker opens and closes listeners by itself; the socket unit is made
	// anew when it does not run.
	return have.Socket != want.Socket && !r.service.running() && !r.service.ending()
}

// user is who a tunnel of the system runs as.
func (r *row) user() string {
	if r.file == nil {
		return tunnelfile.Tunnel{}.User()
	}
	return r.file.User()
}

// occasion lets the row try again what failed, or what somebody else stopped.
func (r *row) occasion() {
	r.again, r.stoppedElsewhere, r.failure = true, false, failure{}
}
