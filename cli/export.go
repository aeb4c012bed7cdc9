package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/portable"
	"github.com/holdfast/holdfast/sshlink/config"
)

// export prints what does the same as a tunnel without Holdfast. It needs no daemon.
func (s *session) export(args []string) error {
	flags := s.flags()
	as := flags.String("format", string(portable.Tunnel), "")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	name, err := one(rest)
	if err != nil {
		return err
	}
	format := portable.Format(*as)
	if !slices.Contains(portable.Formats, format) {
		return advice.Misuse{Message: fmt.Sprintf("no format %q: %s", *as, strings.Join(formats(), ", "))}
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
