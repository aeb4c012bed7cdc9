package portable

import (
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/tunnelfile"
)

// beyond lists the settings of the file that the exported tool does not support, one line for each.
func beyond(t tunnelfile.Tunnel, format Format) []string {
	var notes []string
	for _, s := range t.InForce() {
		if s.Line == 0 { // nobody wrote it
			continue
		}
		if why := cannot(t, s.Key, format); why != "" {
			notes = append(notes, fmt.Sprintf("%s=%s: %s", s.Key, s.Value, why))
		}
	}
	if format == Systemd {
		return notes
	}
	for _, s := range slices.Concat(t.Unit, t.Service) {
		notes = append(notes, fmt.Sprintf("%s=%s: is for systemd; --format=systemd has it", s.Key, s.Value))
	}
	return notes
}

// cannot says what the exported tool does instead of what a key of [Tunnel] asks for; "" if it does the
// same.
func cannot(t tunnelfile.Tunnel, key string, format Format) string {
	switch key {
	case "Start":
		if t.Start == tunnelfile.StartOnDemand {
			return "ssh is up from its start on, and not at the first connection"
		}
		if t.Start == tunnelfile.StartAuto && format != Systemd {
			return "nobody starts it by itself"
		}
	case "IdleTimeout":
		return "ssh stays up while nobody uses it"
	case "HoldTimeout", "MaxHeld":
		return "while the link is down nobody waits, connections are refused"
	case "AllowUsers":
		if t.AllowUsers != "any" {
			return "every user of this machine can connect to its ports"
		}
	case "Connections":
		if t.Connections != 1 {
			return "there is one SSH connection, and all ends with it"
		}
	case "Tags":
		return "nothing else knows it by these words"
	case "MaxChannels":
		return "only LimitNOFILE= bounds how many connections it carries"
	case "NoDelay":
		if t.NoDelay {
			return "the server collects small packets before it sends them"
		}
	case "RetryDenied":
		if t.RetryDenied > 0 {
			return map[Format]string{
				SSH:     "ssh ends when the server refuses the login",
				Autossh: "autossh ends when the server refuses the first login",
				Systemd: "Restart= tries again each time, however often the server refuses",
			}[format]
		}
	case "GateTime", "RetryMax":
		return map[Format]string{
			SSH:     "ssh ends when the link is lost, and does not try again",
			Autossh: "autossh has delays of its own",
			Systemd: "RestartSec= is the delay, always the same",
		}[format]
	case "Transport":
		if t.Transport == tunnelfile.TransportNative {
			return "it is ssh that connects"
		}
	case "ExecUp":
		return "nothing runs when the link comes up"
	case "ExecDown":
		return "nothing runs when the link is lost"
	case "Check":
		if t.Check != "none" {
			return "nobody looks whether somebody is behind the forwards"
		}
	case "Metered":
		if !t.Metered {
			return "it runs on metered connections too"
		}
	case "OnlyOn", "NeverOn":
		return "it runs on every network"
	}
	return ""
}
