package openssh

import (
	"log/slog"
	"net"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// masterLog reads what ssh says on its standard error at LogLevel DEBUG1: what was negotiated,
// and, when it ends, why.
type masterLog struct {
	log   *slog.Logger
	trace *httptrace.ClientTrace // is told of connects; may be nil

	mu      sync.Mutex
	partial []byte
	said    []string // the last lines that are not debug ones
	tried   []string // keys that were offered, and other ways to log in
	taken   string   // the last key that was offered, if the server would take it
	banner  string   // what the server said in place of its version
	info    wire.Info
}

// lineLimit bounds a line of ssh's.
const lineLimit = 1024

// saidLimit is how many lines are kept: a changed host key takes a dozen.
const saidLimit = 20

func (l *masterLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range p {
		switch {
		case c == '\n':
			l.line(strings.TrimRight(string(l.partial), "\r"))
			l.partial = l.partial[:0]
		case len(l.partial) < lineLimit:
			l.partial = append(l.partial, c)
		}
	}
	return len(p), nil
}

var (
	debugKex         = regexp.MustCompile(`^kex: algorithm: (\S+)`)
	debugCipher      = regexp.MustCompile(`^kex: client->server cipher: (\S+) MAC: (\S+)`)
	debugHostKey     = regexp.MustCompile(`^Server host key: (\S+ SHA256:\S+)`)
	debugHostCert    = regexp.MustCompile(`^Server host certificate: (\S+)-cert-v01@openssh\.com (SHA256:[^\s,]+)`)
	debugVersion     = regexp.MustCompile(`^Remote protocol version 2.0, remote software version (.+)`)
	debugConnect     = regexp.MustCompile(`^Connecting to \S+ \[(\S+)\] port (\d+)\.`)
	debugEstablished = regexp.MustCompile(`^Connection established\.`)
	debugOffers      = regexp.MustCompile(`^Offering public key: (.+) \S+ SHA256:\S+(?: (.*))?$`)
	debugTakes       = regexp.MustCompile(`^Server accepts key: (.+) \S+ SHA256:\S+`)
	debugBanner      = regexp.MustCompile(`^kex_exchange_identification: banner line \d+: (.+)`)
	debugMethod      = regexp.MustCompile(`^Next authentication method: (keyboard-interactive|password|gssapi-with-mic|hostbased)`)
)

func (l *masterLog) line(line string) {
	debug, isDebug := strings.CutPrefix(line, "debug1: ")
	if !isDebug {
		if m := authenticated.FindStringSubmatch(line); m != nil {
			l.info.Peer = net.JoinHostPort(m[1], m[2])
		}
		if line = strings.TrimSpace(text.Printable(line)); line != "" && !chatter.MatchString(line) {
			l.said = append(l.said, line)
			l.said = l.said[max(0, len(l.said)-saidLimit):]
			l.log.Info(line)
		}
		return
	}
	l.log.Debug(text.FromPeer(debug))
	if m := debugKex.FindStringSubmatch(debug); m != nil {
		l.info.Kex, l.info.PostQuantum = m[1], wire.PostQuantum(m[1])
	} else if m := debugCipher.FindStringSubmatch(debug); m != nil {
		l.info.Cipher, l.info.MAC = m[1], strings.TrimPrefix(m[2], "<implicit>")
	} else if m := debugHostKey.FindStringSubmatch(debug); m != nil {
		l.info.HostKey = m[1]
	} else if m := debugHostCert.FindStringSubmatch(debug); m != nil {
		l.info.HostKey = m[1] + " " + m[2]
	} else if m := debugVersion.FindStringSubmatch(debug); m != nil {
		l.info.ServerVersion = "SSH-2.0-" + text.FromPeer(m[1])
	} else if m := debugConnect.FindStringSubmatch(debug); m != nil {
		if l.trace != nil && l.trace.ConnectStart != nil {
			l.trace.ConnectStart("tcp", net.JoinHostPort(m[1], m[2]))
		}
	} else if debugEstablished.MatchString(debug) {
		if l.trace != nil && l.trace.ConnectDone != nil {
			l.trace.ConnectDone("tcp", "", nil)
		}
	} else if m := debugOffers.FindStringSubmatch(debug); m != nil {
		name := text.FromPeer(text.Tilde(m[1]))
		if m[2] == "agent" { // and not "explicit agent", which a file names
			name += " (agent)"
		}
		l.tried, l.taken = append(l.tried, name), ""
	} else if m := debugTakes.FindStringSubmatch(debug); m != nil {
		l.taken = m[1]
	} else if m := debugBanner.FindStringSubmatch(debug); m != nil && l.banner == "" {
		l.banner = text.FromPeer(m[1])
	} else if m := debugMethod.FindStringSubmatch(debug); m != nil && !slices.Contains(l.tried, m[1]) {
		l.tried = append(l.tried, m[1])
	}
}

// authenticated is how ssh says at this level that it has logged in. Through a proxy it names
// no address.
var authenticated = regexp.MustCompile(`^Authenticated to .* \(\[(.+)\]:(\d+)\) using `)

// chatter is what ssh says at this level without being asked, and without a prefix.
var chatter = regexp.MustCompile(`^(OpenSSH_|Authenticated to |Authenticated using |Transferred: |Bytes per second: |Warning: Permanently added |Host key fingerprint is |\+-.*-\+$|\|.{17}\|$)`)

// negotiated is what ssh said of the connection.
func (l *masterLog) negotiated() wire.Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.info
}

// lastWords is what there is to say of how ssh ended, as far as it said it itself.
func (l *masterLog) lastWords() lastWords {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := lastWords{text: strings.Join(l.said, "\n"), tried: append([]string{}, l.tried...), taken: l.taken, shown: l.info.HostKey}
	if l.info.ServerVersion == "" {
		w.banner = l.banner
	}
	return w
}
