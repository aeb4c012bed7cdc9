package sshlink

import (
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// masterLog reads what ssh says on its standard error at LogLevel DEBUG1: what was negotiated,
// and, when it ends, why.
type masterLog struct {
	log *slog.Logger

	mu      sync.Mutex
	partial []byte
	said    []string // the last lines that are not debug ones
	info    Info
}

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
	debugKex     = regexp.MustCompile(`^kex: algorithm: (\S+)`)
	debugCipher  = regexp.MustCompile(`^kex: client->server cipher: (\S+) MAC: (\S+)`)
	debugHostKey = regexp.MustCompile(`^Server host key: (\S+ SHA256:\S+)`)
	debugVersion = regexp.MustCompile(`^Remote protocol version 2.0, remote software version (.+)`)
)

func (l *masterLog) line(line string) {
	debug, isDebug := strings.CutPrefix(line, "debug1: ")
	if !isDebug {
		if line = printable(line); line != "" && !chatter.MatchString(line) {
			l.said = append(l.said, line)
			l.said = l.said[max(0, len(l.said)-saidLimit):]
			l.log.Info(line)
		}
		return
	}
	if m := debugKex.FindStringSubmatch(debug); m != nil {
		l.info.Kex, l.info.PostQuantum = m[1], postQuantum(m[1])
	} else if m := debugCipher.FindStringSubmatch(debug); m != nil {
		l.info.Cipher, l.info.MAC = m[1], strings.TrimPrefix(m[2], "<implicit>")
	} else if m := debugHostKey.FindStringSubmatch(debug); m != nil {
		l.info.HostKey = m[1]
	} else if m := debugVersion.FindStringSubmatch(debug); m != nil {
		l.info.ServerVersion = "SSH-2.0-" + printable(m[1])
	}
}

// chatter is what ssh says at this level without being asked, and without a prefix.
var chatter = regexp.MustCompile(`^(OpenSSH_|Authenticated to |Authenticated using |Transferred: |Bytes per second: |Warning: Permanently added )`)

// negotiated is what ssh said of the connection.
func (l *masterLog) negotiated() Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.info
}

// text is the last that ssh said, line by line.
func (l *masterLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "\n")
}

var (
	offending   = regexp.MustCompile(`Offending .*key in (\S+:\d+)`)
	sentKey     = regexp.MustCompile(`fingerprint for the (\S+) key sent by the remote host is\n(SHA256:[^\s.]+)`)
	noMatching  = regexp.MustCompile(`no matching (.+) found\. Their offer: (\S+)`)
	badSetting  = regexp.MustCompile(`Bad |[Uu]nsupported |missing argument|terminating, \d+ bad configuration`)
	wrongSecret = regexp.MustCompile(`(?:Load key|signing failed for) (\S+ )?"(.+?)": incorrect passphrase supplied`)
	turnedWords = regexp.MustCompile(`Exceeded MaxStartups|Not allowed at this time|kex_exchange_identification: (Connection closed|read: Connection reset)`)
)

// sshError makes of ssh's last words an error of the same class as the native transport's.
func (r *Resolved) sshError(l *masterLog) error {
	text := l.text()
	last := lastLines(text, 1)
	switch {
	case strings.Contains(text, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		place, shown := "known_hosts", "another"
		if m := offending.FindStringSubmatch(text); m != nil {
			place = m[1]
		}
		if m := sentKey.FindStringSubmatch(text); m != nil {
			shown = m[1] + " " + m[2]
		}
		return errorf(distrusted, "the host key of %s has changed: the server shows %s, which is not the one at %s; "+
			"somebody may be listening in, or the server was set up anew: ask its owner", r.HostName, shown, place)
	case strings.Contains(text, "REVOKED HOST KEY"), strings.Contains(text, "is revoked"):
		return errorf(distrusted, "the host key of %s is marked as revoked; do not connect until its owner has explained it", r.HostName)
	case strings.Contains(text, "Host key verification failed"):
		return errorf(distrusted, "the host key of %s is not known; run: %s", r.HostName, r.trustHint())
	case strings.Contains(text, "Too many authentication failures"):
		return errorf(denied, "%s allows no more tries (MaxAuthTries); name the right key with IdentityFile and set IdentitiesOnly=yes", r.HostName)
	case strings.Contains(text, "Permission denied (") && wrongSecret.MatchString(text):
		m := wrongSecret.FindStringSubmatch(text)
		if strings.HasSuffix(m[1], "-SK ") {
			return errorf(denied, "was given a wrong PIN for %s", tilde(m[2]))
		}
		return errorf(denied, "was given a wrong passphrase for %s", tilde(m[2]))
	case strings.Contains(text, "Permission denied ("):
		return errorf(denied, "%s refused every way to log in: %s", r.HostName, last)
	case noMatching.MatchString(text):
		m := noMatching.FindStringSubmatch(text)
		return because(mistaken, errNoCommon, "%s and ssh have no %s in common; the server offers only %s", r.HostName, m[1], m[2])
	case turnedWords.MatchString(text):
		return errorf(turnedAway, "%s turns this address away for now: %s", r.HostName, last)
	case badSetting.MatchString(text):
		return errorf(mistaken, "ssh cannot make sense of its configuration for %s: %s", r.HostName, last)
	case last == "":
		return errorf(passing, "ssh to %s ended without a word", r.HostName)
	}
	return errorf(passing, "ssh to %s: %s", r.HostName, last)
}
