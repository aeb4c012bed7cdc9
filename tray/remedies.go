package tray

import (
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// remedy is what a person can do about a tunnel.
type remedy struct {
	verb, label string // of the click
	why         string // what a notice says; empty: the status line
	alarm       string // the title of an urgent notice; empty: it is not urgent
}

// remedies is what helps most, by reason. "answer" makes a new attempt: it asks its questions, and
// the tray answers them.
var remedies = map[fault.Reason]remedy{
	fault.Passphrase: {verb: "answer", label: "Enter passphrase…"},
	fault.PIN:        {verb: "answer", label: "Enter PIN…"},
	fault.Password:   {verb: "answer", label: "Enter password…"},
	fault.Code:       {verb: "answer", label: "Answer the server…"},
	fault.Touch:      {verb: "answer", label: "Touch the key…"},
	fault.HostKeyUnknown: {verb: "answer", label: "Review host key…",
		why: "The server's host key is not known. Compare it with what the server's owner says."},
	fault.HostKeyChanged: {verb: "trust", label: "Review host key…",
		why:   "Somebody may be listening in, or the server was set up anew. Ask its owner.",
		alarm: "the server's host key has changed"},
	fault.HostKeyRevoked: {verb: "trust", label: "Review host key…",
		why:   "The server's host key is marked as revoked. Do not connect before its owner has explained it.",
		alarm: "the server's host key is revoked"},
	fault.Denied:     {verb: "check", label: "Find out why…"},
	fault.Listen:     {verb: "check", label: "Find out why…"},
	fault.Settings:   {verb: "edit", label: "Edit…"},
	fault.Dependency: {verb: "log", label: "Show log"},
	fault.Crashed:    {verb: "log", label: "Show log"},
}

// extra reports whether a tunnel's submenu has it only because the tunnel needs it.
func (r remedy) extra() bool { return r.verb != "log" && r.verb != "edit" }

// remedyFor is what helps this tunnel most.
func remedyFor(t listing.Tunnel) remedy {
	if r, ok := remedies[t.Reason]; ok {
		return r
	}
	if t.State == tunnelfile.Blocked {
		return remedy{verb: "check", label: "Find out why…"}
	}
	return remedy{verb: "log", label: "Show log"}
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
