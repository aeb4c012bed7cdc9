package history

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/tunnelfile"
)

// event is something that the journal says of a tunnel.
type event struct {
	at     moment
	tunnel string // empty: all of them
	what   happened
	state  tunnelfile.State
	why    cause
}

// cause is why a tunnel is as it is.
type cause struct {
	reason fault.Reason
	text   string // for people
}

type happened int

const (
	workerSays   happened = iota // what it is doing, by its own word
	daemonSays                   // likewise, by the daemon's: of one that does not run, nobody else does
	linkLost                     // why the SSH connection ended
	unitStarting                 // by systemd's word
	unitStopping                 // because somebody wanted it
	unitStopped                  // likewise, and it is over
	programEnded                 // because nobody wanted it
	unitFailed                   // why it did, where systemd knows more
	machineOff                   // the last that was heard before another boot
)

// Message IDs of systemd, see sd-messages.h.
const (
	messageStarting    = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageStopping    = "de5b426a63be47a7b6ac3eaac82e2f6f"
	messageStopped     = "9d1aaa27d60140bd96365438aad20286"
	messageProcessExit = "98e322203f7a4ed290d09fe03c09fe15"
	messageFailed      = "d9b373ed55a64feb8242e02dbe79a49c"
)

// systemdMessages are all of them.
var systemdMessages = []string{messageStarting, messageStopping, messageStopped, messageProcessExit, messageFailed}

// eventOf is what an entry of the journal says, if it says anything of a tunnel's life.
func eventOf(e journalEntry) (event, bool) {
	happened := event{at: e.moment()}
	if of := cmp.Or(e.OfUserUnit, e.OfUnit); e.MessageID != "" && of != "" {
		name, ok := nameOfService(of)
		happened.tunnel = name
		return happened, ok && happened.bySystemd(e)
	}
	unit := cmp.Or(e.UserUnit, e.SystemUnit) // by journald's own knowledge: fields may be anybody's
	told := e.Event
	name, isTunnel := nameOfService(unit)
	state := tunnelfile.State(told.State)
	isState := told.Kind == journal.State && slices.Contains(tunnelfile.States(), state)
	happened.why = cause{fault.Reason(told.Reason), withoutDelay(told.Status)}
	switch {
	case isTunnel && isState:
		happened.tunnel, happened.what, happened.state = name, workerSays, state
		return happened, true
	case isTunnel && told.Kind == journal.Lost:
		happened.tunnel, happened.what, happened.why.text = name, linkLost, told.Status
		return happened, true
	case unit == daemonUnit && isState && tunnelfile.ValidName(told.Tunnel):
		happened.tunnel, happened.what, happened.state = told.Tunnel, daemonSays, state
		return happened, true
	}
	return happened, false
}

// bySystemd fills in what systemd says of a unit.
func (h *event) bySystemd(e journalEntry) bool {
	switch e.MessageID {
	case messageStarting:
		h.what = unitStarting
	case messageStopping:
		h.what = unitStopping
	case messageStopped: // before another start too, by itself after a failure
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

// howEnded is the state of a tunnel whose program ended, and a sentence.
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

// nameOfService is the tunnel whose worker's unit this is.
func nameOfService(unit string) (string, bool) {
	name, ok := tunnelfile.NameOfUnit(unit)
	return name, ok && unit == tunnelfile.ServiceName(name)
}

// withoutDelay is a status without when the next try is due: "in 8s, connection refused".
func withoutDelay(status string) string {
	if rest, ok := strings.CutPrefix(status, "in "); ok {
		if _, why, ok := strings.Cut(rest, ", "); ok {
			return why
		}
	}
	return status
}
