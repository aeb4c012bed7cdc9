package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/portable"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// imported is a tunnel that was found, and what becomes of it.
type imported struct {
	portable.Found
	result  string // new, exists, written, failed
	message string // why it failed
}

func importVerb() verb {
	return verb{
		name: "import", args: "[FILE…|-]", group: making,
		summary: "tunnels kept in ssh_config, units and scripts; shows first, asks once",
		about: `
Without a FILE it looks where people keep them: user units, Host blocks of ~/.ssh/config, files of
your login and your shell, autostart entries, and scripts in ~/bin and ~/.local/bin; with --system
units, crontabs, init scripts and supervisors of the system. A FILE may be one of these, a tunnel
file, a shell script (read as its #! line says, else as bash(1) does, and not run), a crontab(5) of
whatever layout, or a file of another program that starts commands (supervisord, monit, runit, s6,
pm2, compose, a Dockerfile, tasks.json, Python and the like); - is standard input. ssh and autossh
are found behind any program that runs them, and within strings for a shell.

Of each tunnel it shows where it was found, the text that would be written, what of the old one is
not carried over and why, and what is to be done so that both do not fight for a port: import itself
stops and changes nothing of the old. What cannot be carried over is told with file and line ("left
out"), and so is every other line that mentions ssh or autossh ("no tunnel").

A tunnel has Start=auto where the old one was started by itself (an enabled unit, cron, your login),
else Start=manual; a tunnel file keeps what it says. Forwards of ssh_config stay there, since a
tunnel without forwards of its own takes those. EnvironmentFile= of a unit stays a file; a password
for sshpass(1) is not carried over. A tunnel that is there already is left as it is. It is named
after its unit or its host; where that name is taken the port of its forward is added, as in
gate-2222.

On a terminal it asks once. The exit status is 1 where a FILE has no tunnels, or something in it
that cannot be one.`,
		examples: []example{
			{"holdfast import", "what there is on this machine; asks before it writes"},
			{"crontab -l | holdfast import -", "tunnels of the crontab"},
		},
		setup: func(f *flag.FlagSet) command {
			yes := f.Bool("yes", false, "write without asking")
			dryRun := f.Bool("dry-run", false, "only show")
			return func(s *session, files []string) error { return s.importTunnels(files, *yes, *dryRun) }
		},
	}
}

// importTunnels finds tunnels that people without Holdfast keep elsewhere, shows what would be
// written, and writes it on a yes.
func (s *session) importTunnels(files []string, yes, dryRun bool) error {
	if yes && dryRun {
		return advice.Misuse{Message: "--yes writes, --dry-run does not: one of them"}
	}
	looked, result, err := s.look(files)
	if err != nil {
		return err
	}
	tunnels, more := s.preview(result.Found)
	problems := append(tunnelfile.Problems(result.Problems), more...)
	if !s.json {
		s.showImport(tunnels, problems, result.Passed)
	}
	fresh := 0
	for _, t := range tunnels {
		if t.result == "new" {
			fresh++
		}
	}
	write := yes
	switch {
	case len(result.Found) == 0 && !s.json:
		s.out.line("No tunnels found; looked in %s.", strings.Join(looked, ", "))
	case fresh == 0 || yes || dryRun || s.json:
	default:
		agent, ok := s.terminalAgent()
		if !ok {
			s.out.hint("nothing is written yet; --yes writes " + text.Count(fresh, "tunnel"))
			break
		}
		if write, err = agent.Confirm(s.ctx, "", "import", "Write "+text.Count(fresh, "tunnel")+"?"); err != nil {
			return err
		}
	}
	failed := len(files) > 0 && (len(problems) > 0 || len(result.Found) == 0)
	if write && fresh > 0 {
		if err := s.addAll(tunnels); err != nil {
			return err
		}
		failed = failed || slices.ContainsFunc(tunnels, func(t imported) bool { return t.result == "failed" })
	}
	if s.json {
		if err := s.out.json(importAsJSON(looked, tunnels, problems, result.Passed), false); err != nil {
			return err
		}
	}
	if failed {
		return errSaid
	}
	return nil
}

// look finds tunnels in the files, or without any where people keep them.
func (s *session) look(files []string) (looked []string, all portable.Result, err error) {
	m := portable.ThisMachine(os.Getenv, s.system)
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
			content, err := textOf(file)
			if err != nil {
				return nil, all, err
			}
			one = m.FromText(portable.StandardInput, content)
		} else {
			one = m.FromFile(file)
		}
		all.Found = append(all.Found, one.Found...)
		all.Problems = append(all.Problems, one.Problems...)
		all.Passed = append(all.Passed, one.Passed...)
	}
	all.Found = portable.Merge(all.Found)
	return looked, all, nil
}

