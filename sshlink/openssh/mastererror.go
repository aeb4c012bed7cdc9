package openssh

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/lazyregexp"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/sshlink/login"
)

// commandTimeout limits KnownHostsCommand when it runs only to explain an error.
const commandTimeout = 2 * time.Second

var (
	noMatching     = lazyregexp.New(`^Unable to negotiate with \S+ port \d+: no matching (.+) found\. Their offer: (\S+)`)
	badSetting     = lazyregexp.New(`Bad |[Uu]nsupported |missing argument|terminating, \d+ bad configuration`)
	wrongSecret    = lazyregexp.New(`(?:Load key|signing failed for) (\S+ )?"(.+?)": incorrect passphrase supplied`)
	loadFailed     = lazyregexp.New(`(?m)^Load key "(.+?)": (.+?)\.?$`)
	untouched      = lazyregexp.New(`signing failed for \S+-SK ".+?"(?: from agent)?: invalid format`) // ssh's words for a touch that did not come
	notSigned      = lazyregexp.New(`signing failed for \S+ "(.+?)" from agent: (.+)`)
	earlyEnd       = lazyregexp.New(`kex_exchange_identification: (?:Connection closed|read: Connection reset|client sent invalid|write: Broken)|banner exchange: Connection to \S+ port \d+: (?:Broken pipe|Connection reset by peer)`)
	deniedWords    = lazyregexp.New(`^\S+: Permission denied \(([^)]*)`)
	connectWords   = lazyregexp.New(`connect to host (\S+) port (\d+): (.+)`)
	resolveWords   = lazyregexp.New(`Could not resolve hostname (\S+): (.+)`)
	sentKey        = lazyregexp.New(`fingerprint for the (\S+) key sent by the remote host is\n(SHA256:[^\s.]+)`)
	proxyEnd       = lazyregexp.New(`(?m)^(?:kex_exchange_identification: .*\nConnection (?:closed|reset) by UNKNOWN port 65535|banner exchange: Connection to UNKNOWN port 65535: Broken pipe)$`) // ssh reads from a proxy that has ended, or still writes to it
	revokedFile    = lazyregexp.New(`Host key \S+ \S+ revoked by file (.+)`)
	badCertificate = lazyregexp.New(`(?m)^Certificate (?:invalid: (.+)|signed with disallowed algorithm)$`)
	silentServer   = lazyregexp.New(`Timeout, server \S+ not responding`)
	goneServer     = lazyregexp.New(`Connection to \S+ closed by remote host|Connection closed by `)
	serverLeft     = lazyregexp.New(`^Received disconnect from \S+ port \d+:(\d+): ((?s:.*))`)
	tooMany        = lazyregexp.New(`^Received disconnect from \S+ port \d+:2: Too many authentication failures`)
	proxyGone      = lazyregexp.New(`^(?:kex_exchange_identification: .*|Connection (?:closed|reset) by UNKNOWN port 65535|banner exchange: Connection to UNKNOWN port 65535: Broken pipe)$`)
)

// ssh ends with its own message about the reason. Only that last message is believed, because the
// server may have sent what came before.
var (
	verified   = lazyregexp.New(`^Host key verification failed\.|^No \S+ host key is known for|^Error: forwarding disabled due to host key check failure`)
	connection = lazyregexp.New(`^(?:Disconnected from |Disconnecting |Connection (?:closed|reset|corrupted)|Connection to \S+ closed|ssh_dispatch_run_fatal: |ssh_packet_|Received disconnect from |Bad packet length|Timeout, server )`)
)

// lastWords is what ssh printed before it ended.
type lastWords struct {
	unmet
	said   []string // the last messages, without debug messages
	phase  phase    // how far ssh came
	tried  []string // ways to log in that were tried
	taken  string   // the last key that was offered, if the server would accept it
	banner string   // what the server sent in place of its version
	shown  string   // the host key, "TYPE SHA256:…"
	ended  string   // exit status or signal
}

