package portable

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// What stands around a tunnel file shows in what is exported.
func TestAround(t *testing.T) {
	tunnel := parsed(t, "[Tunnel]\nDestination=h\nDynamicForward=1\n[SSH]\nControlMaster=auto\n")
	for _, test := range []struct {
		around Around
		format Format
		text   string
		note   string
	}{
		{Around{}, SSH, "ssh -N -D 1 h\n", "ControlMaster=auto: left out"},
		{Around{Shares: true}, SSH, "ssh -N -o ControlMaster=no -o ControlPath=none -D 1 h\n", ""},
		{Around{RemoteCommand: true}, SSH, "ssh -T -D 1 h\n", ""},
		{Around{Forwards: true}, SSH, "ssh -N -D 1 h\n", "ssh_config has forwards for h too"},
		{Around{System: true}, Systemd, "Wants=network-online.target\nAfter=network-online.target\n", ""},
		{Around{System: true}, Systemd, "[Install]\nWantedBy=multi-user.target\n", ""},
		{Around{}, Systemd, "[Install]\nWantedBy=default.target\n", ""},
	} {
		text, notes := Export(tunnel, test.format, test.around)
		if !strings.Contains(text, test.text) {
			t.Errorf("%+v: %s\ndoes not have %s", test.around, text, test.text)
		}
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, test.note) }) {
			t.Errorf("%+v: no note %q: %q", test.around, test.note, notes)
		}
	}
}

// Each key of [Tunnel] that a tool cannot do is noted where it is written, and nowhere else.
func TestNotes(t *testing.T) {
	const lowest = "[Tunnel]\nDestination=h\nDynamicForward=1\n"
	beyondAll := []string{
		"Start=on-demand", "IdleTimeout=1min", "HoldTimeout=5s", "MaxHeld=3", "AllowUsers=self", "GateTime=5s", "RetryMax=5s", "Transport=native",
		"ExecUp=/bin/true", "ExecDown=/bin/true", "Check=connect", "Metered=no", "OnlyOn=home", "NeverOn=work", "Connections=2", "MaxChannels=9", "RetryDenied=5min", "NoDelay=yes", "Tags=work",
	}
	noted := func(text string, format Format) []string {
		_, notes := Export(parsed(t, text), format, Around{})
		return notes
	}
	for _, format := range []Format{SSH, Autossh, Systemd} {
		if notes := noted(lowest, format); len(notes) > 0 {
			t.Errorf("%s: %q", format, notes)
		}
		if notes := noted(lowest+"Start=manual\nTransport=openssh\nMetered=yes\nCheck=none\nAllowUsers=any\nConnections=1\n", format); len(notes) > 0 {
			t.Errorf("%s: %q", format, notes)
		}
		for _, line := range beyondAll {
			notes := noted(lowest+line+"\n", format)
			if len(notes) != 1 || !strings.HasPrefix(notes[0], line+": ") {
				t.Errorf("%s: %s: %q", format, line, notes)
			}
		}
	}
	for _, key := range tunnelfile.Keys() {
		known := slices.ContainsFunc(beyondAll, func(line string) bool { return strings.HasPrefix(line, key+"=") })
		if !known && !slices.Contains([]string{"Description", "Destination", "LocalForward", "RemoteForward", "DynamicForward"}, key) {
			t.Errorf("%s=: what do ssh, autossh and systemd make of it?", key)
		}
	}
}
