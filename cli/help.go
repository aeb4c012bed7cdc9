package cli

import (
	"flag"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/layout"
)

func helpVerb() verb {
	return verb{
		name: "help", args: "[VERB]", group: other,
		summary: "what verbs there are, or all about one",
		about:   "holdfast VERB --help prints the same page.",
		examples: []example{
			{"holdfast help", "all verbs, a line each"},
			{"holdfast help up", "all about up"},
		},
		noJSON: "it is for people", noSystem: true,
		setup: plain((*session).help),
		words: verbNames,
	}
}

func (s *session) help(args []string) error {
	switch len(args) {
	case 0:
		s.printPages(overview())
		return nil
	case 1:
		v, err := findVerb(args[0])
		if err != nil {
			return err
		}
		s.printPages(s.page(v))
		return nil
	}
	return advice.Misuse{Message: "one verb at a time"}
}

// printPages prints prose, in lines that can be read: also where there is no terminal, or a wide one.
func (s *session) printPages(blocks []layout.Block) {
	const usual, most = 80, 100
	if s.out.width == 0 {
		s.out.width = usual
	}
	s.out.width = min(s.out.width, most)
	s.out.blocks(blocks)
}

// overview is all verbs, by what one wants.
func overview() (blocks []layout.Block) {
	blocks = append(blocks,
		layout.Block{Text: "holdfast [--json] [--system] VERB …"}, layout.Block{},
		layout.Block{Text: "Keeps SSH tunnels up. Each is a file and a systemd unit of its own."})
	width := 0
	for _, v := range verbs() {
		width = max(width, len(v.name))
	}
	for g, title := range groupTitles {
		t := definitions(width)
		for _, v := range verbs() {
			if v.group == group(g) {
				t.Add(layout.Plain("  "+v.name), layout.Plain(v.summary))
			}
		}
		blocks = append(blocks, layout.Block{}, layout.Block{Text: title, Color: layout.Bold}, layout.Block{Table: t})
	}
	return append(blocks, layout.Block{},
		layout.Block{Text: "holdfast help VERB has all about one. NAME may be a glob, or @TAG for all tunnels with that tag. Tunnel files: ~/.config/holdfast/NAME.tunnel, see holdfast.tunnel(5)."})
}

// definitions is a list of words, which are so wide at least, and what they mean.
func definitions(width int) *layout.Table {
	return &layout.Table{Columns: []layout.Column{{Min: width + 2}, {Wrap: true, Min: 20, GiveWay: 1, Below: true}}}
}

// page is all there is to say of a verb.
func (s *session) page(v verb) (blocks []layout.Block) {
	say := func(b ...layout.Block) { blocks = append(blocks, b...) }
	title := func(text string) { say(layout.Block{}, layout.Block{Text: text, Color: layout.Bold}) }
	say(layout.Block{Text: strings.TrimSpace("holdfast " + v.name + " " + v.args), Color: layout.Bold}, layout.Block{})
	say(layout.Block{Text: sentence(v.summary)})
	for _, p := range paragraphs(v.about) {
		say(layout.Block{})
		if p.list == nil {
			say(layout.Block{Text: p.text})
			continue
		}
		t := definitions(0)
		for _, d := range p.list {
			t.Add(layout.Plain("  "+d.word), layout.Plain(d.does))
		}
		say(layout.Block{Table: t})
	}
	title("Flags")
	t := definitions(0)
	for _, f := range s.flagsOf(v) {
		t.Add(layout.Plain("  "+f.word), layout.Plain(f.does))
	}
	say(layout.Block{Table: t})
	title("Examples")
	for _, e := range v.examples {
		say(layout.Block{Command: "  " + e.command}, layout.Block{Text: "      " + e.does})
	}
	return blocks
}

// sentence is a summary as a sentence.
func sentence(summary string) string {
	return strings.ToUpper(summary[:1]) + summary[1:] + "."
}

// paragraph is one of a verb's page: text, or a list.
type paragraph struct {
	text string
	list []candidate
}

// paragraphs reads verb.about.
func paragraphs(about string) (all []paragraph) {
	if about == "" {
		return nil
	}
	for part := range strings.SplitSeq(strings.TrimSpace(about), "\n\n") {
		if !strings.HasPrefix(part, "  ") {
			all = append(all, paragraph{text: strings.Join(strings.Fields(part), " ")})
			continue
		}
		var p paragraph
		for line := range strings.SplitSeq(part, "\n") {
			word, does, _ := strings.Cut(strings.TrimSpace(line), "  ")
			p.list = append(p.list, candidate{word, strings.TrimSpace(does)})
		}
		all = append(all, p)
	}
	return all
}

// flagsOf are the flags of a verb, its own first, with their other names and their defaults.
func (s *session) flagsOf(v verb) (list []candidate) {
	f := s.flagSet(v)
	v.setup(f)
	var general []candidate
	shorter := make(map[string]string)
	f.VisitAll(func(one *flag.Flag) {
		if long, ok := strings.CutPrefix(one.Usage, flags.ShortOf); ok {
			shorter[long] = flags.Spelled(one.Name) + ", "
		}
	})
	f.VisitAll(func(one *flag.Flag) {
		if strings.HasPrefix(one.Usage, flags.ShortOf) {
			return
		}
		arg, usage := flag.UnquoteUsage(one)
		word := shorter[one.Name] + flags.Spelled(one.Name)
		switch {
		case flags.IsSwitch(one):
		case len(one.Name) == 1:
			word += " " + arg
		default:
			word += "=" + arg
		}
		if !flags.IsSwitch(one) && one.DefValue != "" && one.DefValue != "0" {
			usage += "; " + one.DefValue + " by default"
		}
		switch {
		case one.Name == "json" && v.noJSON != "", one.Name == "system" && v.noSystem:
		case one.Name == "json" || one.Name == "system" || one.Name == "color":
			general = append(general, candidate{word, usage})
		default:
			list = append(list, candidate{word, usage})
		}
	})
	return append(append(list, v.ownFlags...), general...)
}