// sshError turns ssh's last words into an error of the same class as the native transport's, and
// where possible with the same words.
func (m *master) sshError() error {
	w := m.stderr.lastWords()
	if m.bridge != nil {
		w.unmet = m.bridge.outcome()
	}
	if w.tooMany {
		return login.TooManyQuestions(m.o)
	}
	if m.cmd != nil && m.cmd.ProcessState != nil {
		w.ended = m.cmd.ProcessState.String()
		if m.cmd.ProcessState.ExitCode() < 0 { // killed: the last message need not be ssh's own
			return fault.New(fault.Unreachable, "ssh to %s did not end by itself: %s", m.o.HostName, w.ended)
		}
	}
	if !proxyEnd.MatchString(w.text()) {
		return sshError(m.o, w)
	}
	w.said = slices.DeleteFunc(w.said, proxyGone.MatchString)
	if hop := hopIn(m.o, w.text()); hop != nil {
		// The details of that ssh are not known, because it runs with its usual LogLevel.
		w.tried, w.shown = nil, ""
		return login.Through(sshError(hop, w))
	}
	if said := text.LastLines(w.text(), 1); said != "" {
		return fault.New(fault.Unreachable, "no answer from %s through its %s; the ProxyCommand said: %s", m.o.HostName, m.o.Proxy(), said)
	}
	return fault.New(fault.Unreachable, "no answer from %s through its %s", m.o.HostName, m.o.Proxy())
}

// hopIn is the jump host that ssh's words are about, or nil if there is none.
func hopIn(o *config.Options, text string) *config.Options {
	for hop := o.Jump; hop != nil; hop = hop.Jump {
		if hop.Jump == nil || strings.Contains(text, hop.HostName) {
			return hop
		}
	}
	return nil
}

// text is ssh's last messages, joined with newlines.
func (w lastWords) text() string { return strings.Join(w.said, "\n") }

// final is the message that ssh ended with, or empty if there is none.
func (w lastWords) final() string {
	if len(w.said) == 0 {
		return ""
	}
	return w.said[len(w.said)-1]
}

func sshError(o *config.Options, w lastWords) error {
	said, final := w.text(), w.final()
	last := text.FromPeer(text.LastLines(final, 1))
	switch {
	case verified.MatchString(final):
		return sshHostKeyError(o, w)
	case w.phase == loggingIn && slices.ContainsFunc(w.said, tooMany.MatchString):
		return login.TooManyTries(o, w.tried)
	case deniedWords.MatchString(final):
		return sshDenied(o, w)
	case final == "KnownHostsCommand failed":
		command, _, _ := strings.Cut(o.Option("knownhostscommand"), " ")
		return fault.New(fault.Unreachable, "KnownHostsCommand %s: it failed", command)
	case noMatching.MatchString(final):
		m := noMatching.FindStringSubmatch(final)
		return fault.Because(fault.Settings, login.ErrNoCommon, "%s and ssh have no %s in common; the server offers only %s", o.HostName, login.AlgorithmKeyword(m[1]), text.FromPeer(m[2]))
	case w.left() != "":
		return fault.New(fault.Unreachable, "%s ended the connection: %s", o.HostName, w.left())
	case w.banner != "":
		return login.NotSSH(o, w.banner, io.EOF)
	case earlyEnd.MatchString(said):
		return login.ClosedEarly(o, io.EOF)
	case connectWords.MatchString(said):
		m := connectWords.FindStringSubmatch(said)
		return fault.Wrap(fault.Unreachable, connectError(m[3]), "cannot connect to %s port %s", m[1], m[2])
	case resolveWords.MatchString(said):
		m := resolveWords.FindStringSubmatch(said)
		if strings.Contains(m[2], "not known") || strings.Contains(m[2], "No address") {
			return fault.Wrap(fault.Unreachable, &net.DNSError{Err: "no such host", Name: m[1], IsNotFound: true}, "no address for %s", m[1])
		}
		return fault.Wrap(fault.Unreachable, &net.DNSError{Err: m[2], Name: m[1], IsTemporary: true}, "cannot look up %s", m[1])
	case w.phase == negotiating && !connection.MatchString(final) && badSetting.MatchString(final):
		return fault.New(fault.Settings, "ssh cannot make sense of its configuration for %s: %s", o.HostName, last)
	case silentServer.MatchString(said):
		return fault.New(fault.Unreachable, "%s does not answer keepalives any more", o.HostName)
	case goneServer.MatchString(last) && w.late: // ssh went on without an answer, but too late for the server
		return fault.New(w.reason, "%s", w.needed)
	case goneServer.MatchString(last):
		return fault.Because(fault.Unreachable, io.EOF, "%s closed the connection", o.HostName)
	case last == "":
		return fault.New(fault.Unreachable, "ssh to %s ended without a word: %s", o.HostName, w.ended)
	}
	return fault.New(fault.Unreachable, "ssh to %s: %s", o.HostName, strings.TrimPrefix(last, "ssh: "))
}

