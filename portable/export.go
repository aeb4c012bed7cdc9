package portable

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Format is what a tunnel can be exported as.
type Format string

// Formats.
const (
	SSH     Format = "ssh"     // a command line for a shell
	Autossh Format = "autossh" // a command line for a shell
	Systemd Format = "systemd" // a unit file
	Tunnel  Format = "tunnel"  // a tunnel file without drop-ins
)

// Formats are all formats.
var Formats = []Format{SSH, Autossh, Systemd, Tunnel}

// Around is what has an effect on a tunnel besides its file.
type Around struct {
	Defaults      []tunnelfile.Setting // Holdfast's own defaults that are in force
	Forwards      bool                 // ssh_config(5) has forwards for the destination
	RemoteCommand bool                 // the tunnel file or ssh_config(5) has a RemoteCommand
	Shares        bool                 // ssh_config(5) makes ssh share connections (ControlMaster)
	System        bool                 // the unit is the system's, not a user's
}

// Export writes a tunnel in another format. text does the same as the tunnel as far as possible without
// Holdfast. notes say what it does not do.
func Export(t tunnelfile.Tunnel, format Format, a Around) (text string, notes []string) {
	if format == Tunnel {
		if len(t.DropIns) == 0 {
			return t.Text, nil // comments and all
		}
		return tunnelfile.Format(t), nil
	}
	words, notes := sshWords(t, a)
	notes = append(notes, beyond(t, format)...)
	switch format {
	case Autossh:
		// With a gate time autossh gives up if its first ssh ends earlier.
		return "AUTOSSH_GATETIME=0 " + shellLine(append([]string{"autossh", "-M", "0"}, words...)) + "\n", notes
	case Systemd:
		text, more := unitText(t, words, a)
		return text, append(notes, more...)
	}
	return shellLine(append([]string{"ssh"}, words...)) + "\n", notes
}

// sshWords are the arguments of an ssh that serves the tunnel.
func sshWords(t tunnelfile.Tunnel, a Around) (words, notes []string) {
	if a.RemoteCommand {
		words = append(words, "-T")
	} else {
		words = append(words, "-N")
	}
	if a.Shares { // a tunnel does not share its connection
		words = append(words, "-o", "ControlMaster=no", "-o", "ControlPath=none")
	}
	for _, s := range t.SSH {
		switch {
		case slices.Contains(ofSessions, s.Key):
			notes = append(notes, fmt.Sprintf("%s=%s: left out, since a tunnel goes without it and ssh would obey", s.Key, s.Value))
		case s.Key == "Port":
			words = append(words, "-p", s.Value)
		case s.Key == "IdentityFile" && !strings.ContainsAny(s.Value, "\"'\\ \t"):
			words = append(words, "-i", s.Value)
		default:
			words = append(words, "-o", s.Key+"="+s.Value)
		}
	}
	for _, s := range a.Defaults {
		words = append(words, "-o", s.Key+"="+s.Value)
	}
	letters := map[tunnelfile.ForwardKind]string{tunnelfile.LocalForward: "-L", tunnelfile.RemoteForward: "-R", tunnelfile.DynamicForward: "-D"}
	for _, f := range t.Forwards {
		words = append(words, letters[f.Kind], forwardArgument(f))
	}
	if len(t.Forwards) > 0 && a.Forwards {
		notes = append(notes, "ssh_config has forwards for "+t.Destination+" too: ssh opens them as well, the tunnel does not")
	}
	return append(words, destinationWords(t.Destination)...), notes
}

// ofSessions are keywords that mean nothing to a tunnel, but would keep ssh from working as one.
var ofSessions = []string{
	"ClearAllForwardings", "ControlMaster", "ControlPersist", "ForkAfterAuthentication", "LocalCommand",
	"PermitLocalCommand", "RequestTTY", "SessionType", "StdinNull", "Tunnel", "TunnelDevice",
}

// forwardArgument is a forward as an argument of -L, -R or -D. A % in the path of a socket is doubled,
// because ssh expands tokens there.
func forwardArgument(f tunnelfile.Forward) string {
	f.Listen.Unix, f.Target.Unix = escapeSpecifiers(f.Listen.Unix), escapeSpecifiers(f.Target.Unix)
	if f.SOCKS() {
		return f.Listen.String()
	}
	return f.Listen.String() + ":" + f.Target.String()
}

// destinationWords are the destination as arguments of ssh. An ssh:// destination with an IPv6 address is
// split into parts, because ssh up to OpenSSH 9.2 does not accept one.
func destinationWords(destination string) []string {
	user, host, port := tunnelfile.DestinationParts(destination)
	if !strings.Contains(destination, "://") || !strings.Contains(host, ":") {
		return []string{destination}
	}
	var words []string
	if user != "" {
		words = append(words, "-l", user)
	}
	if port != "" {
		words = append(words, "-p", port)
	}
	return append(words, host)
}
