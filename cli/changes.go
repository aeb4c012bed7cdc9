package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
	"golang.org/x/term"
)

// textOf is what a file says, or standard input where it is "-".
func textOf(file string) (string, error) {
	if file != "-" {
		text, err := os.ReadFile(file)
		return string(text), err
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return "", advice.Misuse{Message: "which text? A FILE, or one on standard input"}
	}
	text, err := io.ReadAll(os.Stdin)
	return string(text), err
}

// changes is what the text, from file, would change of the tunnel that is in force now.
func (s *session) changes(name, text, file string) ([]tunnelfile.Change, error) {
	before, err := s.dirs().Load(name)
	if err != nil {
		return nil, err
	}
	now, err := s.dirs().LoadAs(name, text)
	var problems tunnelfile.Problems
	if errors.As(err, &problems) {
		if file == "-" {
			file = "standard input"
		}
		return nil, blame(problems, filepath.Join(s.dirs()[0], name+tunnelfile.Suffix), file)
	}
	return tunnelfile.Changes(before, now), err
}

// blame is the problems of one path as those of another.
func blame(problems tunnelfile.Problems, path, file string) tunnelfile.Problems {
	problems = slices.Clone(problems)
	for i, p := range problems {
		if p.Path == path {
			problems[i].Path = file
		}
	}
	return problems
}

// changeText is what differs: "RetryMax=60s → 5s", "LocalForward=1:h:1".
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

// sayCuts warns of a text that cannot be put in force without cutting open connections.
func (s *session) sayCuts(name, content string) {
	changes, err := s.changes(name, content, "")
	if err != nil {
		return // who stores the text hears of it
	}
	var keys []string
	for _, c := range changes {
		if c.Effect == tunnelfile.EffectRestarts {
			keys = append(keys, changeText(c))
		}
	}
	if len(keys) > 0 {
		s.out.note("%s: %s", text.Printable(strings.Join(keys, ", ")), tunnelfile.EffectRestarts)
	}
}
