package tunnel

import (
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Color is the colour of a state. The state's word carries the same information.
func Color(s tunnelfile.State) layout.Color {
	switch s {
	case tunnelfile.Up, tunnelfile.Listening:
		return layout.Green
	case tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting, tunnelfile.Offline:
		return layout.Yellow
	case tunnelfile.Blocked, tunnelfile.Failed:
		return layout.Red
	}
	return layout.Dim
}

// Running says whether a tunnel in this state works as wanted. A listening tunnel does.
func Running(s tunnelfile.State) bool {
	return s == tunnelfile.Up || s == tunnelfile.Degraded || s == tunnelfile.Listening
}

// Stuck says whether a tunnel in this state needs somebody to act.
func Stuck(s tunnelfile.State) bool { return s == tunnelfile.Blocked || s == tunnelfile.Failed }

// Line is a tunnel's state for people: "retrying: in 8s, connection refused".
func Line(t listing.Tunnel) string {
	return text.Printable(t.Line().String())
}
