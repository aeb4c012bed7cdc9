package tunnelfile

import (
	"slices"
	"strings"
)

// States lists every State.
func States() []State { return slices.Clone(states) }

// states are for whoever reads one from text.
var states = []State{Inactive, Listening, Offline, Connecting, Up, Degraded, Retrying, Blocked, Failed, Stopping}

// StateOf is the state of a tunnel as its unit shows it: ActiveState, SubState and
// StatusText as in org.freedesktop.systemd1(5). It serves the socket unit too.
//
// A worker that ended because a person is needed leaves a failed unit whose last
// StatusText still says "blocked: …"; that is what it is. Where a unit has no
// StatusText, give ExitText of its ExecMainStatus instead.
func StateOf(active, sub, statusText string) State {
	word, _ := SplitStatus(statusText)
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
		return Up // Type=notify: it said READY=1
	}
	return Inactive
}

// StatusText is a unit's StatusText: the state, and the rest for people.
func StatusText(s State, rest string) string {
	if rest == "" {
		return string(s)
	}
	return string(s) + ": " + rest
}

// SplitStatus is the inverse of StatusText. The state is empty, and rest the whole text,
// where text does not begin with one.
func SplitStatus(text string) (s State, rest string) {
	word, rest, _ := strings.Cut(text, ":")
	if !slices.Contains(states, State(word)) {
		return "", text
	}
	return State(word), strings.TrimPrefix(rest, " ")
}

// ByRule says whether a tunnel in this state is kept down by a rule of its own about networks
// (OnlyOn=, NeverOn=, Metered=), which its status line names, and not by the want of one.
func ByRule(s State, status string) bool {
	key, _, found := strings.Cut(status, "=")
	return s == Offline && found && slices.Contains([]string{"OnlyOn", "NeverOn", "Metered"}, key)
}

// GoesToSleep is what there is to say of a tunnel that is offline until the machine wakes up.
const GoesToSleep = "this machine goes to sleep"

// ExitText is the StatusText of a worker that ended with this status and left none; it
// is empty where the status says nothing of why.
func ExitText(status ExitStatus) string {
	switch status {
	case ExitDistrusted:
		return StatusText(Blocked, "the server's host key is unknown or has changed")
	case ExitDenied:
		return StatusText(Blocked, "the server refused every way to authenticate")
	case ExitMistaken:
		return StatusText(Blocked, "the tunnel file or what ssh_config resolves to is wrong")
	}
	return ""
}
