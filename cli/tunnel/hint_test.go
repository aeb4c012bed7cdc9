package tunnel

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestHints: every reason has a next step of its own, whatever the sentence says, and a tunnel
// that is well has none.
func TestHints(t *testing.T) {
	for _, reason := range fault.Reasons() {
		for _, status := range []string{"", "host key has changed", "portal", "needs a password"} {
			tunnel := listing.Tunnel{Name: "web", Destination: "me@host", State: tunnelfile.Blocked, Reason: reason, Status: status}
			hint := Hint(tunnel)
			if hint == "" || strings.Contains(hint, "NAME") || hints[reason] == nil {
				t.Errorf("%s: %q", reason, hint)
			}
			if plain := (listing.Tunnel{Name: "web", Destination: "me@host", State: tunnelfile.Blocked, Reason: reason}); Hint(plain) != hint {
				t.Errorf("%s: the hint goes by the sentence %q", reason, status)
			}
		}
	}
	for _, state := range []tunnelfile.State{tunnelfile.Up, tunnelfile.Listening, tunnelfile.Inactive} {
		if hint := Hint(listing.Tunnel{Name: "web", State: state}); hint != "" {
			t.Errorf("%s: %q", state, hint)
		}
	}
	for _, reason := range []fault.Reason{fault.Passphrase, fault.PIN, fault.Password, fault.Code} {
		hint := Hint(listing.Tunnel{Name: "web", State: tunnelfile.Blocked, Reason: reason})
		if !strings.HasPrefix(hint, "holdfast up web in a terminal asks") {
			t.Errorf("%s: %s", reason, hint)
		}
	}
}
