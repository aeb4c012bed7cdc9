package tunnel

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestTable: what is not well has its reason, also where only a forward is not; what is well says
// nothing more.
func TestTable(t *testing.T) {
	forward := func(kind tunnelfile.ForwardKind, listen, target, message string) []tunnelfile.ForwardReport {
		return []tunnelfile.ForwardReport{{Kind: kind, Listen: listen, Target: target, State: tunnelfile.Up, Message: message}}
	}
	all := []listing.Tunnel{
		{Name: "well", State: tunnelfile.Up, Status: "1 forward, rtt 12 ms", Forwards: forward(tunnelfile.LocalForward, "localhost:9090", "localhost:80", "")},
		{Name: "target", State: tunnelfile.Up, Status: "1 forward", Forwards: forward(tunnelfile.LocalForward, "127.0.0.1:8084", "localhost:1", "target refused, 3 times, last 12 s ago")},
		{Name: "denied", State: tunnelfile.Blocked, Reason: fault.Denied, Status: "no key was accepted", Forwards: forward(tunnelfile.RemoteForward, "8080", "localhost:80", "")},
		{Name: "socks", State: tunnelfile.Listening, Forwards: forward(tunnelfile.DynamicForward, "[::1]:1080", "SOCKS", "")},
	}
	var shown strings.Builder
	for _, line := range Table(all, time.Now(), false).Lines(0) {
		shown.WriteString(layout.Look{}.Render(line) + "\n")
	}
	const want = `NAME    STATE             SINCE  LISTENS                     DESTINATION  STATUS
well    up                       :9090 → localhost:80
target  up                       :8084 → localhost:1                      LocalForward 127.0.0.1:8084: target refused, 3 times, last 12 s ago
denied  blocked [denied]         remote 8080 → localhost:80               no key was accepted
socks   listening                :1080 (SOCKS)
`
	if shown.String() != want {
		t.Errorf("got\n%swant\n%s", shown.String(), want)
	}
}
