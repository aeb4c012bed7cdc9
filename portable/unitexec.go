package portable

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/words"
	"mvdan.cc/sh/v3/syntax"

	"github.com/holdfast/holdfast/portable/shell"
)

// commands are the command lines of an Exec…= setting, as systemd would run them (systemd.service(5)).
func (u *unit) commands(value string, vars map[string]string) ([]shell.Command, error) {
	var all []shell.Command
	var c shell.Command
	end := func() {
		if len(c.Words) > 0 {
			all = append(all, c)
		}
		c = shell.Command{}
	}
	rest := strings.TrimSpace(value)
	verbatim, named := false, false
	for rest != "" {
		if len(c.Words) == 0 {
			prefixes := rest[:len(rest)-len(strings.TrimLeft(rest, "-@:+!|"))]
			verbatim, named = strings.Contains(prefixes, ":"), strings.Contains(prefixes, "@")
			rest = rest[len(prefixes):]
		}
		if after, ok := strings.CutPrefix(rest, ";"); ok && (after == "" || after[0] == ' ' || after[0] == '\t') {
			end()
			rest = strings.TrimLeft(after, " \t")
			continue
		}
		word, after, ok, err := words.Cut(rest, words.CEscapes)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		rest = strings.TrimLeft(after, " \t")
		if word, err = u.expand(word); err != nil {
			return nil, err
		}
		switch {
		case named && len(c.Words) == 1: // with @, the second word is argv[0] and no argument
			named = false
		case verbatim || len(c.Words) == 0:
			c.Words = append(c.Words, word)
		default:
			words, unknown := withVariables(word, vars)
			c.Words = append(c.Words, words...)
			if c.Unknown == "" {
				c.Unknown = unknown
			}
		}
	}
	end()
	return all, nil
}

// withVariables expands the variables in a word of a command line (systemd.service(5), "Command lines"):
// ${NAME} within a word, and a word that is $NAME as several words. unknown is the first variable
// without a value.
func withVariables(word string, vars map[string]string) (words []string, unknown string) {
	value := func(name string) string {
		v, known := vars[name]
		if !known && unknown == "" {
			unknown = "$" + name
		}
		return v
	}
	if name, ok := strings.CutPrefix(word, "$"); ok && syntax.ValidName(name) {
		return strings.Fields(value(name)), unknown
	}
	var b strings.Builder
	for rest := word; rest != ""; {
		before, after, found := strings.Cut(rest, "$")
		b.WriteString(before)
		if !found {
			break
		}
		name, behind, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{") && closed && syntax.ValidName(name):
			b.WriteString(value(name))
			rest = behind
		default:
			b.WriteByte('$')
			rest = after
		}
	}
	return []string{b.String()}, unknown
}

// environment is the variables of Environment= and EnvironmentFile=.
func (u *unit) environment() map[string]string {
	vars := make(map[string]string)
	for _, s := range u.settings {
		if s.Section != "Service" {
			continue
		}
		switch s.Key {
		case "Environment":
			u.assign(s.Value, vars)
		case "EnvironmentFile":
			pattern, err := u.expand(strings.TrimPrefix(s.Value, "-"))
			if err != nil {
				continue
			}
			files, _ := filepath.Glob(pattern)
			for _, file := range files {
				_ = readEnvironment(file, vars) // ignore a file that cannot be read
			}
		}
	}
	return vars
}

// assign reads the value of Environment=.
func (u *unit) assign(value string, vars map[string]string) {
	for {
		word, after, ok, err := words.Cut(value, words.CEscapes)
		if !ok || err != nil {
			return
		}
		if word, err = u.expand(word); err == nil {
			if name, value, ok := strings.Cut(word, "="); ok {
				vars[name] = value
			}
		}
		value = after
	}
}

// readEnvironment reads an EnvironmentFile= (systemd.exec(5)).
func readEnvironment(path string, vars map[string]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		vars[strings.TrimSpace(name)] = unquoted(strings.TrimSpace(value))
	}
	return nil
}

// ofAutossh are the variables that configure autossh.
func ofAutossh(vars map[string]string) map[string]string {
	own := maps.Clone(vars)
	maps.DeleteFunc(own, func(name, _ string) bool { return !strings.HasPrefix(name, "AUTOSSH_") })
	return own
}

// expand expands the specifiers of systemd.unit(5).
func (u *unit) expand(text string) (string, error) {
	m := u.machine
	stem := strings.TrimSuffix(u.name, ".service")
	prefix, instance, _ := strings.Cut(stem, "@")
	host, _, _ := strings.Cut(m.Host, ".")
	known := map[byte]string{
		'%': "%", 'n': u.name, 'N': stem, 'p': prefix, 'P': unescapeName(prefix), 'i': instance, 'I': unescapeName(instance),
		'j': prefix[strings.LastIndexByte(prefix, '-')+1:], 'h': m.Home, 'u': m.User, 'U': m.UID, 'H': m.Host, 'l': host,
		't': m.Runtime, 'E': m.Config, 'T': "/tmp", 'V': "/var/tmp",
	}
	if u.system {
		known['t'], known['E'] = "/run", "/etc"
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "%")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case after == "":
			return "", errors.New("ends in a single %")
		}
		value, ok := known[after[0]]
		if !ok {
			return "", fmt.Errorf("the specifier %%%.1s is not known here", after)
		}
		b.WriteString(value)
		text = after[1:]
	}
}

// unescapeName is the inverse of systemd-escape(1). The function of go-systemd does not unescape bytes
// above 127.
func unescapeName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '-' {
			c = '/'
		} else if strings.HasPrefix(name[i:], `\x`) && i+3 < len(name) {
			if value, err := strconv.ParseUint(name[i+2:i+4], 16, 8); err == nil {
				c = byte(value)
				i += 3
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
