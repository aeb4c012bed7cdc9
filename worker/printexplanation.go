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

// Print writes an explanation for people: first the tunnel's destination and transport, then the
// settings of each section, those that somebody wrote before the defaults.
//
// Unless all is set it leaves out settings that mean nothing to a tunnel or are off by default,
// and says how many. With tabs set there is one tab between columns, for a caller that aligns
// them itself.
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
	tabs   bool // columns are separated by tabs, and long values are not broken
	hidden int
}

// title writes a line without columns. It has no tab, so the table does not align it.
func (p *configPrinter) title(format string, args ...any) {
	fmt.Fprintln(p.table, text.Printable(fmt.Sprintf(format, args...)))
}

// section writes the settings of a section that worth accepts, those that somebody wrote first.
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

// joined joins neighbouring settings of the same keyword and source into one. It is for settings
// that nobody wrote.
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
		return x.Written && x.Note != notForTunnels // Holdfast does something about it nevertheless
	}
	long := x.Source == sshDefault && strings.Count(x.Value, ",") > 2 // a list of algorithms
	return x.Written || x.Standing == "honoured" && x.Value != "none" && !long
}

// differs says whether a setting is not ssh's default. Of the hosts of ProxyJump only such
// settings are of interest.
func differs(x Explained) bool {
	return x.Written && matters(x)
}

// valueWidth is the longest line of a value, in bytes; longer lists of algorithms are broken.
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
			fmt.Fprintf(p.table, "  \t%s\t\n", part) // the tabs keep the columns aligned
		}
	}
}

// broken breaks a value into lines, after commas.
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
