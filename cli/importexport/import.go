// Package importexport is the verbs import and export. They take over tunnels that are set up
// elsewhere, and write tunnels for use without Holdfast. Package portable knows the formats.
package importexport

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/answer"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/portable"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// imported is a tunnel that was found, and what was done with it.
type imported struct {
	portable.Found
	result  string // new, exists, written, failed
	message string // why writing failed
}

// ImportVerb is the verb import.
func ImportVerb() verb.Verb {
	return verb.Verb{
		Name: "import", Args: "[FILE…|-]", Group: verb.Making,
		Summary: "find tunnels in ssh_config, units and scripts, and make tunnel files of them",
		About: `
Without a FILE it looks in the usual places: user units, Host blocks of ~/.ssh/config, start-up files
of your login and your shell, autostart entries, and scripts in ~/bin and ~/.local/bin. With --system
it looks in units, crontabs, init scripts and supervisors of the system.

A FILE may be one of these, a tunnel file, a shell script, a crontab(5), or a file of another program
that starts commands (supervisord, monit, runit, s6, pm2, compose, a Dockerfile, tasks.json, Python
and others). A script is read as its #! line says, otherwise as bash(1) does. It is not run. - is
standard input. It also finds ssh and autossh behind programs that run them, and in strings that a
shell runs.

For each tunnel it shows where it was found, the text that would be written, what is not carried over
and why, and what to do afterwards, so that the old and the new one do not compete for a port. import
does not stop or change anything old. What cannot become a tunnel is listed as "left out", with file
and line. Every other line that mentions ssh or autossh is listed as "no tunnel".

A tunnel gets Start=auto if the old one started by itself (an enabled unit, cron, your login), else
Start=manual. A tunnel file keeps its own Start=. Forwards in ssh_config stay there: a tunnel without
forwards of its own takes them. EnvironmentFile= of a unit stays a file. A password for sshpass(1) is
not carried over. A tunnel that exists already is not changed. A new tunnel is named after its unit or
its host. If that name is taken, the port of its forward is added, as in gate-2222.

On a terminal it asks once before it writes. The exit status is 1 if a FILE has no tunnels, or has
something that cannot become one.`,
		Examples: []verb.Example{
			{Command: "holdfast import", Does: "show the tunnels of this machine, and ask before writing"},
			{Command: "crontab -l | holdfast import -", Does: "the tunnels of the crontab"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			yes := f.Bool("yes", false, "write without asking")
			dryRun := f.Bool("dry-run", false, "only show")
			return func(s *session.Session, files []string) error { return importTunnels(s, files, *yes, *dryRun) }
		},
	}
}

// importTunnels finds tunnels that are set up without Holdfast, shows what would be written, and writes
// it after a yes.
func importTunnels(s *session.Session, files []string, yes, dryRun bool) error {
	if yes && dryRun {
		return advice.Misuse{Message: "--yes writes, --dry-run does not: one of them"}
	}
	looked, result, err := look(s, files)
	if err != nil {
		return err
	}
	tunnels, more := preview(s, result.Found)
	problems := append(tunnelfile.Problems(result.Problems), more...)
	if !s.JSON {
		showImport(s, tunnels, problems, result.NotTunnels)
	}
	fresh := 0
	for _, t := range tunnels {
		if t.result == "new" {
			fresh++
		}
	}
	write := yes
	switch {
	case len(result.Found) == 0 && !s.JSON:
		s.Out.Line("No tunnels found; looked in %s.", strings.Join(looked, ", "))
	case fresh == 0 || yes || dryRun || s.JSON:
	default:
		agent, ok := answer.AtTerminal(s)
		if !ok {
			s.Out.Hint("nothing is written yet; --yes writes " + text.Count(fresh, "tunnel"))
			break
		}
		if write, err = agent.Confirm(s.Ctx, "", "import", "Write "+text.Count(fresh, "tunnel")+"?"); err != nil {
			return err
		}
	}
	failed := len(files) > 0 && (len(problems) > 0 || len(result.Found) == 0)
	if write && fresh > 0 {
		if err := addAll(s, tunnels); err != nil {
			return err
		}
		failed = failed || slices.ContainsFunc(tunnels, func(t imported) bool { return t.result == "failed" })
	}
	if s.JSON {
		if err := s.Out.JSON(importAsJSON(looked, tunnels, problems, result.NotTunnels), false); err != nil {
			return err
		}
	}
	if failed {
		return session.ErrPrinted
	}
	return nil
}

// look finds tunnels in the files. Without files it looks in the usual places.
func look(s *session.Session, files []string) (looked []string, all portable.Result, err error) {
	m := portable.ThisMachine(os.Getenv, s.System)
	looked = slices.Clone(files)
	if len(files) == 0 {
		looked, files = m.Places()
	}
	for i, path := range looked {
		if looked[i] = text.Tilde(path); path == "-" {
			looked[i] = portable.StandardInput
		}
	}
	for _, file := range files {
		var one portable.Result
		if file == "-" {
			content, err := session.TextOf(file)
			if err != nil {
				return nil, all, err
			}
			one = m.FromText(portable.StandardInput, content)
		} else {
			one = m.FromFile(file)
		}
		all.Found = append(all.Found, one.Found...)
		all.Problems = append(all.Problems, one.Problems...)
		all.NotTunnels = append(all.NotTunnels, one.NotTunnels...)
	}
	all.Found = portable.Merge(all.Found)
	return looked, all, nil
}

// preview gives each tunnel a free name and marks those that exist already. problems are the tunnels
// that would have no forwards.
func preview(s *session.Session, found []portable.Found) (tunnels []imported, problems tunnelfile.Problems) {
	taken := make(map[string]string) // texts of the existing tunnels, by name
	for _, c := range verb.TunnelNames(s, nil) {
		taken[c.Word] = ""
		if paths, err := s.Files(c.Word); err == nil {
			text, _ := os.ReadFile(paths[0]) // an unreadable file takes its name too
			taken[c.Word] = string(text)
		}
	}
	for _, f := range found {
		if why := askSSH(s, &f); why != "" {
			problems = append(problems, f.Problem(why))
			continue
		}
		result := "new"
		for name, text := range taken {
			if text != "" && f.Same(text) {
				f.Name, result = name, "exists"
			}
		}
		if result == "new" {
			f.Name = freeName(f, taken)
			taken[f.Name] = ""
		}
		tunnels = append(tunnels, imported{Found: f, result: result})
	}
	return tunnels, problems
}

// freeName is a name for the tunnel that is not taken.
func freeName(f portable.Found, taken map[string]string) string {
	name := f.Name
	if _, is := taken[name]; is && f.Other != "" {
		name = f.Other
	}
	free := name
	for n := 2; ; n++ {
		if _, is := taken[free]; !is {
			return free
		}
		free = name + "-" + strconv.Itoa(n)
	}
}

// askSSH adds what ssh_config(5) says about a tunnel. It returns why this cannot be a tunnel, or "".
func askSSH(s *session.Session, f *portable.Found) string {
	t, problems := tunnelfile.Parse(f.Name, "", f.Text)
	if len(problems) > 0 {
		return problems[0].Error()
	}
	r, err := config.Resolve(s.Ctx, config.Of(t))
	switch {
	case err != nil:
		f.Notes = append(f.Notes, err.Error())
	case len(t.Forwards) == 0 && len(r.Forwards) == 0 && len(f.InSSHConfig) == 0 && !f.AsIs:
		return "has no forwards, and neither has ssh_config for " + t.Destination
	case len(t.Forwards) == 0 && len(f.InSSHConfig) < len(r.Forwards):
		f.InSSHConfig = nil // ssh reads more forwards from other files
		for _, forward := range r.Forwards {
			f.InSSHConfig = append(f.InSSHConfig, string(forward.Kind)+" "+forward.Text)
		}
	case len(t.Forwards) > 0:
		for _, forward := range r.Forwards {
			f.Notes = append(f.Notes, fmt.Sprintf("%s %s of ssh_config: a tunnel with forwards of its own takes none from there", forward.Kind, forward.Text))
		}
	}
	return ""
}

// addAll writes the new tunnels through the daemon.
func addAll(s *session.Session, tunnels []imported) error {
	client, err := s.Daemon()
	if err != nil {
		return err
	}
	for i := range tunnels {
		t := &tunnels[i]
		if t.result != "new" {
			continue
		}
		err := client.AddTunnel(s.Ctx, t.Name, t.Text)
		var written listing.Tunnel
		if err == nil {
			written, err = client.Tunnel(s.Ctx, t.Name)
		}
		if err != nil {
			message, hint := s.Explain(err)
			if problems, ok := errors.AsType[tunnelfile.Problems](err); ok {
				message = session.Blame(problems, "", t.Name).Error()
			}
			t.result, t.message = "failed", message
			s.Out.Failure(t.Name+": "+message, hint)
			continue
		}
		t.result = "written"
		if s.JSON {
			continue
		}
		s.Out.Line("Wrote %s", text.Tilde(written.FilePath))
		if written.StartMode == tunnelfile.StartManual {
			s.Out.Line(s.Ours("holdfast up %s starts it"), t.Name)
		}
	}
	return nil
}

// showImport prints the preview.
func showImport(s *session.Session, tunnels []imported, problems, passed tunnelfile.Problems) {
	for _, t := range tunnels {
		from := text.Printable(text.Tildes(strings.Join(t.Places, ", ")))
		if t.result == "exists" {
			s.Out.Line("%s exists already (%s)", t.Name, from)
			continue
		}
		s.Out.Line("%s from %s", s.Out.Paint(layout.Bold, t.Name), from)
		for line := range strings.Lines(t.Text) {
			s.Out.Line("%s", strings.TrimRight("    "+text.Printable(line), " "))
		}
		start, _ := tunnelfile.Parse(t.Name, "", t.Text)
		s.Out.Line("  Start=%s: %s", start.Start, text.Printable(t.Start))
		for _, rest := range []struct {
			what  string
			lines []string
		}{{"stays in ssh_config", t.InSSHConfig}, {"not carried over", t.Notes}, {"afterwards", t.Todo}} {
			for _, line := range rest.lines {
				s.Out.Line("  %s: %s", rest.what, text.Printable(text.Tildes(line)))
			}
		}
		s.Out.Line("")
	}
	for _, list := range []struct {
		what     string
		problems tunnelfile.Problems
	}{{"left out", problems}, {"no tunnel", passed}} {
		for _, p := range list.problems {
			p.Path = text.Tilde(p.Path)
			s.Out.Note("%s: %s", list.what, text.Printable(p.Error()))
		}
	}
}

func importAsJSON(looked []string, tunnels []imported, problems, passed tunnelfile.Problems) jsonout.Import {
	j := jsonout.Import{Looked: looked, Tunnels: []jsonout.Imported{}, Problems: jsonout.ProblemsOf(problems), Passed: jsonout.ProblemsOf(passed)}
	list := func(lines []string) []string { return append([]string{}, lines...) }
	for _, t := range tunnels {
		j.Tunnels = append(j.Tunnels, jsonout.Imported{
			Name: t.Name, Text: t.Text, Start: t.Start, Places: list(t.Places), StaysInConfig: list(t.InSSHConfig), NotCarriedOver: list(t.Notes), Afterwards: list(t.Todo), Result: t.result, Message: t.message,
		})
	}
	return j
}
