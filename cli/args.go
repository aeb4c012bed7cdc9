package cli

import (
	"flag"
	"io"
	"path"
	"strings"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// flags is a verb's own flags; --json and --system are everybody's.
func (s *session) flags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard) // print.go prints
	f.BoolVar(&s.json, "json", s.json, "")
	f.BoolVar(&s.system, "system", s.system, "")
	return f
}

// parse takes flags from anywhere among the arguments and returns the rest.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			if err == flag.ErrHelp {
				return nil, errHelp
			}
			return nil, misuseError{message: asTyped(err.Error(), args)}
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		// What follows "--" are names, whatever they look like.
		if taken := len(args) - f.NArg(); taken > 0 && args[taken-1] == "--" {
			return append(rest, f.Args()...), nil
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
	}
}

// asTyped is a message of package flag, which knows flags by one dash, about a flag as it
// stands among the arguments.
func asTyped(message string, args []string) string {
	name, unknown := strings.CutPrefix(message, "flag provided but not defined: -")
	if !unknown {
		return message
	}
	for _, arg := range args {
		if typed, _, _ := strings.Cut(arg, "="); strings.TrimLeft(typed, "-") == name && typed != name {
			return "no such flag: " + typed
		}
	}
	return "no such flag: -" + name
}

// one is the only argument.
func one(rest []string) (string, error) {
	switch len(rest) {
	case 0:
		return "", misuseError{message: "which tunnel?"}
	case 1:
		return rest[0], nil
	}
	return "", misuseError{message: "one tunnel at a time"}
}

// matching is the tunnels that the patterns name, names or globs, in the order of the
// tunnels; no patterns are all. A pattern that names none is an error, which the problems
// of tunnel files may explain.
func matching(tunnels []dbusapi.Tunnel, problems []tunnelfile.Problem, patterns []string) ([]dbusapi.Tunnel, error) {
	if len(patterns) == 0 {
		return tunnels, nil
	}
	used := make([]bool, len(patterns))
	var found []dbusapi.Tunnel
	for _, t := range tunnels {
		hit := false
		for i, p := range patterns {
			if ok, err := path.Match(p, t.Name); ok && err == nil {
				hit, used[i] = true, true
			}
		}
		if hit {
			found = append(found, t)
		}
	}
	for i, p := range patterns {
		if !used[i] {
			return nil, noSuch(p, tunnels, problems)
		}
	}
	return found, nil
}
