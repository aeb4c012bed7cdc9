package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
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
	return plain(tunnelfile.StatusText(t.State, t.Status))
}

// ago is a span for people, in its largest unit: "5 min".
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// size is a number of bytes for people: "1.5 KiB".
func size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		f /= 1024
		if f < 999.5 {
			if f < 9.95 {
				return fmt.Sprintf("%.1f %s", f, unit)
			}
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EiB", f)
}

// roundTrip is a round-trip time for people; "" where none was measured.
func roundTrip(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// count is "1 forward", "3 forwards".
func count[N int | int64 | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// tilde is a path as people write it.
func tilde(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+"/"); err == nil && ok && home != "/" {
		return "~/" + rest
	}
	return path
}
