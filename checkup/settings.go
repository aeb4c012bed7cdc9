package checkup

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// deadAfter is the time after which the loss of the server must be noticed. A longer time gets a hint.
const deadAfter = 5 * time.Minute

// settings finds settings that make a tunnel less reliable or less safe.
func (x *examination) settings() {
	before := len(x.Findings)
	r := x.server
	switch noticed := r.ServerAliveInterval * time.Duration(r.ServerAliveCountMax); {
	case r.ServerAliveInterval == 0:
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("SSH.ServerAliveInterval=10"),
			"ServerAliveInterval=0%s: while nothing is sent, nobody notices that the server is gone", x.writtenAt("ServerAliveInterval"))
	case noticed > deadAfter:
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("SSH.ServerAliveInterval=10", "SSH.ServerAliveCountMax=3"),
			"ServerAliveInterval times ServerAliveCountMax is %s: so long it may take to notice that the server is gone", tunnelfile.FormatSpan(noticed))
	}
	if !r.ExitOnForwardFailure {
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("SSH.ExitOnForwardFailure=yes"),
			"ExitOnForwardFailure=no%s: the tunnel counts as up even if the server refuses a forward", x.writtenAt("ExitOnForwardFailure"))
	}
	if r.ConnectTimeout == 0 {
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("SSH.ConnectTimeout=15"),
			"ConnectTimeout=none%s: an attempt at a server that does not answer takes minutes", x.writtenAt("ConnectTimeout"))
	}
	switch r.Option("stricthostkeychecking") {
	case "no", "off", "false":
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("SSH.StrictHostKeyChecking=accept-new"),
			"StrictHostKeyChecking=no%s: whoever answers first is taken for the server", x.writtenAt("StrictHostKeyChecking"))
	}
	if path := r.OwnMaster(x.ctx); path != "" && r.Transport == tunnelfile.TransportOpenSSH {
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("SSH.ControlPath=none"),
			"the tunnel rides on a ControlMaster of yours, %s, and is cut when that ends", text.Tilde(path))
	}
	x.weak()
	if r.NoSSH {
		x.Hint(tunnelfile.SubjectSSH, "", "there is no ssh program here: ssh_config(5) is not read, and Transport=openssh is not available")
	}
	if len(x.forwards.Forwards) == 0 {
		x.Hint(tunnelfile.SubjectSettings, x.setCommand("LocalForward='8080 localhost:80'"), "there is no forward: the connection carries nothing")
	}
	if len(x.Findings) == before {
		x.OK(tunnelfile.SubjectSettings, "nothing in the settings makes it less sturdy; transport %s (%s)", r.Transport, r.Reason)
	}
}

// weakWords are parts of the names of algorithms that are broken or nearly so.
var weakWords = []string{"3des", "arcfour", "blowfish", "cast128", "-cbc", "hmac-md5", "hmac-sha1", "umac-64", "group1-sha1", "group14-sha1", "group-exchange-sha1", "ssh-dss"}

// isWeak says whether an algorithm is weak. ssh-rsa is weak, because it is RSA with SHA-1.
func isWeak(algorithm string) bool {
	return algorithm == "ssh-rsa" || slices.ContainsFunc(weakWords, func(w string) bool { return strings.Contains(algorithm, w) })
}

// weak finds weak algorithms in lists that somebody wrote. The defaults have none.
func (x *examination) weak() {
	for _, e := range x.server.Explain(x.ctx) {
		switch e.Keyword {
		case "Ciphers", "MACs", "KexAlgorithms", "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms":
			weak := slices.DeleteFunc(strings.Split(e.Value, ","), func(a string) bool { return !isWeak(a) })
			if e.Written && len(weak) > 0 {
				x.Hint(tunnelfile.SubjectAlgorithms, "", "%s (%s) allows %s, which is weak: take it out unless this server has nothing better",
					e.Keyword, text.Tilde(e.Source), strings.Join(weak, ", "))
			}
		}
	}
}

// writtenAt is where a setting was written, in brackets after a space; empty if nobody wrote it.
func (x *examination) writtenAt(keyword string) string {
	for _, e := range x.server.Explain(x.ctx) {
		if e.Keyword == keyword && e.Written {
			return " (" + text.Tilde(e.Source) + ")"
		}
	}
	return ""
}