// left is what the server said when it ended the connection, or empty if it said nothing.
func (w lastWords) left() string {
	for _, message := range w.said[max(0, len(w.said)-2):] {
		if m := serverLeft.FindStringSubmatch(message); m != nil {
			return text.FromPeer("disconnect, reason " + m[1] + ": " + m[2])
		}
	}
	return ""
}

// sshHostKeyError is the error for a host key that ssh did not accept.
func sshHostKeyError(o *config.Options, w lastWords) error {
	all := w.text()
	known := func() *hostkeys.Checker {
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		defer cancel()
		return hostkeys.For(ctx, o, nil)
	}
	shown := w.shown
	if m := sentKey.FindStringSubmatch(all); m != nil && shown == "" {
		shown = m[1] + " " + m[2]
	}
	said := cmp.Or(shown, hostkeys.NotSaid)
	switch {
	case strings.Contains(all, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		return known().Changed(said)
	case revokedFile.MatchString(all):
		return fault.New(fault.HostKeyRevoked, "the host key of %s is revoked by %s: %s: it is listed there", o.HostName, revokedFile.FindStringSubmatch(all)[1], said)
	case strings.Contains(all, "REVOKED HOST KEY"), strings.Contains(all, "is revoked"):
		return known().Revoked(shown)
	}
	why := w.doubt
	if m := badCertificate.FindStringSubmatch(all); m != nil && m[1] != "" {
		why += " (its certificate is not valid: " + m[1] + ")"
	} else if m != nil {
		why += " (its certificate is signed in a way that CASignatureAlgorithms does not allow)"
	}
	return hostkeys.Stranger(o, said, why)
}

// sshDenied is the error if no way to log in was left.
func sshDenied(o *config.Options, w lastWords) error {
	all := w.text()
	if w.needed != "" {
		return fault.New(w.reason, "%s", w.needed)
	}
	if m := wrongSecret.FindStringSubmatch(all); m != nil {
		if strings.HasSuffix(m[1], "-SK ") {
			return fault.New(fault.PIN, "was given a wrong PIN for %s", text.Tilde(m[2]))
		}
		return fault.New(fault.Passphrase, "was given a wrong passphrase for %s", text.Tilde(m[2]))
	}
	if strings.Contains(all, "PIN incorrect") {
		return fault.New(fault.PIN, "was given a wrong PIN for %s", o.Option("pkcs11provider"))
	}
	allowed := config.SplitList(deniedWords.FindStringSubmatch(w.final())[1])
	tried, notes := notLoaded(w)
	if w.taken != "" && notes == nil && o.Yes("batchmode") && slices.Contains(allowed, "publickey") {
		return fault.New(fault.Passphrase, "needs a passphrase for %s", text.Tilde(w.taken)) // with BatchMode ssh asks nobody
	}
	reason := fault.Denied
	if untouched.MatchString(all) {
		reason = fault.Touch
	}
	return fault.New(reason, "%s%s", login.RefusedEveryWay(o, tried, allowed), login.NotTried(notes))
}

// notLoaded returns the ways to log in that were tried, without keys that could not be loaded, and
// notes about the keys that could not be used.
func notLoaded(w lastWords) (tried, notes []string) {
	all := w.text()
	tried = w.tried
	for _, m := range loadFailed.FindAllStringSubmatch(all, -1) {
		file, why := m[1], m[2]
		if err := login.CheckPermissions(file); err != nil && why == "bad permissions" {
			why = err.Error()
		}
		tried = slices.DeleteFunc(tried, func(name string) bool { return name == text.Tilde(file) })
		notes = append(notes, text.Tilde(file)+": "+why)
	}
	for _, m := range notSigned.FindAllStringSubmatch(all, -1) {
		notes = append(notes, text.Tilde(m[1])+": the agent did not sign: "+m[2])
	}
	return tried, notes
}

// connectErrors are errors of connect(2).
var connectErrors = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ECONNRESET, syscall.EADDRNOTAVAIL,
}

// connectError is the kernel's error for ssh's words about a connect that failed.
func connectError(words string) error {
	for _, e := range connectErrors {
		if strings.EqualFold(e.Error(), words) {
			return e
		}
	}
	return errors.New(words)
}
