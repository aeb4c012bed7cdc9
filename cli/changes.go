package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// changes compares the tunnel in force with the one that the text would make. Problems name file, "-"
// meaning standard input.
func changes(s *session.Session, name, text, file string) ([]tunnelfile.Change, error) {
	before, err := s.Dirs().Load(name)
	if err != nil {
		return nil, err
	}
	now, err := s.Dirs().LoadAs(name, text)
	var problems tunnelfile.Problems
	if errors.As(err, &problems) {
		if file == "-" {
			file = "standard input"
		}
		return nil, session.Blame(problems, filepath.Join(s.Dirs()[0], name+tunnelfile.Suffix), file)
	}
	return tunnelfile.Changes(before, now), err
}

// changeText is a change for people: "RetryMax=60s → 5s", "LocalForward=1:h:1".
func changeText(c tunnelfile.Change) string {
	key := c.Key
	switch {
	case c.Section == "":
	case c.Key == "":
		key = "the order in [" + c.Section + "]"
	case c.Section != tunnelfile.SectionTunnel:
		key = c.Section + "." + c.Key
	}
	was, is := strings.ReplaceAll(c.Old, "\n", ", "), strings.ReplaceAll(c.New, "\n", ", ")
	switch {
	case was == "" && is == "":
		return key
	case c.Effect == tunnelfile.EffectAdded, c.Effect == tunnelfile.EffectDropped:
		return key + "=" + was + is
	case was == "":
		return key + "=" + is
	case is == "":
		return key + " removed"
	}
	return fmt.Sprintf("%s=%s → %s", key, was, is)
}

// sayCuts warns if storing the text would restart the unit and cut open connections.
func sayCuts(s *session.Session, name, content string) {
	changes, err := changes(s, name, content, "")
	if err != nil {
		return // the daemon reports it when the text is stored
	}
	var keys []string
	for _, c := range changes {
		if c.Effect == tunnelfile.EffectRestarts {
			keys = append(keys, changeText(c))
		}
	}
	if len(keys) > 0 {
		s.Out.Note("%s: %s", text.Printable(strings.Join(keys, ", ")), tunnelfile.EffectRestarts)
	}
}
