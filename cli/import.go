package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/dbusapi"
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

// importTunnels finds tunnels that people without Holdfast keep elsewhere, shows what would be
// written, and writes it on a yes.
func (s *session) importTunnels(args []string) error {
	flags := s.flags()
	yes := flags.Bool("yes", false, "")
	dryRun := flags.Bool("dry-run", false, "")
	files, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *yes && *dryRun {
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
	write := *yes
	switch {
	case len(result.Found) == 0 && !s.json:
		s.out.line("No tunnels found; looked in %s.", strings.Join(looked, ", "))
	case fresh == 0 || *yes || *dryRun || s.json:
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
		var written dbusapi.Tunnel
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
	for _, p := range problems {
		p.Path = text.Tilde(p.Path)
		s.out.warning("left out: " + p.Error())
	}
	for _, p := range passed {
		p.Path = text.Tilde(p.Path)
		s.out.warning("no tunnel: " + p.Error())
	}
}
