package cli

import (
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// stateColor is how a state looks. The word says the same without it.
func stateColor(s tunnelfile.State) string {
	switch s {
	case tunnelfile.Up:
		return green
	case tunnelfile.Listening:
		return green
	case tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting, tunnelfile.Offline:
		return yellow
	case tunnelfile.Blocked, tunnelfile.Failed:
		return red
	}
	return dim
}

// running says whether a tunnel in this state does its work, as far as anybody asks for it.
func running(s tunnelfile.State) bool {
	return s == tunnelfile.Up || s == tunnelfile.Degraded || s == tunnelfile.Listening
}

// stuck says whether a tunnel in this state stays so until somebody does something.
func stuck(s tunnelfile.State) bool { return s == tunnelfile.Blocked || s == tunnelfile.Failed }

// stateLine is a tunnel's state for people: "retrying: in 8s, connection refused".
func stateLine(t dbusapi.Tunnel) string {
	return text.Printable(t.Line().String())
}
