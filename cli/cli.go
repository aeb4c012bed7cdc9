// Package cli is the command line: what each verb of holdfast asks of the daemon, and what it prints
// for people and scripts.
//
// It decides nothing about tunnels. The daemon writes tunnel files, over package dbusapi. A verb may
// read the files itself, to show, export, import or check them, or to complete their names.
//
// Each verb has a file with its help page, its flags and its code. A verb with a larger subject has a
// package of its own. Verbs return errors. Package terminal prints, and only Main turns an error
// into an exit status.
package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/answer"
	"github.com/holdfast/holdfast/cli/completion"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/help"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/cli/verb"
)

// Main runs a command line, without the program's name, and returns the exit status. version is the
// program's.
func Main(version string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &session.Session{Version: version, Ctx: ctx, Args: args, Out: terminal.New(os.Stdout, os.Stderr, os.Getenv)}
	for _, v := range verbs() {
		s.Verbs = append(s.Verbs, v.Name)
	}
	s.Out.Ours = s.Ours
	defer s.Close()
	defer s.Out.EndProgress() // also after a panic
	return s.Exit(run(s, args))
}

// run finds the verb and runs it.
func run(s *session.Session, args []string) error {
	before := s.FlagSet("")
	args, err := flags.Leading(before, args)
	if errors.Is(err, flags.ErrHelp) {
		return help.Show(s, verbs(), nil)
	}
	if err != nil {
		return err
	}
	if len(args) == 0 {
		help.PrintPages(s, help.Overview(verbs()))
		return session.ErrMisused
	}
	word, args := args[0], args[1:]
	switch word {
	case "askpass": // called by ssh
		return answer.Askpass(s, args)
	case "complete": // called by shells
		return completion.Complete(s, verbs(), args)
	case "--version":
		word = "version"
	}
	v, err := verbs().Find(word)
	if err != nil {
		return err
	}
	err = runVerb(s, v, args)
	if misuse, ok := errors.AsType[advice.Misuse](err); ok && misuse.Usage == "" {
		misuse.Usage = "holdfast help " + v.Name
		return misuse
	}
	return err
}

// runVerb parses the verb's flags and runs it.
func runVerb(s *session.Session, v verb.Verb, args []string) error {
	s.Verb = v.Name
	s.Polkit = func() (func(), error) { return answer.Polkit(s) }
	own := s.FlagSet(v.Name)
	do := v.Setup(own)
	rest, err := args, error(nil)
	if v.OwnFlags == nil {
		rest, err = flags.Parse(own, args)
	}
	switch {
	case errors.Is(err, flags.ErrHelp):
		return help.Show(s, verbs(), []string{v.Name})
	case err != nil:
		return err
	case s.JSON && v.NoJSON != "":
		return advice.Misuse{Message: v.Name + " has no --json: " + v.NoJSON}
	case s.System && v.NoSystem:
		return advice.Misuse{Message: v.Name + " has no --system: it is the same for all tunnels"}
	}
	err = do(s, rest)
	if errors.Is(err, flags.ErrHelp) {
		return help.Show(s, verbs(), []string{v.Name})
	}
	return err
}
