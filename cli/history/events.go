package history

import (
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/journalctl"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/tunnelfile"
)

// event is one thing that the journal says about a tunnel.
type event struct {
	at     moment
	tunnel string // "" means all tunnels
	what   eventKind
	state  tunnelfile.State
	why    cause
}

// cause is the reason for a tunnel's state.
type cause struct {
	reason fault.Reason
	text   string // for people
}

// eventKind is the kind of an event.
type eventKind int

const (
	workerState  eventKind = iota // the worker reports a state
	daemonState                   // the daemon reports a state; for a tunnel that does not run, nobody else does
	linkLost                      // why the SSH connection ended
	unitStarting                  // systemd starts the unit
	unitStopping                  // systemd stops the unit because somebody wanted it
	unitStopped                   // systemd has stopped it
	programEnded                  // the program ended by itself
	unitFailed                    // the unit failed, and systemd knows why
	machineOff                    // the last entry of an earlier boot
)

// Message IDs of systemd, see sd-messages.h and systemd.journal-fields(7).
const (
	messageStarting    = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageStopping    = "de5b426a63be47a7b6ac3eaac82e2f6f"
	messageStopped     = "9d1aaa27d60140bd96365438aad20286"
	messageProcessExit = "98e322203f7a4ed290d09fe03c09fe15"
	messageFailed      = "d9b373ed55a64feb8242e02dbe79a49c"
)

// systemdMessages lists all of these.
var systemdMessages = []string{messageStarting, messageStopping, messageStopped, messageProcessExit, messageFailed}

// eventOf returns what a journal entry says about a tunnel. It is false if it says nothing.
func eventOf(e journalctl.Entry) (event, bool) {
	happened := event{at: momentOf(e)}
	if of := e.Subject(); e.MessageID != "" && of != "" {
		name, ok := nameOfService(of)
		happened.tunnel = name
		return happened, ok && happened.bySystemd(e)
	}
	unit := e.Writer()
	told := e.Event
	name, isTunnel := nameOfService(unit)
	state := tunnelfile.State(told.State)
	isState := told.Kind == journal.State && slices.Contains(tunnelfile.States(), state)
	happened.why = cause{fault.Reason(told.Reason), withoutDelay(told.Status)}
	switch {
	case isTunnel && isState:
		happened.tunnel, happened.what, happened.state = name, workerState, state
		return happened, true
	case isTunnel && told.Kind == journal.Lost:
		happened.tunnel, happened.what, happened.why.text = name, linkLost, told.Status
		return happened, true
	case unit == journal.DaemonUnit && isState && tunnelfile.ValidName(told.Tunnel):
		happened.tunnel, happened.what, happened.state = told.Tunnel, daemonState, state
		return happened, true
	}
	return happened, false
}

// bySystemd fills in an event from systemd's message about a unit.
func (h *event) bySystemd(e journalctl.Entry) bool {
	switch e.MessageID {
	case messageStarting:
		h.what = unitStarting
	case messageStopping:
		h.what = unitStopping
	case messageStopped: // also logged before a new start, and after a failure
		h.what = unitStopped
		return e.JobType == "stop"
	case messageProcessExit:
		h.what = programEnded
		h.state, h.why = howEnded(e.ExitCode, e.ExitStatus)
		return e.Command == "ExecStart"
	case messageFailed:
		h.what = unitFailed
		switch e.UnitResult {
		case "watchdog":
			h.why = cause{fault.Crashed, "its program hung"}
		case "oom-kill":
			h.why = cause{fault.Crashed, "its program was killed for want of memory"}
		}
		return h.why != cause{}
	default:
		return false
	}
	return true
}

// howEnded is the state of a tunnel whose program ended, and the cause.
func howEnded(code, status string) (tunnelfile.State, cause) {
	if n, err := strconv.Atoi(status); err == nil && code == "exited" {
		if s := tunnelfile.ParseStatus(tunnelfile.ExitText(tunnelfile.ExitStatus(n))); s.State != "" {
			return s.State, cause{s.Reason, s.Text}
		}
		if n == 0 {
			return tunnelfile.Inactive, cause{}
		}
		return tunnelfile.Retrying, cause{fault.Crashed, "its program ended with status " + status}
	}
	return tunnelfile.Retrying, cause{fault.Crashed, "its program was killed by signal " + status}
}

// nameOfService is the tunnel whose service unit this is.
func nameOfService(unit string) (string, bool) {
	name, ok := tunnelfile.NameOfUnit(unit)
	return name, ok && unit == tunnelfile.ServiceName(name)
}

// withoutDelay removes the time of the next try from a status: "in 8s, connection refused".
func withoutDelay(status string) string {
	if rest, ok := strings.CutPrefix(status, "in "); ok {
		if _, why, ok := strings.Cut(rest, ", "); ok {
			return why
		}
	}
	return status
}
