package cli

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

func listVerb() verb.Verb {
	return verb.Verb{
		Name: "list", Args: "[NAME…]", Group: verb.Looking,
		Summary: "list tunnels, one line each",
		About: `
If a tunnel is not well, the reason follows its state as one word. A sentence beside or below the
line explains it.

LISTENS shows where connections go in and where they come out. An address on the server begins with
"remote". +2 means that there are two more forwards.`,
		Examples: []verb.Example{
			{Command: "holdfast list", Does: "all tunnels"},
			{Command: "holdfast list @work --state=blocked,failed", Does: "tunnels with the tag work that need a person"},
			{Command: "holdfast list -o name --state=up", Does: "only names, for a script"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			var o listOptions
			o.output = flags.OneOf(f, "o", "", listOutputs, "print `WHAT`: wide (everything in one line) or name (only names)")
			o.sort = flags.OneOf(f, "sort", "name", listOrders, "sort by `COLUMN`: "+text.Or(listOrders))
			f.Func("state", "only tunnels in these `STATES`, separated by commas", o.setStates)
			return func(s *session.Session, patterns []string) error { return list(s, o, patterns) }
		},
		Values: map[string][]string{"o": listOutputs, "sort": listOrders, "state": stateWords()},
		Words:  verb.ManyNames,
	}
}

var (
	listOutputs = []string{"wide", "name"}
	listOrders  = []string{"name", "state", "since", "destination"}
)

// listOptions are the flags of list.
type listOptions struct {
	output, sort *string
	states       []tunnelfile.State
}

func stateWords() (words []string) {
	for _, state := range tunnelfile.States() {
		words = append(words, string(state))
	}
	return words
}

func (o *listOptions) setStates(words string) error {
	for word := range strings.SplitSeq(words, ",") {
		if !slices.Contains(stateWords(), word) {
			return fmt.Errorf("states are %s%s", text.Or(stateWords()), text.DidYouMean(word, stateWords()))
		}
		o.states = append(o.states, tunnelfile.State(word))
	}
	return nil
}

// list prints a line for each tunnel.
func list(s *session.Session, o listOptions, patterns []string) error {
	if s.JSON && *o.output != "" {
		return advice.Misuse{Message: "--json or -o, not both"}
	}
	client, now, err := s.Snapshot()
	if err != nil {
		return err
	}
	found, err := tunnel.Named(s.Ctx, client, now, patterns)
	if err != nil {
		return err
	}
	found = o.pick(found)
	switch {
	case s.JSON:
		return s.Out.JSON(jsonout.TunnelsOf(found), false)
	case *o.output == "name":
		for _, t := range found {
			s.Out.Command(t.Name)
		}
		return nil
	case len(now.Tunnels) == 0 && len(found) == 0:
		s.Out.Line("No tunnels yet. This makes one:")
		s.Out.Command(s.Ours("  holdfast add web -L 9090:localhost:9090 me@host"))
	default:
		s.Out.Rows(tunnel.Table(found, time.Now(), *o.output == "wide"))
	}
	problems(s, now.Global.Problems)
	s.Out.Hint(whoNeedsYou(found))
	return nil
}

// pick selects and sorts the tunnels to list.
func (o *listOptions) pick(all []listing.Tunnel) []listing.Tunnel {
	picked := slices.DeleteFunc(slices.Clone(all), func(t listing.Tunnel) bool {
		return len(o.states) > 0 && !slices.Contains(o.states, t.State)
	})
	states := tunnelfile.States()
	slices.SortStableFunc(picked, func(a, b listing.Tunnel) int { // sorted by name already
		switch *o.sort {
		case "state":
			return cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State))
		case "since":
			return b.StateSince.Compare(a.StateSince)
		case "destination":
			return cmp.Compare(a.Destination, b.Destination)
		}
		return 0
	})
	return picked
}

// whoNeedsYou is a hint that names the tunnels that stay as they are until a person acts.
func whoNeedsYou(all []listing.Tunnel) string {
	names := listing.Names(slices.DeleteFunc(slices.Clone(all), func(t listing.Tunnel) bool { return !tunnel.Stuck(t.State) }))
	switch n := len(names); {
	case n == 0:
		return ""
	case n > 3:
		return fmt.Sprintf("%d tunnels need you; holdfast status NAME says what to do", n)
	}
	verb := "need"
	if len(names) == 1 {
		verb = "needs"
	}
	return fmt.Sprintf("%s %s you; holdfast status %s says what to do", strings.Join(names, ", "), verb, names[0])
}

// problems prints what is wrong in tunnel files.
func problems(s *session.Session, problems []tunnelfile.Problem) {
	if len(problems) == 0 {
		return
	}
	var files []string
	for _, p := range problems {
		if !slices.Contains(files, p.Path) {
			files = append(files, p.Path)
		}
	}
	s.Out.Note("")
	s.Out.Note("%s with mistakes, not in force; what ran before goes on:", text.Count(len(files), "tunnel file"))
	for _, p := range problems {
		p.Path = text.Tilde(p.Path)
		s.Out.Note("  %s", text.Printable(p.Error()))
	}
}
