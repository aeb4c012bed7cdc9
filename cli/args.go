package cli

import (
	"flag"
	"io"

	"github.com/holdfast/holdfast/cli/advice"
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
