package worker

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Print writes an explanation for people: first where the tunnel goes and how, then section
// by section what somebody wrote, then what nobody did. What means nothing to a tunnel, or
// is off by default, is left out, and how much that is is said, unless all is set. With tabs
// set the columns have tabs between them, for who lays them out.
func (e Explanation) Print(out io.Writer, all, tabs bool) error {
	var aligned bytes.Buffer
	table := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	p := configPrinter{table: table, all: all}
	if tabs {
		p.table, p.tabs = &aligned, true
	}
	p.title("%s goes to %s, which is %s", e.Name, e.Destination, address(e.User, e.HostName, e.Port))
	for _, hop := range e.Hops {
		p.title("  by way of %s, which is %s", hop.Host, address(hop.User, hop.HostName, hop.Port))
	}
	p.title("transport: %s (%s)", e.Transport, e.Reason)
	if e.NoSSH {
		p.title("There is no ssh program here: only [SSH] of the tunnel file and the defaults count, ssh_config(5) was not read.")
	}
	for _, d := range e.DropIns {
		p.title("drop-in: %s", text.Tilde(d))
	}
	p.section("[Tunnel]", e.Settings, tunnelfile.SectionTunnel, matters)
	p.section("[SSH] and ssh_config(5)", e.Settings, tunnelfile.SectionSSH, matters)
	p.section("[Unit]", e.Settings, tunnelfile.SectionUnit, matters)
	p.section("[Service]", e.Settings, tunnelfile.SectionService, matters)
	for _, hop := range e.Hops {
		p.section("ssh_config(5) for "+hop.Host, hop.Settings, tunnelfile.SectionSSH, differs)
	}
	if p.hidden > 0 {
		p.title("")
		p.title("Left out: %d settings of ssh that nobody wrote or that mean nothing to a tunnel. --all shows them.", p.hidden)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(aligned.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

type configPrinter struct {
	table  io.Writer
	all    bool
	tabs   bool // values are not broken
	hidden int
}

// title writes a line of its own: one without a tab has no columns to be aligned with.
func (p *configPrinter) title(format string, args ...any) {
	fmt.Fprintln(p.table, text.Printable(fmt.Sprintf(format, args...)))
}

// section writes the settings of a section that are worth it, those that somebody wrote first.
func (p *configPrinter) section(title string, settings []Explained, section string, worth func(Explained) bool) {
	var wrote, rest []Explained
	for _, x := range settings {
		switch {
		case x.Section != section:
		case !p.all && !worth(x):
			p.hidden++
		case x.Written:
			wrote = append(wrote, x)
		default:
			rest = append(rest, x)
		}
	}
	if len(wrote)+len(rest) == 0 {
		return
	}
	p.title("")
	p.title("%s", title)
	for _, x := range append(wrote, joined(rest)...) {
		p.row(x)
	}
}

// joined has the values of a keyword that has several, and whom nobody wrote, in one.
func joined(settings []Explained) []Explained {
	var short []Explained
	for _, x := range settings {
		if n := len(short) - 1; n >= 0 && short[n].Keyword == x.Keyword && short[n].Source == x.Source {
			short[n].Value += ", " + x.Value
			continue
		}
		short = append(short, x)
	}
	return short
}

// matters says whether a setting can make a difference to a tunnel.
func matters(x Explained) bool {
	switch {
	case x.Section != tunnelfile.SectionSSH:
		return true
	case x.Standing == notForTunnels:
		return x.Written && x.Note != notForTunnels // something is done about it all the same
	}
	long := x.Source == sshDefault && strings.Count(x.Value, ",") > 2 // a list of algorithms
	return x.Written || x.Standing == "honoured" && x.Value != "none" && !long
}

// differs says whether a setting is not what ssh would have by itself; of the hosts in
// between nothing else is of interest.
func differs(x Explained) bool {
	return x.Written && matters(x)
}

// valueWidth is where a long list of algorithms is broken.
const valueWidth = 56

func (p *configPrinter) row(x Explained) {
	note := ""
	if x.Note != "" {
		note = "\t" + x.Note
	}
	parts := []string{text.Printable(x.Value)}
	if !p.tabs {
		parts = broken(parts[0])
	}
	for i, part := range parts {
		if i == 0 {
			fmt.Fprintf(p.table, "  %s\t%s\t%s%s\n", x.Keyword, part, text.Printable(text.Tilde(x.Source)), note)
		} else {
			fmt.Fprintf(p.table, "  \t%s\t\n", part) // a tab keeps the columns together
		}
	}
}

// broken is a value in lines: lists with commas are broken behind one.
func broken(value string) []string {
	var lines []string
	line := ""
	for i, word := range strings.SplitAfter(value, ",") {
		if i > 0 && len(line)+len(word) > valueWidth {
			lines, line = append(lines, strings.TrimSpace(line)), ""
		}
		line += word
	}
	return append(lines, strings.TrimSpace(line))
}
