package portable

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// unitText is the text of a service unit that runs ssh with these arguments.
func unitText(t tunnelfile.Tunnel, words []string, a Around) (text string, notes []string) {
	target := "default.target"
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=%s\n", escapeSpecifiers(description(t)))
	if a.System {
		target = "multi-user.target"
		b.WriteString("Wants=network-online.target\nAfter=network-online.target\n")
	}
	own := func(settings []tunnelfile.Setting, defaults ...tunnelfile.Setting) {
		for _, d := range defaults {
			if !slices.ContainsFunc(settings, func(s tunnelfile.Setting) bool { return s.Key == d.Key }) {
				fmt.Fprintf(&b, "%s=%s\n", d.Key, d.Value)
			}
		}
		for _, s := range settings {
			if why := notOfSSH(s.Key); why != "" {
				notes = append(notes, fmt.Sprintf("%s=%s: %s", s.Key, s.Value, why))
				continue
			}
			fmt.Fprintf(&b, "%s=%s\n", s.Key, s.Value)
		}
	}
	own(t.Unit, tunnelfile.Setting{Key: "StartLimitIntervalSec", Value: "0"}) // it never gives up
	fmt.Fprintf(&b, "\n[Service]\nType=exec\nExecStart=%s\nRestart=always\n", execLine(append([]string{"ssh"}, words...)))
	own(t.Service, tunnelfile.Setting{Key: "RestartSec", Value: "5"})
	if t.Start != tunnelfile.StartManual {
		fmt.Fprintf(&b, "\n[Install]\nWantedBy=%s\n", target)
	}
	return b.String(), notes
}

func description(t tunnelfile.Tunnel) string {
	if t.Description == t.Destination {
		return "SSH tunnel to " + t.Destination
	}
	return t.Description
}

// notOfSSH says why a setting of [Service] does not work with ssh; "" if it does.
func notOfSSH(key string) string {
	switch key {
	case "WatchdogSec", "WatchdogSignal":
		return "left out, since ssh does not report to systemd's watchdog, which would kill it"
	case "LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted":
		return "left out, since ssh reads no credentials; a key in the agent needs no passphrase"
	}
	return ""
}
