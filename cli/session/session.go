// Package session is what every verb of holdfast needs: the common flags, the daemon, the tunnel files,
// and the handling of errors. It knows no verb.
package session

import (
	"context"
	"flag"
	"io"
	"regexp"
	"strings"

	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Session is one run of the program.
type Session struct {
	Version string // of this program
	Ctx     context.Context
	Out     *terminal.Printer
	JSON    bool
	System  bool
	Args    []string        // the command line
	Verb    string          // the name of the verb that runs
	Verbs   []string        // the names of all verbs
	client  *dbusapi.Client // dialled by Daemon

	// Polkit lets this terminal answer polkit's questions until stop is called. nil if it cannot.
	Polkit     func() (stop func(), err error)
	stopPolkit func()
}

// Daemon returns the client of the daemon. It dials at the first call.
func (s *Session) Daemon() (*dbusapi.Client, error) {
	if s.client == nil {
		client, err := dbusapi.Dial(s.Ctx, s.System)
		if err != nil {
			return nil, err
		}
		s.client = client
		if s.System && s.Polkit != nil {
			client.AskPerson(s.Ctx, func() (err error) {
				s.stopPolkit, err = s.Polkit()
				return err
			})
		}
	}
	return s.client, nil
}

// Close ends the connection to the daemon.
func (s *Session) Close() {
	if s.client != nil {
		s.client.Close()
	}
	if s.stopPolkit != nil {
		s.stopPolkit()
	}
}

// AsRoot is this command line for root to run.
func (s *Session) AsRoot() string {
	line := "sudo holdfast --system"
	for _, arg := range s.Args {
		if strings.TrimLeft(arg, "-") != "system" {
			line += " " + tunnelfile.ShellWord(arg)
		}
	}
	return line
}

// FlagSet returns a flag set with the common flags, to which a verb adds its own.
func (s *Session) FlagSet(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // package terminal prints
	f.BoolVar(&s.JSON, "json", s.JSON, "print JSON for scripts")
	f.BoolVar(&s.System, "system", s.System, "the system's tunnels instead of your own")
	f.Func("color", "use colour `WHEN`: auto (on a terminal), always or never", s.Out.SetColor)
	return f
}

// Ours adds --system to holdfast's command lines in a text, if this session is about the system's tunnels.
func (s *Session) Ours(text string) string {
	if !s.System || !strings.Contains(text, "holdfast ") {
		return text
	}
	return regexp.MustCompile(`\bholdfast (`+strings.Join(s.Verbs, "|")+`)\b`).ReplaceAllString(text, "holdfast --system $1")
}

// Systemctl is systemctl(1) for the manager of this session's units.
func (s *Session) Systemctl() string {
	if s.System {
		return "systemctl"
	}
	return "systemctl --user"
}

// NextStart is the event at which tunnels with Start=auto start next.
func (s *Session) NextStart() string {
	if s.System {
		return "boot"
	}
	return "login"
}
