package systemdctl

import (
	"errors"
	"fmt"
	"strings"
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
	for rest := strings.TrimLeft(value, whitespace); rest != ""; {
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
	value, c.Flags, err = commandPrefixes(value)
	if err != nil {
		return c, "", err
	}
	withName := false // "@": argv[0] is the second word
	if value, withName = strings.CutPrefix(value, "@"); withName {
		var more []string
		if value, more, err = commandPrefixes(value); err != nil {
			return c, "", err
		}
		c.Flags = append(c.Flags, more...)
	}
	for {
		value = strings.TrimLeft(value, whitespace)
		if after, ok := strings.CutPrefix(value, ";"); ok && (after == "" || strings.IndexByte(whitespace, after[0]) >= 0) {
			value = strings.TrimLeft(after, whitespace)
			break
		}
		if after, ok := strings.CutPrefix(value, `\;`); ok && (after == "" || strings.IndexByte(whitespace, after[0]) >= 0) {
			c.Argv = append(c.Argv, ";")
			value = after
			continue
		}
		word, after, ok, err := firstWord(value, cEscapes)
		if err != nil {
			return c, "", err
		}
		if !ok {
			break
		}
		if word, err = plain(word); err != nil {
			return c, "", err
		}
		c.Argv, value = append(c.Argv, word), after
	}
	if len(c.Argv) == 0 {
		return c, "", errors.New("needs a command")
	}
	c.Path = c.Argv[0]
	if withName {
		if len(c.Argv) < 2 {
			return c, "", errors.New(`"@" needs a name after the command`)
		}
		c.Argv = c.Argv[1:]
	}
	if !strings.HasPrefix(c.Path, "/") && strings.Contains(c.Path, "/") {
		return c, "", fmt.Errorf("%q is neither an absolute path nor a plain name", c.Path)
	}
	return c, value, nil
}

// commandPrefixes takes the prefixes but "@" off a command line, as the flags that
// systemd's properties call them.
func commandPrefixes(value string) (rest string, flags []string, err error) {
	flags = []string{}
	for value != "" {
		switch value[0] {
		case '-':
			flags = append(flags, "ignore-failure")
		case ':':
			flags = append(flags, "no-env-expand")
		case '+', '!':
			return "", nil, fmt.Errorf("%q before a command is not for a person's own units", value[:1])
		default:
			return value, flags, nil
		}
		value = value[1:]
	}
	return value, flags, nil
}
