// Package logs reads the journal of tunnels: what their workers wrote, what the daemon did about them,
// and what systemd did with their units. It runs journalctl(1) and prints nothing.
package logs

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/journalctl"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Query says what to read.
type Query struct {
	Names  []string // of tunnels
	System bool
	Follow bool   // go on with new entries
	Lines  int    // only the last ones; 0 means all
	Since  string // a time as in systemd.time(7)

	directory string // another journal than this machine's; for tests
}

// Line is a journal entry.
type Line struct {
	At       time.Time
	Tunnel   string
	Priority int // as in syslog(3)
	Event    journal.Event
	Systemd  bool // a message of systemd about the unit
	Text     string
}

// Arguments are those of journalctl(1) for the query. Entries are selected by fields that journald sets
// itself, since other fields can be forged.
func (q Query) Arguments() (args []string) {
	if q.Follow {
		args = append(args, "--follow")
	}
	switch {
	case q.Lines > 0:
		args = append(args, "--lines="+strconv.Itoa(q.Lines))
	case q.Follow && q.Since == "":
		args = append(args, "--lines=10")
	case q.Follow:
		args = append(args, "--no-tail")
	}
	if q.Since != "" {
		args = append(args, "--since="+q.Since)
	}
	if q.directory != "" {
		args = append(args, "--directory="+q.directory)
	}
	return append(args, q.matches()...)
}

// matches are the terms for journalctl(1). They select the entries of each tunnel's worker, systemd's
// about its service unit and its socket unit (which say why a listener failed), and the daemon's about it.
func (q Query) matches() (terms []string) {
	either := func(term ...string) {
		if len(terms) > 0 {
			terms = append(terms, "+")
		}
		terms = append(terms, term...)
	}
	own := "_UID=" + strconv.Itoa(os.Getuid())
	for _, name := range q.Names {
		unit := tunnelfile.ServiceName(name)
		if q.System {
			either("_SYSTEMD_UNIT=" + unit)
			either("_PID=1", "UNIT="+unit, "UNIT="+tunnelfile.SocketName(name))
			either("_SYSTEMD_UNIT="+journal.DaemonUnit, "HOLDFAST_TUNNEL="+name)
			continue
		}
		either(own, "_SYSTEMD_USER_UNIT="+unit)
		either(own, "USER_UNIT="+unit, "USER_UNIT="+tunnelfile.SocketName(name))
		either(own, "_SYSTEMD_USER_UNIT="+journal.DaemonUnit, "HOLDFAST_TUNNEL="+name)
	}
	return terms
}

// fields are those that a Line is made of, for --output-fields=.
const fields = "MESSAGE,PRIORITY," + journalctl.Units + "," + journal.Fields

// Read calls f with each line until there are no more, f fails, or the context ends.
func Read(ctx context.Context, q Query, f func(Line) error) error {
	last := make(map[string]journal.Event) // by tunnel, the last state that was passed to f
	return journalctl.Read(ctx, func(e journalctl.Entry) error {
		if e.Kind == journal.State {
			if e.Event == last[e.Tunnel] {
				return nil // the daemon repeats a state that the worker has reported
			}
			last[e.Tunnel] = e.Event
		}
		return f(lineOf(e))
	}, append([]string{"--output-fields=" + fields}, q.Arguments()...)...)
}

func lineOf(e journalctl.Entry) Line {
	l := Line{At: e.Realtime(), Event: e.Event, Tunnel: e.Tunnel, Priority: 6, Text: e.Message}
	if priority, err := strconv.Atoi(e.Priority); err == nil {
		l.Priority = priority
	}
	if name, ok := tunnelfile.NameOfUnit(e.Writer()); ok {
		l.Tunnel = name
	} else if name, ok := tunnelfile.NameOfUnit(e.Subject()); ok {
		l.Tunnel, l.Systemd = name, true
	}
	return l
}

// systemdWords is systemd's message about the unit, without the unit's name.
func (l Line) systemdWords() string {
	unit := tunnelfile.ServiceName(l.Tunnel)
	words := strings.TrimPrefix(l.Text, unit+": ")
	if i := strings.Index(words, unit); i >= 0 { // "Started holdfast-tunnel@web.service - its description."
		words = strings.TrimSpace(words[:i])
	}
	return "systemd: " + words
}
