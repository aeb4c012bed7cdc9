// Package flags parses command lines with package flag. Flags may be anywhere among the arguments, with
// one dash or two. Errors are in plain words.
package flags

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/text"
)

// ErrHelp is returned when help is asked for.
var ErrHelp = errors.New("asked for help")

// ShortOf is the prefix of the usage of a flag that is a short name for another.
const ShortOf = "short of "

// Alias adds a short name for a flag.
func Alias(f *flag.FlagSet, short, long string) { f.Var(f.Lookup(long).Value, short, ShortOf+long) }

// Spelled is a flag as people type it.
func Spelled(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Parse parses flags anywhere among the arguments and returns the other arguments.
func Parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 {
		if args[0] == "--" { // everything after it is a name
			return append(rest, args[1:]...), nil
		}
		if !Is(args[0]) {
			rest, args = append(rest, args[0]), args[1:]
			continue
		}
		if args, err = Take(f, args); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// Leading parses the flags before the verb. It leaves --version, which is treated as a verb.
func Leading(f *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 && Is(args[0]) && args[0] != "--version" {
		if args, err = Take(f, args); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// Is says whether an argument is a flag.
func Is(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// Take parses the flag in args[0] and its value, and returns what is left.
func Take(f *flag.FlagSet, args []string) (rest []string, err error) {
	typed := args[0]
	name, value, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(typed, "-"), "-"), "=")
	known := f.Lookup(name)
	switch {
	case name == "h" || name == "help":
		return nil, ErrHelp
	case known == nil && typed[1] != '-' && len(name) > 1 && f.Lookup(name[:1]) != nil: // -fn20
		if known = f.Lookup(name[:1]); IsSwitch(known) {
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
	case IsSwitch(known) && !given:
		value = "true"
	case !given && len(args) == 0:
		return nil, advice.Misuse{Message: Spelled(name) + " needs a value"}
	case !given:
		value, args = args[0], args[1:]
	}
	if err := known.Value.Set(value); err != nil {
		return nil, advice.Misuse{Message: fmt.Sprintf("%s %s: %s", Spelled(name), cmp.Or(value, `""`), whyNot(known, err))}
	}
	return args, nil
}

// IsSwitch says whether a flag takes no value.
func IsSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// nearestFlag suggests a flag: "; did you mean --all?".
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

// whyNot says why a flag cannot have a value.
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

// OneOf defines a flag whose value is one of the words.
func OneOf(f *flag.FlagSet, name, value string, words []string, usage string) *string {
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
