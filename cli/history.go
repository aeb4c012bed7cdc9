package cli

import (
	"flag"
	"os"

	"github.com/holdfast/holdfast/cli/history"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/listing"
)

func historyVerb() verb.Verb {
	return verb.Verb{
		Name: "history", Args: "[NAME…]", Group: verb.Looking,
		Summary: "show outages and availability, from the journal",
		About: `
The first line says which time is covered. Each tunnel has a bar of that time. The outages are listed
below, with their reasons. With a NAME there are more details. The tunnel may be one that was removed.

An outage is a time in which a tunnel is wanted up and has no SSH connection. Having no network is an
outage too. It begins when the connection is lost, and ends with the next connection. A start counts
as an outage only if its first try fails, or if it takes longer than a minute.

A tunnel is not wanted up while it is stopped, while it is on demand and idle, while its own rules
forbid the network (OnlyOn=, NeverOn=, Metered=), and while the machine or the user manager is off or
asleep. The end of the daemon is no outage, because tunnels go on without it.

AVAILABLE is the share of the wanted time in which the tunnel was up. Degraded counts as up. LASTED
does not include the time in which the machine slept.

If the journal is kept in memory, it begins with the last boot. Storage=persistent in journald.conf(5)
keeps it, and gives each user a journal of their own. Otherwise members of the group systemd-journal
may read it.`,
		Examples: []verb.Example{
			{Command: "holdfast history", Does: "all tunnels, the last seven days"},
			{Command: "holdfast history --since=yesterday web", Does: "web since yesterday, with each outage"},
			{Command: "holdfast history --month --svg=month.svg", Does: "the last thirty days, also as a picture"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			o := historyOptions{since: "-7d"}
			f.StringVar(&o.since, "since", o.since, "only since `WHEN`, as in systemd.time(7): yesterday, -2h")
			for name, since := range map[string]string{"day": "-1d", "week": "-7d", "month": "-30d"} {
				f.BoolFunc(name, "the same as --since="+since, func(string) error { o.since = since; return nil })
			}
			f.StringVar(&o.svg, "svg", "", "also write a picture to `FILE`")
			return func(s *session.Session, patterns []string) error { return showHistory(s, patterns, o) }
		},
		Words: verb.ManyNames,
	}
}

// historyOptions are the flags of history.
type historyOptions struct{ since, svg string }

// showHistory shows outages and availability, from the journal.
func showHistory(s *session.Session, patterns []string, o historyOptions) error {
	report, err := history.Read(s.Ctx, history.Query{Since: o.since, System: s.System, Tunnels: knownTunnels(s), Patterns: patterns})
	if err != nil {
		return err
	}
	if o.svg != "" {
		if err := os.WriteFile(o.svg, []byte(report.SVG()), 0o644); err != nil {
			return err
		}
	}
	if s.JSON {
		return s.Out.JSON(report.JSON(), false)
	}
	s.Out.Blocks(report.Blocks(s.Out.Width))
	if o.svg != "" {
		s.Out.Note("Wrote %s", o.svg)
	}
	return nil
}

// knownTunnels are the tunnels that the daemon knows. Without the daemon there are none, and history
// shows what the journal has.
func knownTunnels(s *session.Session) []listing.Tunnel {
	client, err := s.Daemon()
	if err != nil {
		return nil
	}
	tunnels, err := client.Tunnels(s.Ctx)
	if err != nil {
		return nil
	}
	return tunnels
}
