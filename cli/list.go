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
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

func listVerb() verb {
	return verb{
		name: "list", args: "[NAME…]", group: looking,
		summary: "one line for each tunnel",
		about: `
Where a tunnel is not well, the reason stands behind its state as one word, and in a sentence
beside or below the line.

LISTENS is where connections go in and where they come out; what listens on the server begins
with "remote", and +2 says that there are two more.`,
		examples: []example{
			{"holdfast list", "all tunnels"},
			{"holdfast list @work --state=blocked,failed", "those with the tag work that need a person"},
			{"holdfast list -o name --state=up", "only names, for a script"},
		},
		setup: func(f *flag.FlagSet) command {
			var o listOptions
			o.output = flags.OneOf(f, "o", "", listOutputs, "print `WHAT`: wide for everything in one line, name for names only")
			o.sort = flags.OneOf(f, "sort", "name", listOrders, "sort by `COLUMN`: "+text.Or(listOrders))
			f.Func("state", "only tunnels in these `STATES`, with commas between them", o.setStates)
			return func(s *session, patterns []string) error { return s.list(o, patterns) }
		},
		values: map[string][]string{"o": listOutputs, "sort": listOrders, "state": stateWords()},
		words:  manyNames,
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

// list shows one line a tunnel.
func (s *session) list(o listOptions, patterns []string) error {
	if s.json && *o.output != "" {
		return advice.Misuse{Message: "--json or -o, not both"}
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	all, err := client.Tunnels(ctx)
	if err != nil {
		return err
	}
	global, err := client.Global(ctx)
	if err != nil {
		return err
	}
	found, err := tunnel.Named(ctx, client, all, global.Problems, patterns)
	if err != nil {
		return err
	}
	found = o.pick(found)
	switch {
	case s.json:
		return s.out.json(tunnelsAsJSON(found), false)
	case *o.output == "name":
		for _, t := range found {
			s.out.command(t.Name)
		}
		return nil
	case len(all) == 0 && len(found) == 0:
		s.out.line("No tunnels yet. This makes one:")
		s.out.command(s.ours("  holdfast add web -L 9090:localhost:9090 me@host"))
	default:
		s.out.rows(tunnel.Table(found, time.Now(), *o.output == "wide"))
	}
	s.problems(global.Problems)
	s.out.hint(whoNeedsYou(found))
	return nil
}

// pick is the tunnels that are to be listed, in their order.
func (o *listOptions) pick(all []listing.Tunnel) []listing.Tunnel {
	picked := slices.DeleteFunc(slices.Clone(all), func(t listing.Tunnel) bool {
		return len(o.states) > 0 && !slices.Contains(o.states, t.State)
	})
	states := tunnelfile.States()
	slices.SortStableFunc(picked, func(a, b listing.Tunnel) int { // by name already
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

// whoNeedsYou names the tunnels that stay as they are until a person does something.
func whoNeedsYou(all []listing.Tunnel) string {
	var names []string
	for _, t := range all {
		if tunnel.Stuck(t.State) {
			names = append(names, t.Name)
		}
	}
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

// otherProgram says which tunnels run another version than the daemon's, and what has them run
// that one; "" where none does.
func otherProgram(version string, all []listing.Tunnel) (message, command string) {
	var names []string
	for _, t := range all {
		if version != "" && t.WorkerVersion != "" && t.WorkerVersion != version {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return "", ""
	}
	message = "the program of another version than " + version + " runs for " + text.Count(len(names), "tunnel")
	command = "holdfast restart --rolling --all"
	if len(names) <= 3 {
		message += ": " + strings.Join(names, ", ")
		command = "holdfast restart --rolling " + strings.Join(names, " ")
	}
	return message, command
}

// hintOtherProgram is the same as a hint.
func hintOtherProgram(version string, all []listing.Tunnel) string {
	message, command := otherProgram(version, all)
	if message == "" {
		return ""
	}
	return message + "; " + command + " hands over to the new one and cuts nothing"
}

// problems tells of tunnel files that could not be read.
func (s *session) problems(problems []tunnelfile.Problem) {
	if len(problems) == 0 {
		return
	}
	var files []string
	for _, p := range problems {
		if !slices.Contains(files, p.Path) {
			files = append(files, p.Path)
		}
	}
	s.out.note("")
	s.out.note("%s with mistakes, not in force; what ran before goes on:", text.Count(len(files), "tunnel file"))
	for _, p := range problems {
		p.Path = text.Tilde(p.Path)
		s.out.note("  %s", text.Printable(p.Error()))
	}
}
