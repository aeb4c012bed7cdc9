package cli

import (
	"flag"
	"io"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
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
			return nil, advice.Misuse{Message: asTyped(err.Error(), args)}
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
		return "", advice.Misuse{Message: "which tunnel?"}
	case 1:
		return rest[0], nil
	}
	return "", advice.Misuse{Message: "one tunnel at a time"}
}
