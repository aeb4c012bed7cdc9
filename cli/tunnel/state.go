package tunnel

import (
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Color is how a state looks. The word says the same without it.
func Color(s tunnelfile.State) layout.Color {
	switch s {
	case tunnelfile.Up:
		return layout.Green
	case tunnelfile.Listening:
		return layout.Green
	case tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting, tunnelfile.Offline:
		return layout.Yellow
	case tunnelfile.Blocked, tunnelfile.Failed:
		return layout.Red
	}
	return layout.Dim
}

// Running says whether a tunnel in this state does its work, as far as anybody asks for it.
func Running(s tunnelfile.State) bool {
	return s == tunnelfile.Up || s == tunnelfile.Degraded || s == tunnelfile.Listening
}

// Stuck says whether a tunnel in this state stays so until somebody does something.
func Stuck(s tunnelfile.State) bool { return s == tunnelfile.Blocked || s == tunnelfile.Failed }

// Line is a tunnel's state for people: "retrying: in 8s, connection refused".
func Line(t listing.Tunnel) string {
	return text.Printable(t.Line().String())
}
