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
		if why := cannot(s, format); why != "" {
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

// instead says what every exported tool does instead of what a key, or a key with this value, asks
// for; "" if it does the same.
var instead = map[string]string{
	"AllowUsers=self":  "every user of this machine can connect to its ports",
	"Check=connect":    "nobody looks whether somebody is behind the forwards",
	"Connections":      "there is one SSH connection, and all ends with it",
	"Connections=1":    "",
	"ExecDown":         "nothing runs when the link is lost",
	"ExecUp":           "nothing runs when the link comes up",
	"HoldTimeout":      "while the link is down nobody waits, connections are refused",
	"IdleTimeout":      "ssh stays up while nobody uses it",
	"MaxChannels":      "only LimitNOFILE= bounds how many connections it carries",
	"MaxHeld":          "while the link is down nobody waits, connections are refused",
	"Metered=no":       "it runs on metered connections too",
	"NeverOn":          "it runs on every network",
	"NoDelay=yes":      "the server collects small packets before it sends them",
	"OnlyOn":           "it runs on every network",
	"Start=on-demand":  "ssh is up from its start on, and not at the first connection",
	"Tags":             "nothing else knows it by these words",
	"Transport=native": "it is ssh that connects",
}

// retries says what each exported tool does instead of GateTime= and RetryMax=, and retriesDenied
// what it does instead of RetryDenied=.
var (
	retries = map[Format]string{
		SSH:     "ssh ends when the link is lost, and does not try again",
		Autossh: "autossh has delays of its own",
		Systemd: "RestartSec= is the delay, always the same",
	}
	retriesDenied = map[Format]string{
		SSH:     "ssh ends when the server refuses the login",
		Autossh: "autossh ends when the server refuses the first login",
		Systemd: "Restart= tries again each time, however often the server refuses",
	}
)

// cannot says what the exported tool does instead of what a setting in force asks for; "" if it does
// the same.
func cannot(s tunnelfile.Setting, format Format) string {
	with := s.Key + "=" + s.Value
	switch {
	case s.Key == "GateTime", s.Key == "RetryMax":
		return retries[format]
	case s.Key == "RetryDenied" && with != "RetryDenied=never":
		return retriesDenied[format]
	case with == "Start=auto" && format != Systemd:
		return "nobody starts it by itself"
	}
	if why, ok := instead[with]; ok {
		return why
	}
	return instead[s.Key]
}
