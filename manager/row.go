package manager

import (
	"net/netip"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// row is one tunnel as the table has it: what its file wants, what its units are, what
// people asked for since, and what is under way. Only the table's goroutine touches it.
type row struct {
	name string

	file   *tunnelfile.Tunnel // as it was last read without problems; nil: there is none
	hash   string             // SettingsHash of file
	design design             // of file
	server netip.Addr         // zero: not asked for, or only the DNS knows
	asked  bool               // for server
	broken bool               // the file as it stands cannot be read: leave alone what runs

	service, socket unit
	report          *tunnelfile.Report // of the running worker; nil: it gave none

	down    bool // a person said so (see downMarkers)
	started bool // Start=manual, and a person said so

	// Asked for, each once: cleared by the action that carries it out.
	retry     bool // an occasion to try again what failed or was stopped elsewhere
	restart   bool
	reconnect bool
	probe     bool
	diagnose  bool // whether its addresses can be listened on by now

	told     told
	kept     mark   // of a design that systemd would not make
	lingers  bool   // the units have ended and are not forgotten, whatever we do
	stopping bool   // we asked for the units' end and have not seen it yet
	alone    bool   // somebody else stopped it: not to be started again unasked
	problem  string // why the last action failed

	problemWhy fault.Reason // of problem
	again      again        // when to try it again unasked

	known      bool     // the units have been read
	acting     bool     // an action is in flight; it ends with a reading
	reading    bool     // the units are being read
	readAgain  bool     // one of them changed meanwhile,
	readSocket bool     // not only the service
	unmarked   bool     // the marker on disk is not as down says
	forgetful  error    // why it could not be made so
	waiting    []func() // called when there is nothing to do

	shown   Tunnel
	isShown bool
}

// told is what the worker with this process ID was told last.
type told struct {
	pid  uint32
	hold bool   // SIGUSR2, and not SIGUSR1 since
	file string // SettingsHash of the file for which it was sent SIGHUP
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

// waits says whether a crashed service waits for its next start.
func (u unit) waits() bool {
	return u.ActiveState == "activating" && (u.SubState == "auto-restart" || u.SubState == "auto-restart-queued")
}

// listens says whether the tunnel is to have a socket unit.
func (r *row) listens() bool { return r.design.socket.Name != "" }

// wanted says whether the tunnel is to run, network permitting.
func (r *row) wanted() bool {
	if r.file == nil || r.down {
		return false
	}
	return r.file.Start != tunnelfile.StartManual || r.started
}

// loaded says whether systemd knows one of the units.
func (r *row) loaded() bool { return r.service.Name != "" || r.socket.Name != "" }

// stale says whether the units were made from other settings than the file's.
func (r *row) stale() bool {
	if r.kept != (mark{}) && r.kept == r.design.mark {
		return false
	}
	have, ours := markOf(r.service.Environment)
	if !ours || have.service != r.design.mark.service {
		return true
	}
	// A running worker opens and closes listeners by itself; the socket unit is made
	// anew when it does not run.
	return have.socket != r.design.mark.socket && !r.service.running() && !r.service.ending()
}
