package cli

import (
	"flag"

	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/portable"
	"github.com/holdfast/holdfast/sshlink/config"
)

func exportVerb() verb {
	return verb{
		name: "export", args: "NAME", group: making,
		summary: "what does the same without Holdfast",
		about: `
It is as near as it can be: a command line for a shell, a unit file, or the tunnel file with its
drop-ins merged. What the tunnel does and the text does not is a line "note:" on standard error.
Forwards that ssh_config has are left there, for ssh(1) reads it too. It needs no daemon.`,
		examples: []example{
			{"holdfast export --format=ssh web", "a command line that does what web does"},
			{"holdfast export --format=systemd web >~/.config/systemd/user/web.service", "a unit that does"},
		},
		setup: func(f *flag.FlagSet) command {
			as := flags.OneOf(f, "format", string(portable.Tunnel), formats(), "write `FORMAT`: "+text.Or(formats()))
			return func(s *session, args []string) error { return s.export(args, portable.Format(*as)) }
		},
		values: map[string][]string{"format": formats()},
		words:  oneName,
	}
}

// export prints what does the same as a tunnel without Holdfast. It needs no daemon.
func (s *session) export(args []string, format portable.Format) error {
	name, err := one(args)
	if err != nil {
		return err
	}
	if _, err := s.files(name); err != nil {
		return err
	}
	t, err := s.dirs().Load(name)
	if err != nil {
		return err
	}
	around := portable.Around{System: s.system}
	if format != portable.Tunnel {
		r, err := config.Resolve(s.ctx, config.Of(t))
		if err != nil {
			return err
		}
		around.Defaults, around.Forwards = r.Underneath(), len(r.Forwards) > 0
		around.RemoteCommand, around.Shares = r.RemoteCommand != "", r.Shares()
	}
	content, notes := portable.Export(t, format, around)
	if s.json {
		return s.out.json(exportJSON{name, string(format), content, append([]string{}, notes...)}, false)
	}
	s.out.text(content)
	for _, note := range notes {
		s.out.note("note: %s", text.Printable(note))
	}
	return nil
}

// formats are the words for --format=.
func formats() []string {
	var words []string
	for _, f := range portable.Formats {
		words = append(words, string(f))
	}
	return words
}
