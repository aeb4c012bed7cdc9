package cli

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/top"
)

// leastDelay is how fast top may be asked to be.
const leastDelay = 100 * time.Millisecond

// top shows what goes through tunnels, again and again.
func (s *session) top(args []string) error {
	flags := s.flags()
	seconds := flags.Float64("d", 1, "")
	times := flags.Int("n", 0, "")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	delay := time.Duration(*seconds * float64(time.Second))
	switch {
	case delay < leastDelay || delay > 24*time.Hour:
		return advice.Misuse{Message: fmt.Sprintf("-d %v: seconds, %v at least", *seconds, leastDelay.Seconds())}
	case *times < 0:
		return advice.Misuse{Message: fmt.Sprintf("-n %d: how often?", *times)}
	}
	w, err := s.watch(names)
	if err != nil {
		return err
	}
	o := top.Options{
		Client: w.client, First: w.first, Snapshots: w.snapshots, Patterns: names, Delay: delay, Times: *times,
		Terminal: s.out.terminal, Screen: s.out.screen, Width: s.out.width, Look: s.out.look,
		Print: s.out.rows, Written: s.out.unwritten,
		Explain: func(err error) string { message, _ := s.explain(err); return message },
	}
	if s.json {
		o.JSON = func(v any) error { return s.out.json(v, true) }
	}
	return top.Run(s.ctx, o)
}
