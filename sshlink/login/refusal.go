package login

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
)

// ErrNoCommon is wrapped by errors that say that the native transport lacks an algorithm. The
// openssh transport may have it.
var ErrNoCommon = errors.New("no common algorithm")

// ErrNoCommonHostKey is the ErrNoCommon for a server that has no host key of the requested types.
var ErrNoCommonHostKey = fmt.Errorf("%w: host key", ErrNoCommon)

// ErrBarred is wrapped by errors that say that an agent refused to sign for us. It may sign for
// ssh: a key may be restricted to hosts (ssh-add -h). Then the agent needs a signature of the
// server's that x/crypto does not give out.
var ErrBarred = errors.New("the agent would not sign")

// ErrTooManyTries is wrapped by the error for a server whose MaxAuthTries is used up.
var ErrTooManyTries = errors.New("too many authentication failures")

// ErrServerLeft is the cause of a question's context when the server closed the connection.
var ErrServerLeft = errors.New("the server closed the connection meanwhile")

// Through marks an error as that of a ProxyJump host.
func Through(err error) error {
	if e := fault.As(err); e != nil {
		return e.Within("ProxyJump")
	}
	return err
}

// NotSSH is the error for a server that sends something else than an SSH version.
func NotSSH(o *config.Options, said string, err error) error {
	if strings.Contains(said, "Exceeded MaxStartups") || strings.Contains(said, "Not allowed at this time") {
		return fault.New(fault.TurnedAway, "%s turns this address away for now: %q", o.HostName, said)
	}
	return fault.Because(fault.Unreachable, err, "%s does not speak SSH; it said %q", o.HostName, said)
}

// ClosedEarly is the error for a server that closes the connection before it sends anything.
func ClosedEarly(o *config.Options, err error) error {
	return fault.Because(fault.TurnedAway, err, "%s closed the connection before saying anything: too many connections at once, or this address is banned there", o.HostName)
}

// TooManyTries is the error for a server whose MaxAuthTries is used up.
func TooManyTries(o *config.Options, tried []string) error {
	what := ""
	if len(tried) > 0 {
		what = ": tried " + strings.Join(tried, ", ")
	}
	return fault.Because(fault.Denied, ErrTooManyTries, "%s allows no more tries (MaxAuthTries)%s; name the right key with IdentityFile and set IdentitiesOnly=yes", o.HostName, what)
}

// RefusedEveryWay is the sentence for a server that refused every way to log in, for both
// transports. tried is nil if it is not known what was tried.
func RefusedEveryWay(o *config.Options, tried, allowed []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s refused every way to log in as %s", o.HostName, o.User)
	if len(tried) > 0 {
		fmt.Fprintf(&b, "; tried %s", strings.Join(tried, ", "))
	} else if tried != nil && slices.Contains(allowed, "publickey") {
		b.WriteString("; there was no key to try")
	}
	if len(allowed) > 0 {
		fmt.Fprintf(&b, "; it takes %s", text.FromPeer(strings.Join(allowed, ", ")))
	}
	if slices.Contains(allowed, "gssapi-with-mic") && MayUseTicket(o) && !slices.Contains(tried, "gssapi-with-mic") {
		b.WriteString("; there is no Kerberos ticket that could be used: run kinit")
	}
	return b.String()
}

// NotTried lists the keys that could not be used, and why, for the end of a sentence.
func NotTried(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "; not tried: " + strings.Join(notes, ", ")
}

// Unanswered says why a question has no answer, for the end of a sentence. It is empty if there was
// nobody to ask.
func Unanswered(err error) string {
	switch {
	case err == nil, errors.Is(err, asking.ErrNobody):
		return ""
	case errors.Is(err, ErrServerLeft):
		return "; nobody answered before the server hung up"
	case errors.Is(err, asking.ErrNoAnswer):
		return "; " + err.Error()
	}
	return "; the question was declined"
}

// AlgorithmKeyword is the keyword of ssh_config(5) for the kind of algorithm that x/crypto or ssh
// names.
func AlgorithmKeyword(what string) string {
	for _, k := range []struct{ part, keyword string }{
		{"key exchange", "KexAlgorithms"}, {"host key", "HostKeyAlgorithms"}, {"cipher", "Ciphers"}, {"MAC", "MACs"}, {"compression", "Compression"},
	} {
		if strings.Contains(what, k.part) {
			return k.keyword
		}
	}
	return "algorithm"
}

// Limits for the text of a question: lines, and bytes of all lines together.
const (
	maxLines = 24
	maxBytes = 2000
)

// PrintableLines is [text.FromPeer] for a text of several lines.
func PrintableLines(s string) string {
	lines := strings.Split(text.BoundBytes(s, maxBytes), "\n")
	if len(lines) > maxLines {
		lines = append(lines[:maxLines], "…")
	}
	for i, line := range lines {
		end := ""
		if strings.HasSuffix(line, " ") {
			end = " "
		}
		lines[i] = strings.TrimRight(text.Bound(text.Printable(line), text.MaxPeer), " ") + end
	}
	return strings.Join(lines, "\n")
}
