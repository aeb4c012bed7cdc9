// Package cli is the command line: what each verb of holdfast asks of the daemon, and
// what it says to people and to scripts.
//
// It decides nothing about tunnels: it talks to the daemon by dbusapi, and reads files only
// for show, export and import. The one thing it asks of servers is their host keys, for trust.
// Each verb has a file: its page of help, its flags, what it does. Verbs return errors;
// print.go is the one file that prints, and Main the one place that makes an exit status of an
// error.
package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/dbusapi"
)

// Exit statuses of holdfast.
const (
	exitDone       = 0
	exitFailed     = 1
	exitMisused    = 2
	exitNoSuch     = 3 // asked of no such tunnel
	exitNotRunning = 4 // status, as systemctl
)

// Program is what main wires in.
type Program struct {
	Version string
	// Demo runs the demo until it is over or the context ends.
	Demo func(ctx context.Context, o DemoOptions) error
}

// DemoOptions are the flags of demo.
type DemoOptions struct {
	Foreground bool   // without systemd
	Programs   string // the folder of the other programs; empty: where this one is
	Color      bool
}

// Main runs a command line, without the program's name, and returns the exit status.
func Main(program Program, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &session{Program: program, ctx: ctx, out: newPrinter(os.Stdout, os.Stderr, os.Getenv)}
	s.out.ours = s.ours
	defer s.close()
	return s.exit(s.run(args))
}

// session is one run of the program.
type session struct {
	Program
	ctx    context.Context
	out    *printer
	json   bool
	system bool
	verb   string
	client *dbusapi.Client // dialled by daemon
}

// run runs the verb that the arguments name.
func (s *session) run(args []string) error {
	before := s.flagSet(verb{})
	args, err := flags.Leading(before, args)
	if errors.Is(err, flags.ErrHelp) {
		return s.help(nil)
	}
	if err != nil {
		return err
	}
	if len(args) == 0 {
		s.printPages(overview())
		return errMisused
	}
	word, args := args[0], args[1:]
	switch word {
	case "askpass": // for ssh, not for people
		return s.askpass(args)
	case "complete": // for shells
		return s.complete(args)
	case "--version":
		word = "version"
	}
	v, err := findVerb(word)
	if err != nil {
		return err
	}
	err = s.runVerb(v, args)
	if misuse, ok := errors.AsType[advice.Misuse](err); ok && misuse.Usage == "" {
		misuse.Usage = "holdfast help " + v.name
		return misuse
	}
	return err
}

// runVerb parses a verb's flags and runs it.
func (s *session) runVerb(v verb, args []string) error {
	s.verb = v.name
	own := s.flagSet(v)
	do := v.setup(own)
	rest, err := args, error(nil)
	if v.ownFlags == nil {
		rest, err = flags.Parse(own, args)
	}
	switch {
	case errors.Is(err, flags.ErrHelp):
		return s.help([]string{v.name})
	case err != nil:
		return err
	case s.json && v.noJSON != "":
		return advice.Misuse{Message: v.name + " has no --json: " + v.noJSON}
	case s.system && v.noSystem:
		return advice.Misuse{Message: v.name + " has no --system: it is the same for all tunnels"}
	}
	err = do(s, rest)
	if errors.Is(err, flags.ErrHelp) {
		return s.help([]string{v.name})
	}
	return err
}

// callTime is how long the daemon may take to answer: the bus has 25 s to start it.
const callTime = 30 * time.Second

// call is a context for one call to the daemon.
func (s *session) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, callTime)
}

// daemon is the client, dialled at first use.
func (s *session) daemon() (*dbusapi.Client, error) {
	if s.client == nil {
		ctx, cancel := s.call()
		defer cancel()
		client, err := dbusapi.Dial(ctx, s.system)
		if err != nil {
			return nil, err
		}
		s.client = client
	}
	return s.client, nil
}

func (s *session) close() {
	if s.client != nil {
		s.client.Close()
	}
}
