package listing

import (
	"slices"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Wanted says whether the tunnel is meant to run now: nobody stopped it, and no rule of its own forbids
// this network.
func (t Tunnel) Wanted() bool {
	return t.State != tunnelfile.Inactive && t.State != tunnelfile.Stopping && t.Reason != fault.Rule
}

// Well says whether the tunnel does everything that is asked of it now.
func (t Tunnel) Well() bool { return t.State == tunnelfile.Up || t.State == tunnelfile.Listening }

// Tally counts all tunnels, those of them that are wanted, and those of the wanted that are well.
// Every user interface shows these numbers.
type Tally struct{ Well, Wanted, All int }

// Count makes the Tally of tunnels.
func Count(tunnels []Tunnel) Tally {
	tally := Tally{All: len(tunnels)}
	for _, t := range tunnels {
		if !t.Wanted() {
			continue
		}
		tally.Wanted++
		if t.Well() {
			tally.Well++
		}
	}
	return tally
}

// Names are the names of tunnels.
func Names(tunnels []Tunnel) (names []string) {
	for _, t := range tunnels {
		names = append(names, t.Name)
	}
	return names
}

// Find returns the tunnel of this name.
func Find(tunnels []Tunnel, name string) (Tunnel, bool) {
	i := slices.IndexFunc(tunnels, func(t Tunnel) bool { return t.Name == name })
	if i < 0 {
		return Tunnel{}, false
	}
	return tunnels[i], true
}

// Outdated returns the names of the tunnels whose program has another version than the daemon.
// version is the daemon's.
func Outdated(version string, all []Tunnel) []string {
	var names []string
	for _, t := range all {
		if version != "" && t.WorkerVersion != "" && t.WorkerVersion != version {
			names = append(names, t.Name)
		}
	}
	return names
}
