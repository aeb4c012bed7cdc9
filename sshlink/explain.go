package sshlink

import (
	"context"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/native"
	"github.com/holdfast/holdfast/sshlink/openssh"
	"github.com/holdfast/holdfast/tunnelfile"
	"golang.org/x/crypto/ssh"
)

// Explain lists every setting in force with its source, sorted by keyword.
func (r *Resolved) Explain(ctx context.Context) []config.Explained {
	var own ssh.Algorithms // zero if the person's lists leave no algorithm
	if r.Transport == tunnelfile.TransportNative {
		own, _ = native.Algorithms(r.Options, nil)
	} else {
		own.Ciphers = config.SplitList(openssh.Ciphers(r.Options))
	}
	all := r.Options.Explain(ctx)
	for i := range all {
		e := &all[i]
		keyword := strings.ToLower(e.Keyword)
		e.Note = r.note(keyword, *e)
		if list := algorithmList(own, keyword); r.Unset(keyword) && list != "" {
			e.Value, e.Source = list, config.FromHoldfast
		}
	}
	return all
}

// note is what the transport does with a setting, or empty if it does what ssh does.
func (r *Resolved) note(keyword string, e config.Explained) string {
	yes := e.Value == "yes" || e.Value == "true"
	_, rekeysByTime := r.RekeyLimit()
	switch {
	case r.Transport == tunnelfile.TransportOpenSSH && e.Written && e.Value != "no" && e.Value != "false" && slices.Contains(openssh.SwitchedOff, e.Keyword):
		return offNote(keyword)
	case keyword == "localcommand" && e.Written:
		return "never run: ExecUp= is the tunnel's own"
	case e.Standing == tunnelfile.Irrelevant, r.RemoteCommand == "" && slices.Contains([]string{"remotecommand", "sendenv", "setenv"}, keyword):
		return string(tunnelfile.Irrelevant)
	case r.Transport != tunnelfile.TransportNative:
		return ""
	case keyword == "hostkeyalgorithms" && r.Unset(keyword):
		return "the kinds that known_hosts has of the server come first"
	case keyword == "gssapiauthentication" && yes && (r.Source.Transport != tunnelfile.TransportNative || r.JumpOf != ""):
		return "not used: there is no Kerberos ticket"
	case e.Written && missingHere(keyword, e.Value) != "":
		return "the native transport does not have " + missingHere(keyword, e.Value)
	case e.Standing == tunnelfile.OnlyOpenSSH && (yes || e.Written && e.Value != "no" && e.Value != "false" && e.Value != "none"):
		return string(tunnelfile.OnlyOpenSSH)
	case keyword == "updatehostkeys" && yes:
		return "further keys are learned, old ones are not removed"
	case keyword == "rekeylimit" && rekeysByTime:
		return "the amount is kept, the time needs the openssh transport"
	}
	return ""
}

// offNote is why the openssh transport switches a keyword off, whatever the files say.
func offNote(keyword string) string {
	if keyword == "updatehostkeys" {
		return "off here: ssh would record as many keys as the server announces"
	}
	return "off here: the server could use it unasked; a ControlMaster of your own goes on as you started it"
}

// algorithmList is the list of algorithms for a keyword, joined with commas. It is empty for other
// keywords.
func algorithmList(a ssh.Algorithms, keyword string) string {
	return strings.Join(map[string][]string{
		"ciphers": a.Ciphers, "macs": a.MACs, "kexalgorithms": a.KeyExchanges, "hostkeyalgorithms": a.HostKeys,
	}[keyword], ",")
}

// missingHere are the algorithms of a configured list that the native transport does not have.
func missingHere(keyword, value string) string {
	has := algorithmList(native.Supported(), keyword)
	if has == "" {
		return ""
	}
	known := config.SplitList(has)
	return strings.Join(slices.DeleteFunc(config.SplitList(value), func(name string) bool { return slices.Contains(known, name) }), ",")
}
