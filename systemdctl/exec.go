package systemdctl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/internal/words"
)

// execCommandEx is a command line whose prefixes are words.
type execCommandEx struct {
	Path  string
	Argv  []string
	Flags []string
}

// commands is the command lines of an Exec…= setting (systemd.service(5), "Command
// lines"), several when ";" stands between them. Variables ($X, ${X}) are replaced by
// systemd when it runs the command. They go out in the …Ex form, which has room for
// every prefix.
func commands(key, value string) ([]Property, error) {
	list := []execCommandEx{}
	for rest := strings.TrimLeft(value, words.Whitespace); rest != ""; {
		command, after, err := firstCommand(rest)
		if err != nil {
			return nil, err
		}
		list, rest = append(list, command), after
	}
	return []Property{property(key+"Ex", list)}, nil
}

// firstCommand takes the first command line off a value.
func firstCommand(value string) (c execCommandEx, rest string, err error) {
	c.Flags = []string{}
	withName := false // "@": argv[0] is the second word
prefixes:
	for ; value != ""; value = value[1:] {
		switch value[0] {
		case '-':
			c.Flags = append(c.Flags, "ignore-failure")
		case ':':
			c.Flags = append(c.Flags, "no-env-expand")
		case '@':
			withName = true
		case '+', '!':
			return c, "", fmt.Errorf("%q before a command is not for a person's own units", value[:1])
		default:
			break prefixes
		}
	}
	for {
		value = strings.TrimLeft(value, words.Whitespace)
		mark, after, _ := strings.Cut(value+" ", " ")
		if mark == ";" {
			value = strings.TrimLeft(after, words.Whitespace)
			break
		}
		if mark == `\;` {
			c.Argv, value = append(c.Argv, ";"), after
			continue
		}
		word, after, ok, err := words.Cut(value, words.CEscapes)
		if err == nil {
			word, err = words.Literal(word)
		}
		if err != nil {
			return c, "", err
		}
		if !ok {
			break
		}
		c.Argv, value = append(c.Argv, word), after
	}
	if len(c.Argv) == 0 {
		return c, "", errors.New("needs a command")
	}
	c.Path = c.Argv[0]
	if withName {
		c.Argv = c.Argv[1:]
	}
	switch {
	case len(c.Argv) == 0:
		return c, "", errors.New(`"@" needs a name after the command`)
	case !strings.HasPrefix(c.Path, "/") && strings.Contains(c.Path, "/"):
		return c, "", fmt.Errorf("%q is neither an absolute path nor a plain name", c.Path)
	}
	return c, value, nil
}
