package tray

import (
	"testing"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestPauseAfter: a pause is over when its tunnels were started by somebody else.
func TestPauseAfter(t *testing.T) {
	const up, stopping, inactive = tunnelfile.Up, tunnelfile.Stopping, tunnelfile.Inactive
	p := Pause{Since: noon, Tunnels: []string{"a", "b"}}
	look := func(a, b tunnelfile.State) dbusapi.Snapshot {
		return snapshot(tunnel("a", a, ""), tunnel("b", b, ""), tunnel("manual", inactive, ""))
	}
	for _, step := range []struct {
		seen dbusapi.Snapshot
		want bool
	}{
		{look(up, up), true}, // they are told to stop only now
		{look(stopping, inactive), true},
		{look(inactive, inactive), true},
		{dbusapi.Snapshot{}, true}, // no daemon
		{look(up, inactive), true}, // somebody needed one of them
		{look(inactive, inactive), true},
		{look(tunnelfile.Connecting, up), false},
		{look(inactive, inactive), false},
	} {
		if p = p.after(step.seen); p.Active() != step.want {
			t.Fatalf("after %+v: %+v", step.seen.Tunnels, p)
		}
	}
}
