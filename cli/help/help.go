// Package help prints the help pages, from the texts in package verb.
package help

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
)

// Verb is the verb help.
func Verb(all func() verb.List) verb.Verb {
	return verb.Verb{
		Name: "help", Args: "[VERB]", Group: verb.Other,
		Summary: "list the verbs, or describe one",
		About:   "holdfast VERB --help prints the same page.",
		Examples: []verb.Example{
			{Command: "holdfast help", Does: "all verbs, one line each"},
			{Command: "holdfast help up", Does: "everything about up"},
		},
		NoJSON: "it is for people", NoSystem: true,
		Setup: verb.Plain(func(s *session.Session, args []string) error { return Show(s, all(), args) }),
		Words: func(_ *session.Session, before []string) []verb.Word {
			if len(before) > 0 {
				return nil
			}
			return all().Words()
		},
	}
}

// Show prints the overview, or the page of one verb.
func Show(s *session.Session, all verb.List, args []string) error {
	switch len(args) {
	case 0:
		PrintPages(s, Overview(all))
		return nil
	case 1:
		v, err := all.Find(args[0])
		if err != nil {
			return err
		}
		PrintPages(s, page(s, v))
		return nil
	}
	return advice.Misuse{Message: "one verb at a time"}
}

// PrintPages prints prose at a readable width: 80 columns without a terminal, 100 at most.
func PrintPages(s *session.Session, blocks []layout.Block) {
	const usual, most = 80, 100
	if s.Out.Width == 0 {
		s.Out.Width = usual
	}
	s.Out.Width = min(s.Out.Width, most)
	s.Out.Blocks(blocks)
}

// Overview lists all verbs by group.
func Overview(all verb.List) (blocks []layout.Block) {
	blocks = append(blocks,
		layout.Block{Text: "holdfast [--json] [--system] VERB …"}, layout.Block{},
		layout.Block{Text: "Keeps SSH tunnels up. Each tunnel is a file and a systemd unit of its own."})
	width := 0
	for _, v := range all {
		width = max(width, len(v.Name))
	}
	for g, title := range verb.GroupTitles {
		group := slices.DeleteFunc(slices.Clone(all), func(v verb.Verb) bool { return v.Group != verb.Group(g) })
		blocks = append(blocks, layout.Block{}, layout.Block{Text: title, Color: layout.Bold}, definitions(width, group.Words()))
	}
	return append(blocks, layout.Block{},
		layout.Block{Text: "holdfast help VERB describes a verb. NAME may be a glob, or @TAG for all tunnels with that tag. Tunnel files: ~/.config/holdfast/NAME.tunnel, see holdfast.tunnel(5)."})
}

// definitions is a table of words and their meanings. The words' column is at least this wide.
func definitions(width int, words []verb.Word) layout.Block {
	t := &layout.Table{Columns: []layout.Column{{Min: width + 2}, {Wrap: true, Min: 20, GiveWay: 1, Below: true}}}
	for _, w := range words {
		t.Add(layout.Plain("  "+w.Word), layout.Plain(w.Does))
	}
	return layout.Block{Table: t}
}

// page is the help page of a verb.
func page(s *session.Session, v verb.Verb) (blocks []layout.Block) {
	say := func(b ...layout.Block) { blocks = append(blocks, b...) }
	title := func(text string) { say(layout.Block{}, layout.Block{Text: text, Color: layout.Bold}) }
	say(layout.Block{Text: strings.TrimSpace("holdfast " + v.Name + " " + v.Args), Color: layout.Bold}, layout.Block{})
	say(layout.Block{Text: v.Sentence()})
	for _, p := range v.Paragraphs() {
		if p.List == nil {
			say(layout.Block{}, layout.Block{Text: p.Text})
		} else {
			say(layout.Block{}, definitions(0, p.List))
		}
	}
	title("Flags")
	say(definitions(0, v.Flags(s)))
	title("Examples")
	for _, e := range v.Examples {
		say(layout.Block{Command: "  " + e.Command}, layout.Block{Text: "      " + e.Does})
	}
	return blocks
}
