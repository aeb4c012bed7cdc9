package manager

import (
	"syscall"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Action is the next thing to do for a tunnel. When it is done, the units are read and the next
// action is planned, until there is nothing to do.
type Action struct {
	Verb   Verb
	Signal syscall.Signal // for SendSignal
}

// Verb is what to do.
type Verb int

// Verbs of an Action.
const (
	Nothing        Verb = iota
	Wait                // systemd starts or stops a unit
	MakeService         // both units, and start the service (which starts the socket)
	MakeSocket          // both units, and start the socket alone
	StartService        // the units are loaded
	RestartService      // likewise; also ends the wait of an automatic restart
	StopUnits
	FreeNames // reset failed units, so that their names can be used again
	Unload    // have systemd unload units that ended
	Diagnose  // find out why the socket unit cannot listen, or whether it can now
	SendSignal
)

// plan compares what a tunnel is to be with what it is (pure). It finds the next action without
// any memory of earlier ones, so the order in which files, units, wishes and the network changed
// does not matter.
func plan(r *row, o obstacle) Action {
	if r.broken {
		// A tunnel that runs goes on as it is; only the network still matters.
		return signal(r, o)
	}
	if r.stopping || r.service.ending() || r.socket.ending() {
		return Action{Verb: Wait}
	}
	if !r.wanted() || o.why == fault.Rule {
		return planEnd(r)
	}
	if r.service.Job && !r.service.running() || r.socket.Job && !r.socket.running() {
		return Action{Verb: Wait} // systemd is about to start it
	}
	if r.diagnose || r.socket.failed() && r.socket.Result == "resources" && r.failure == (failure{}) && !r.retryNow {
		return Action{Verb: Diagnose}
	}
	failed := r.service.failed() || r.socket.failed() || r.failure != (failure{}) || r.stoppedElsewhere
	if failed && !r.retryNow {
		return Action{}
	}
	if r.stale() && (r.service.running() || r.socket.running()) {
		return Action{Verb: StopUnits} // the next plan makes them anew
	}
	if r.service.running() {
		if r.restart {
			return Action{Verb: RestartService}
		}
		return signal(r, o)
	}
	socketOnly := r.file.Start == tunnelfile.StartOnDemand || o.blocks()
	switch {
	case socketOnly && !r.listens():
		return Action{}
	case socketOnly && !r.socket.running():
		return Action{Verb: MakeSocket}
	case socketOnly && r.service.failed():
		return Action{Verb: FreeNames}
	case socketOnly:
		return Action{}
	case r.socket.running():
		return Action{Verb: StartService}
	}
	return Action{Verb: MakeService}
}

// planEnd is plan for a tunnel that is not to run.
func planEnd(r *row) Action {
	switch {
	case r.failure != (failure{}) && !r.retryNow: // they could not be stopped
		return Action{}
	case r.service.running() || r.socket.running() || r.service.Job || r.socket.Job:
		return Action{Verb: StopUnits}
	case r.service.failed() || r.socket.failed():
		return Action{Verb: FreeNames}
	case r.loaded() && !r.lingers:
		return Action{Verb: Unload}
	}
	return Action{}
}

// signal is the signal to send to a running worker, if any.
func signal(r *row, o obstacle) Action {
	if r.service.waits() {
		if r.probe && !o.blocks() {
			return Action{Verb: RestartService}
		}
		return Action{}
	}
	// A process that has not set a status yet may not handle signals yet.
	if !r.service.running() || r.service.MainPID == 0 || r.service.StatusText == "" {
		return Action{}
	}
	state := tunnelfile.ParseStatus(r.service.StatusText).State
	signalled := r.lastSignal.pid == r.service.MainPID
	suspended := signalled && r.lastSignal.suspend || !signalled && state == tunnelfile.Offline
	switch {
	case !r.broken && r.outdated():
		return Action{Verb: SendSignal, Signal: tunnelfile.SignalReload}
	case o.blocks() && !(signalled && suspended):
		return Action{Verb: SendSignal, Signal: tunnelfile.SignalSuspend}
	case o.blocks():
		return Action{}
	case suspended || r.probe:
		return Action{Verb: SendSignal, Signal: tunnelfile.SignalProbe}
	case r.handOver && r.canHandOver():
		return Action{Verb: SendSignal, Signal: tunnelfile.SignalHandOver}
	case r.reconnect:
		return Action{Verb: SendSignal, Signal: tunnelfile.SignalReconnect}
	}
	return Action{}
}

// outdated says whether the worker runs with other settings than the file's, and has not been
// sent SignalReload for them. A worker that was sent it for a file that has been changed back
// needs it once more: it still reports that file's problems.
func (r *row) outdated() bool {
	if r.report == nil || r.file == nil || r.report.Settings == "" {
		return false
	}
	if r.lastSignal.pid == r.service.MainPID && r.lastSignal.file != "" {
		return r.lastSignal.file != r.file.hash
	}
	return r.report.Settings != r.file.hash
}

// String is the verb, for the log.
func (v Verb) String() string {
	return [...]string{"nothing", "wait", "make service", "make socket", "start service",
		"restart service", "stop units", "free names", "unload", "diagnose", "send signal"}[v]
}
