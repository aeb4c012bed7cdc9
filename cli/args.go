package cli

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/text"
)

// flagSet is where a verb declares its flags, beside those of all verbs.
func (s *session) flagSet(v verb) *flag.FlagSet {
	f := flag.NewFlagSet(v.name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // print.go prints
	f.BoolVar(&s.json, "json", s.json, "print for scripts")
	f.BoolVar(&s.system, "system", s.system, "the system's tunnels instead of one's own")
	f.Func("color", "colour `WHEN`: auto (on a terminal), always or never", s.out.setColor)
	return f
}

// shortOf begins the usage of a flag that is a short name of another one.
const shortOf = "short of "

// alias is a short name of a flag.
func alias(f *flag.FlagSet, short, long string) { f.Var(f.Lookup(long).Value, short, shortOf+long) }

// spelled is a flag as people write it.
func spelled(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// parse takes flags from anywhere among the arguments and returns the rest.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 {
		if args[0] == "--" { // what follows are names, whatever they look like
			return append(rest, args[1:]...), nil
		}
		if !isFlag(args[0]) {
			rest, args = append(rest, args[0]), args[1:]
			continue
		}
		if args, err = takeFlag(f, args); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// leading takes the flags that stand before the verb.
func leading(f *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 && isFlag(args[0]) && args[0] != "--version" {
		if args, err = takeFlag(f, args); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// takeFlag takes the flag that stands first, with its value.
func takeFlag(f *flag.FlagSet, args []string) (rest []string, err error) {
	typed := args[0]
	name, value, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(typed, "-"), "-"), "=")
	known := f.Lookup(name)
	switch {
	case name == "h" || name == "help":
		return nil, errHelp
	case known == nil && typed[1] != '-' && len(name) > 1 && f.Lookup(name[:1]) != nil: // -fn20
		if known = f.Lookup(name[:1]); isSwitch(known) {
			args = append([]string{"-" + typed[1:2], "-" + typed[2:]}, args[1:]...)
			value, given = "", false
		} else {
			value, given = typed[2:], true
		}
		name = name[:1]
	case known == nil:
		return nil, advice.Misuse{Message: "no such flag: " + strings.SplitN(typed, "=", 2)[0] + nearestFlag(f, name)}
	}
	args = args[1:]
	switch {
	case isSwitch(known) && !given:
		value = "true"
	case !given && len(args) == 0:
		return nil, advice.Misuse{Message: spelled(name) + " needs a value"}
	case !given:
		value, args = args[0], args[1:]
	}
	if err := known.Value.Set(value); err != nil {
		return nil, advice.Misuse{Message: fmt.Sprintf("%s %s: %s", spelled(name), value, whyNot(known, err))}
	}
	return args, nil
}

// isSwitch says whether a flag needs no value.
func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// nearestFlag is "; did you mean --all?".
func nearestFlag(f *flag.FlagSet, name string) string {
	var names []string
	f.VisitAll(func(known *flag.Flag) {
		if len(known.Name) > 1 {
			names = append(names, known.Name)
		}
	})
	if meant := text.Nearest(name, names); meant != "" {
		return "; did you mean --" + meant + "?"
	}
	return ""
}

// whyNot is why a flag does not have a value.
func whyNot(f *flag.Flag, err error) string {
	getter, ok := f.Value.(flag.Getter)
	if !ok {
		return err.Error()
	}
	switch getter.Get().(type) {
	case time.Duration:
		return "not a time span, as 90s or 5m are"
	case bool:
		return "it takes no value"
	}
	return "not a number"
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

// oneOf is a flag whose value is one of some words.
func oneOf(f *flag.FlagSet, name, value string, words []string, usage string) *string {
	f.Func(name, usage, func(got string) error {
		if !slices.Contains(words, got) {
			return fmt.Errorf("it is %s%s", text.Or(words), text.DidYouMean(got, words))
		}
		value = got
		return nil
	})
	f.Lookup(name).DefValue = value
	return &value
}
