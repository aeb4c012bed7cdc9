package tray

import (
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// remedy is what a person can do about a tunnel: the verb of a click, and its label.
type remedy struct{ verb, label string }

// remedies are what helps most, by reason. To "answer" is to try again: a new try asks
// whatever there is to ask, and the tray is there to answer.
var remedies = map[fault.Reason]remedy{
	fault.Passphrase:     {"answer", "Enter passphrase…"},
	fault.PIN:            {"answer", "Enter PIN…"},
	fault.Password:       {"answer", "Enter password…"},
	fault.Code:           {"answer", "Answer the server…"},
	fault.Touch:          {"answer", "Touch the key…"},
	fault.HostKeyUnknown: {"answer", "Review host key…"},
	fault.HostKeyChanged: {"trust", "Review host key…"},
	fault.HostKeyRevoked: {"trust", "Review host key…"},
	fault.Denied:         {"check", "Find out why…"},
	fault.Listen:         {"check", "Find out why…"},
	fault.Settings:       {"edit", "Edit…"},
	fault.Dependency:     {"log", "Show log"},
	fault.Crashed:        {"log", "Show log"},
}

// extra says whether a tunnel's submenu has it only because the tunnel needs it.
func (r remedy) extra() bool { return r.verb != "log" && r.verb != "edit" }

// remedyFor is what helps this tunnel most.
func remedyFor(t listing.Tunnel) remedy {
	if r, ok := remedies[t.Reason]; ok {
		return r
	}
	if t.State == tunnelfile.Blocked {
		return remedy{"check", "Find out why…"}
	}
	return remedy{"log", "Show log"}
}

// needsYou says whether a tunnel waits for a person: it has stopped, or one of its questions
// is open.
func needsYou(t listing.Tunnel) bool {
	return t.State == tunnelfile.Blocked || t.State == tunnelfile.Failed || asks(t)
}

// asks says whether a tunnel waits in the middle of a login for somebody to answer, or to
// touch a key.
func asks(t listing.Tunnel) bool {
	if t.State != tunnelfile.Connecting && t.State != tunnelfile.Retrying {
		return false
	}
	return t.Reason.WantsAnswer() || t.Reason == fault.HostKeyUnknown
}

// needOf is what a person is told that a tunnel needs. A status line also says what to do in
// a terminal; here a button does it.
func needOf(t listing.Tunnel) string {
	switch t.Reason {
	case fault.HostKeyUnknown:
		return "The server's host key is not known. Compare it with what the server's owner says."
	case fault.HostKeyChanged:
		return "Somebody may be listening in, or the server was set up anew. Ask its owner."
	case fault.HostKeyRevoked:
		return "The server's host key is marked as revoked. Do not connect before its owner has explained it."
	}
	return sentence(t.Status)
}
