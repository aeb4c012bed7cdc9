package systemdctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/words"
)

// execCommandEx is a command line whose prefixes are words.
type execCommandEx struct {
	Path  string
	Argv  []string
	Flags []string
}

// prefixes are those of a command line that are taken, and what systemd's property calls them.
var prefixes = map[byte]string{'-': "ignore-failure", ':': "no-env-expand"}

// command is the command line of an Exec…= setting (systemd.service(5), "Command lines").
// systemd replaces variables ($X, ${X}) when it runs the command.
func command(key, value string) ([]Property, error) {
	list := []execCommandEx{}
	if value != "" {
		c, err := parseCommand(value)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return []Property{property(key+"Ex", list)}, nil
}

func parseCommand(value string) (execCommandEx, error) {
	c := execCommandEx{Flags: []string{}}
	for value != "" && prefixes[value[0]] != "" {
		c.Flags = append(c.Flags, prefixes[value[0]])
		value = value[1:]
	}
	if value != "" && strings.ContainsRune("+!@", rune(value[0])) {
		return c, fmt.Errorf("%q before a command is not taken here", value[:1])
	}
	list, err := words.Plain(value, words.CEscapes)
	switch {
	case err != nil:
		return c, err
	case len(list) == 0:
		return c, errors.New("needs a command")
	case slices.Contains(list, ";"):
		return c, errors.New(`";" between commands is not taken here: give each command a line of its own`)
	case !strings.HasPrefix(list[0], "/") && strings.Contains(list[0], "/"):
		return c, fmt.Errorf("%q is neither an absolute path nor a plain name", list[0])
	}
	c.Path, c.Argv = list[0], list
	return c, nil
}
