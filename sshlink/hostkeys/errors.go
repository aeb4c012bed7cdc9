package hostkeys

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
)

// Changed is the error if known_hosts has other keys of the server than the key that it shows,
// which is "TYPE SHA256:…". Lines with a key of the same type come first, because those are to be
// compared. Without any line, ssh has found another fingerprint in DNS.
func (h *Checker) Changed(shown string) error {
	known := h.Known.plain()
	if len(known) == 0 {
		return fault.New(fault.HostKeyChanged, "the host key of %s has changed: DNS has the fingerprint of another, the server shows %s; "+changedBy, h.o.HostName, shown)
	}
	const most = 3
	kind, _, _ := strings.Cut(shown, " ")
	rank := func(k Line) int {
		if k.Key.Type() == kind {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(known, func(a, b Line) int { return rank(a) - rank(b) })
	var lines []string
	for _, k := range known[:min(most, len(known))] {
		lines = append(lines, fmt.Sprintf("%s has %s", text.Tilde(k.Place()), Fingerprint(k.Key)))
	}
	if more := len(known) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more lines", more))
	}
	return fault.New(fault.HostKeyChanged, "the host key of %s has changed: %s, the server shows %s; "+changedBy,
		h.o.HostName, strings.Join(lines, ", "), shown)
}

const changedBy = "somebody may be listening in, or the server was set up anew"

// Why an unknown host key was not accepted, for Stranger.
const (
	NobodyToConfirm = " and nobody is there to say whether it is right"
	NotConfirmed    = " and was not accepted"
)

// Stranger is the error for a host key that is not recorded. why is added to the message; it may be
// empty.
func Stranger(o *config.Options, shown, why string) error {
	return fault.New(fault.HostKeyUnknown, "the host key of %s is not known%s: %s", o.HostName, why, shown)
}

func revokedAt(o *config.Options, place, shown string) error {
	return fault.New(fault.HostKeyRevoked, "the host key of %s is marked as revoked at %s: %s",
		o.HostName, text.Tilde(place), shown)
}

// NotSaid is shown in place of a key that ssh does not name.
const NotSaid = "ssh does not say which it is"

// Revoked is the error for a key that ssh says is revoked. It names the line with @revoked if it
// finds one. shown may be empty.
func (h *Checker) Revoked(shown string) error {
	for _, k := range h.Known {
		if k.marker == revoked && (shown == "" || Fingerprint(k.Key) == shown) {
			return revokedAt(h.o, k.Place(), Fingerprint(k.Key))
		}
	}
	return revokedAt(h.o, "its line", cmp.Or(shown, NotSaid))
}
