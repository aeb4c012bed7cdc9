package tray

import (
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// remedy is what a person can do about a tunnel: the verb of a click, and its label.
type remedy struct{ verb, label string }

// remedies is what helps most, by reason. "answer" makes a new attempt: it asks its questions, and
// the tray answers them.
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

// extra reports whether a tunnel's submenu has it only because the tunnel needs it.
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

// needsYou reports whether a tunnel waits for a person: it is blocked, has failed or has an open
// question.
func needsYou(t listing.Tunnel) bool {
	return t.State == tunnelfile.Blocked || t.State == tunnelfile.Failed || asks(t)
}

// asks reports whether a login waits for an answer or for the touch of a key.
func asks(t listing.Tunnel) bool {
	if t.State != tunnelfile.Connecting && t.State != tunnelfile.Retrying {
		return false
	}
	return t.Reason.WantsAnswer() || t.Reason == fault.HostKeyUnknown
}

// needOf returns what a notice says about a tunnel's need. A status line also says what to do in a
// terminal; in a notice, a button does that.
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
