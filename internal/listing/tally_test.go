package listing

import (
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestTally(t *testing.T) {
	in := func(states ...tunnelfile.State) (tunnels []Tunnel) {
		for _, s := range states {
			tunnels = append(tunnels, Tunnel{State: s})
		}
		return tunnels
	}
	const up, listening, down = tunnelfile.Up, tunnelfile.Listening, tunnelfile.Inactive
	forbidden := append(in(up, up), Tunnel{State: tunnelfile.Offline, Reason: fault.Rule})
	for _, c := range []struct {
		tunnels []Tunnel
		want    Tally
	}{
		{nil, Tally{0, 0, 0}},
		{in(down, down), Tally{0, 0, 2}},
		{in(up), Tally{1, 1, 1}},
		{in(up, up, up, listening, down), Tally{4, 4, 5}},
		{in(up, tunnelfile.Degraded, tunnelfile.Retrying), Tally{1, 3, 3}},
		{in(up, tunnelfile.Stopping), Tally{1, 1, 2}},
		{in(up, tunnelfile.Offline), Tally{1, 2, 2}},
		{forbidden, Tally{2, 2, 3}},
	} {
		if got := Count(c.tunnels); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.tunnels, got, c.want)
		}
	}
}
