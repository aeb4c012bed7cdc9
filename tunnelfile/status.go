package tunnelfile

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// States lists every State.
func States() []State {
	return []State{Inactive, Listening, Offline, Connecting, Up, Degraded, Retrying, Blocked, Failed, Stopping}
}

// StateOf is the state of a tunnel by its unit: ActiveState, SubState and StatusText as in
// org.freedesktop.systemd1(5). The unit may be the socket.
//
// A worker that ended because a person is needed leaves a failed unit whose StatusText still says
// "blocked: …": the tunnel is Blocked. If a unit has no StatusText, pass ExitText of its
// ExecMainStatus instead.
func StateOf(active, sub, statusText string) State {
	word := ParseStatus(statusText).State
	switch {
	case strings.HasPrefix(sub, "auto-restart"): // auto-restart, auto-restart-queued
		return Retrying
	case active == "failed" && word == Blocked:
		return Blocked
	case active == "failed":
		return Failed
	case active == "deactivating":
		return Stopping
	case active == "inactive":
		return Inactive
	case word != "":
		return word
	case sub == "listening": // a socket unit's word
		return Listening
	case active == "activating":
		return Connecting
	case active == "active", active == "reloading", active == "refreshing":
		return Up // Type=notify: it has sent READY=1
	}
	return Inactive
}

// Status is the state of a tunnel with its reason and a text, as the StatusText of its unit has it:
// "up: 3 forwards, rtt 12 ms", "retrying [unreachable]: in 8 s; connection refused".
type Status struct {
	State  State
	Reason fault.Reason // why it is not well; None when all is well
	Text   string       // for people, and for nobody else
}

// String is the StatusText.
func (s Status) String() string {
	text := string(s.State)
	if s.Reason != fault.None {
		text += " [" + string(s.Reason) + "]"
	}
	if s.Text != "" {
		text += ": " + s.Text
	}
	return text
}

// ParseStatus is the inverse of [Status.String]. A text that does not begin with a state becomes
// Text as a whole. It accepts an unknown Reason, which a newer worker may send. The text comes from
// a peer: the worker may belong to another user.
func ParseStatus(statusText string) Status {
	head, rest, _ := strings.Cut(statusText, ":")
	word, bracket, hasReason := strings.Cut(head, " [")
	reason, closed := strings.CutSuffix(bracket, "]")
	if !slices.Contains(States(), State(word)) || hasReason && (!closed || !isReasonWord(reason)) {
		return Status{Text: text.FromPeer(statusText)}
	}
	return Status{State(word), fault.Reason(reason), text.FromPeer(rest)}
}

// maxReason is how long a Reason can be, in bytes.
const maxReason = 40

// isReasonWord says whether word could be a Reason of this or a later version.
func isReasonWord(word string) bool {
	return word != "" && len(word) <= maxReason && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// ExitText is the StatusText for a worker that ended with this status and left none; "" if the
// status does not say why.
func ExitText(status ExitStatus) string {
	s, ok := map[ExitStatus]Status{
		ExitDistrusted: {Blocked, fault.HostKeyUnknown, "the server's host key is unknown or has changed"},
		ExitDenied:     {Blocked, fault.Denied, "the server refused every way to authenticate"},
		ExitMistaken:   {Blocked, fault.Settings, "the tunnel file or what ssh_config resolves to is wrong"},
	}[status]
	if !ok {
		return ""
	}
	return s.String()
}
