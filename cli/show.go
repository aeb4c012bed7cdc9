package cli

import (
	"flag"
	"os"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/text"
)

func showVerb() verb.Verb {
	return verb.Verb{
		Name: "show", Args: "NAME…|--changes NAME [FILE|-]", Group: verb.Making,
		Summary: "print tunnel files, or what another text would change",
		About: `
Files are printed as they are on disk, with their drop-ins. The daemon is not needed.

With --changes it shows what would happen to the running tunnel if its file had the text of FILE, or
of standard input. Nothing is changed. Drop-ins count as they are. A line for each key and forward
that differs shows the effect. With --json the effect is one of these words:

  at-once  It is applied at once.
  added, dropped, target  One forward is added, removed, or leads elsewhere. Its open connections go on. The other forwards are not touched.
  redial  A new SSH connection is made, then the old one is closed, as with reconnect.
  may-stop  It is applied at once. If the tunnel may not run any more, it stops.
  restarts  The unit is restarted. Open connections are cut.`,
		Examples: []verb.Example{
			{Command: "holdfast show web", Does: "the file of web and its drop-ins"},
			{Command: "holdfast show --changes web new.tunnel", Does: "what would happen if web had the text of new.tunnel"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			changes := f.Bool("changes", false, "show what another text of its file would change")
			return func(s *session.Session, args []string) error {
				if *changes {
					return showChanges(s, args)
				}
				return show(s, args)
			}
		},
		Words:      verb.ManyNames,
		WordsAfter: map[string]verb.WordsFor{"--changes": verb.OneName},
	}
}

// show prints tunnel files as they are on disk, followed by their drop-ins, like systemctl cat. It
// needs no daemon.
func show(s *session.Session, patterns []string) error {
	if len(patterns) == 0 {
		return advice.Misuse{Message: "which tunnels?"}
	}
	found, err := s.OnDisk(patterns)
	if err != nil {
		return err
	}
	shown := []jsonout.Shown{}
	for _, t := range found {
		one := jsonout.Shown{Name: t.Name}
		paths, err := s.Files(t.Name)
		if err != nil {
			return err
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			one.Files = append(one.Files, jsonout.File{Path: path, Text: string(content)})
		}
		shown = append(shown, one)
	}
	if s.JSON {
		return s.Out.JSON(shown, false)
	}
	for i, one := range shown {
		for j, file := range one.Files {
			if i+j > 0 {
				s.Out.Command("")
			}
			s.Out.Command("# " + file.Path)
			s.Out.Text(file.Text)
		}
	}
	return nil
}

// showChanges prints what another text of a tunnel's file would change while the tunnel is up, one
// change per line. It writes nothing and needs no daemon.
func showChanges(s *session.Session, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return advice.Misuse{Message: "which tunnel, and which text? NAME [FILE|-]"}
	}
	name, file := args[0], "-"
	if len(args) == 2 {
		file = args[1]
	}
	if _, err := s.Files(name); err != nil {
		return err
	}
	content, err := session.TextOf(file)
	if err != nil {
		return err
	}
	changes, err := changes(s, name, content, file)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.Out.JSON(jsonout.ChangesOf(changes), false)
	}
	if len(changes) == 0 {
		s.Out.Line("Nothing changes.")
	}
	for _, c := range changes {
		s.Out.Line("%s: %s", text.Printable(changeText(c)), c.Effect)
	}
	return nil
}
