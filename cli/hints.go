package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// hintFor is what a person can do about a tunnel that is stuck; "" where nothing need be done.
func hintFor(t dbusapi.Tunnel) string {
	status := strings.ToLower(t.Status)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(status, w) })
	}
	switch {
	case t.State == tunnelfile.Failed:
		return fmt.Sprintf("holdfast logs %s -n 20 shows what it said last", t.Name)
	case t.State == tunnelfile.Blocked && has("host key", "known_hosts"):
		return fmt.Sprintf("ssh %s shows the server's key and asks what to do; then holdfast up %s", t.Destination, t.Name)
	case t.State == tunnelfile.Blocked && has("authenticate", "authentication", "passphrase", "password", "permission denied", "key"):
		return fmt.Sprintf("does ssh %s log in? ssh-add -l lists the keys your agent holds; then holdfast up %s", t.Destination, t.Name)
	case t.State == tunnelfile.Blocked:
		return fmt.Sprintf("mend it with holdfast edit %s; holdfast logs %s has more", t.Name, t.Name)
	case t.State == tunnelfile.Offline && has("portal"):
		return "log in to this network with a browser; the tunnel follows by itself"
	}
	return ""
}

// noSuch says that no tunnel has this name or matches this glob, and which was meant perhaps.
func noSuch(pattern string, tunnels []dbusapi.Tunnel) error {
	err := fmt.Errorf("%w: %s", dbusapi.ErrNoSuchTunnel, pattern)
	if len(tunnels) == 0 {
		return hinted{err, "there are none yet; holdfast add NAME SSH-ARGUMENTS… makes one"}
	}
	best, distance := "", 3
	for _, t := range tunnels {
		if d := edits(pattern, t.Name); d < distance {
			best, distance = t.Name, d
		}
	}
	if best != "" {
		return hinted{err, fmt.Sprintf("did you mean %s?", best)}
	}
	return err
}

// edits is how many letters must be put in, taken out or changed to make b of a
// (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
