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

// ErrNoCommon is wrapped by errors that say that an algorithm is missing here: the openssh
// transport may have it.
var ErrNoCommon = errors.New("no common algorithm")

// ErrNoCommonHostKey is the ErrNoCommon of a server that has no host key of a kind that it was
// asked for.
var ErrNoCommonHostKey = fmt.Errorf("%w: host key", ErrNoCommon)

// ErrBarred is wrapped by errors that say that an agent would not sign for us. It may do so for
// ssh: a key may be tied to hosts (ssh-add -h), which wants a proof of the server's that x/crypto
// keeps to itself.
var ErrBarred = errors.New("the agent would not sign")

// ErrTooManyTries is wrapped by the error that says that the server's MaxAuthTries is used up.
var ErrTooManyTries = errors.New("too many authentication failures")

// ErrServerLeft is the cause of a question's context when the server closed the connection.
var ErrServerLeft = errors.New("the server closed the connection meanwhile")

// Through says of a jump host's error whose it is.
func Through(err error) error {
	if e := fault.As(err); e != nil {
		return e.Within("ProxyJump")
	}
	return err
}

// NotSSH is the error for a server that says something else than its version.
func NotSSH(o *config.Options, said string, err error) error {
	if strings.Contains(said, "Exceeded MaxStartups") || strings.Contains(said, "Not allowed at this time") {
		return fault.New(fault.TurnedAway, "%s turns this address away for now: %q", o.HostName, said)
	}
	return fault.Because(fault.Unreachable, err, "%s does not speak SSH; it said %q", o.HostName, said)
}

// ClosedEarly is the error for one that says nothing.
func ClosedEarly(o *config.Options, err error) error {
	return fault.Because(fault.TurnedAway, err, "%s closed the connection before saying anything: too many connections at once, or this address is banned there", o.HostName)
}

// TooManyTries says that the server's MaxAuthTries is used up.
func TooManyTries(o *config.Options, tried []string) error {
	what := ""
	if len(tried) > 0 {
		what = ": tried " + strings.Join(tried, ", ")
	}
	return fault.Because(fault.Denied, ErrTooManyTries, "%s allows no more tries (MaxAuthTries)%s; name the right key with IdentityFile and set IdentitiesOnly=yes", o.HostName, what)
}

// RefusedEveryWay is that sentence for either transport. Where nothing is known of what was tried,
// tried is nil.
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

// NotTried says which keys were of no use, and why.
func NotTried(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "; not tried: " + strings.Join(notes, ", ")
}

// Unanswered says why a question has no answer, where that is not that nobody is there.
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

// AlgorithmKeyword is what ssh_config(5) calls what x/crypto or ssh say is not in common.
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

// A question has at most so many lines and bytes.
const (
	maxLines     = 24
	maxLineBytes = 2000
)

// PrintableLines is [text.FromPeer] for a text of several lines.
func PrintableLines(s string) string {
	lines := strings.Split(text.BoundBytes(s, maxLineBytes), "\n")
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