// preview gives each tunnel a name of its own, and says what is there already. The problems
// are of those that ssh_config(5) should have forwards for, and has none.
func (s *session) preview(found []portable.Found) (tunnels []imported, problems tunnelfile.Problems) {
	taken := make(map[string]string) // the texts of what is there, by name
	for _, c := range s.tunnelNames(nil) {
		taken[c.word] = ""
		if paths, err := s.files(c.word); err == nil {
			text, _ := os.ReadFile(paths[0]) // a name is taken by a file that cannot be read too
			taken[c.word] = string(text)
		}
	}
	for _, f := range found {
		if why := s.askSSH(&f); why != "" {
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

// freeName is a name for the tunnel that nothing has yet.
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

// askSSH looks at what ssh_config(5) adds to a tunnel. It says why it is none, or "".
func (s *session) askSSH(f *portable.Found) string {
	t, problems := tunnelfile.Parse(f.Name, "", f.Text)
	if len(problems) > 0 {
		return problems[0].Error()
	}
	r, err := config.Resolve(s.ctx, config.Of(t))
	switch {
	case err != nil:
		f.Notes = append(f.Notes, err.Error())
	case len(t.Forwards) == 0 && len(r.Forwards) == 0 && len(f.Kept) == 0 && !f.AsIs:
		return "has no forwards, and neither has ssh_config for " + t.Destination
	case len(t.Forwards) == 0 && len(f.Kept) < len(r.Forwards):
		f.Kept = nil // there are more in another file that ssh reads
		for _, forward := range r.Forwards {
			f.Kept = append(f.Kept, string(forward.Kind)+" "+forward.Text)
		}
	case len(t.Forwards) > 0:
		for _, forward := range r.Forwards {
			f.Notes = append(f.Notes, fmt.Sprintf("%s %s of ssh_config: a tunnel with forwards of its own takes none from there", forward.Kind, forward.Text))
		}
	}
	return ""
}

// addAll has the daemon write them.
func (s *session) addAll(tunnels []imported) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	for i := range tunnels {
		t := &tunnels[i]
		if t.result != "new" {
			continue
		}
		ctx, cancel := s.call()
		err := client.AddTunnel(ctx, t.Name, t.Text)
		var written listing.Tunnel
		if err == nil {
			written, err = client.Tunnel(ctx, t.Name)
		}
		cancel()
		if err != nil {
			message, hint := s.explain(err)
			if problems, ok := errors.AsType[tunnelfile.Problems](err); ok {
				message = blame(problems, "", t.Name).Error()
			}
			t.result, t.message = "failed", message
			s.out.failure(t.Name+": "+message, hint)
			continue
		}
		t.result = "written"
		if s.json {
			continue
		}
		s.out.line("Wrote %s", text.Tilde(written.FilePath))
		if written.StartMode == tunnelfile.StartManual {
			s.out.line(s.ours("holdfast up %s starts it"), t.Name)
		}
	}
	return nil
}

// showImport prints the preview.
func (s *session) showImport(tunnels []imported, problems, passed tunnelfile.Problems) {
	for _, t := range tunnels {
		from := text.Printable(text.Tildes(strings.Join(t.Places, ", ")))
		if t.result == "exists" {
			s.out.line("%s is there already (%s)", t.Name, from)
			continue
		}
		s.out.line("%s from %s", s.out.paint(layout.Bold, t.Name), from)
		for line := range strings.Lines(t.Text) {
			s.out.line("%s", strings.TrimRight("    "+text.Printable(line), " "))
		}
		start, _ := tunnelfile.Parse(t.Name, "", t.Text)
		s.out.line("  Start=%s: %s", start.Start, text.Printable(t.Start))
		for _, rest := range []struct {
			what  string
			lines []string
		}{{"stays in ssh_config", t.Kept}, {"not carried over", t.Notes}, {"afterwards", t.Todo}} {
			for _, line := range rest.lines {
				s.out.line("  %s: %s", rest.what, text.Printable(text.Tildes(line)))
			}
		}
		s.out.line("")
	}
	for _, list := range []struct {
		what     string
		problems tunnelfile.Problems
	}{{"left out", problems}, {"no tunnel", passed}} {
		for _, p := range list.problems {
			p.Path = text.Tilde(p.Path)
			s.out.note("%s: %s", list.what, text.Printable(p.Error()))
		}
	}
}
