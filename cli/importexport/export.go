package importexport

import (
	"flag"

	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/portable"
	"github.com/holdfast/holdfast/sshlink/config"
)

// ExportVerb is the verb export.
func ExportVerb() verb.Verb {
	return verb.Verb{
		Name: "export", Args: "NAME", Group: verb.Making,
		Summary: "print what does the same without Holdfast",
		About: `
The text does as nearly the same as it can. It is a command line for a shell, a unit file, or the
tunnel file with its drop-ins merged. A line "note:" on standard error says what the tunnel does and
the text does not. Forwards in ssh_config stay there, because ssh(1) reads them too. The daemon is not
needed.`,
		Examples: []verb.Example{
			{Command: "holdfast export --format=ssh web", Does: "a command line that does what web does"},
			{Command: "holdfast export --format=systemd web >~/.config/systemd/user/web.service", Does: "a unit that does what web does"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			as := flags.OneOf(f, "format", string(portable.Tunnel), formats(), "write `FORMAT`: "+text.Or(formats()))
			return verb.One(func(s *session.Session, name string) error { return printExport(s, name, portable.Format(*as)) })
		},
		Values: map[string][]string{"format": formats()},
		Words:  verb.OneName,
	}
}

// printExport prints what does the same as a tunnel without Holdfast. It needs no daemon.
func printExport(s *session.Session, name string, format portable.Format) error {
	if _, err := s.Files(name); err != nil {
		return err
	}
	t, err := s.Dirs().Load(name)
	if err != nil {
		return err
	}
	around := portable.Around{System: s.System}
	if format != portable.Tunnel {
		r, err := config.Resolve(s.Ctx, config.Of(t))
		if err != nil {
			return err
		}
		around.Defaults, around.Forwards = r.Underneath(), len(r.Forwards) > 0
		around.RemoteCommand, around.Shares = r.RemoteCommand != "", r.Shares()
	}
	content, notes := portable.Export(t, format, around)
	if s.JSON {
		return s.Out.JSON(jsonout.Export{Name: name, Format: string(format), Text: content, Notes: append([]string{}, notes...)}, false)
	}
	s.Out.Text(content)
	for _, note := range notes {
		s.Out.Note("note: %s", text.Printable(note))
	}
	return nil
}

// formats are the values of --format=.
func formats() []string {
	var words []string
	for _, f := range portable.Formats {
		words = append(words, string(f))
	}
	return words
}
