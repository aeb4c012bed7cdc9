// Package add is the verb add. It makes a tunnel from ssh's arguments, or from a person's answers.
package add

import (
	"cmp"
	"errors"
	"fmt"
	"os/user"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/answer"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Verb is the verb add. A tunnel made from answers is then started by up.
func Verb(up func(s *session.Session, name string) error) verb.Verb {
	return verb.Verb{
		Name: "add", Args: "[NAME SSH-ARGUMENTS…]", Group: verb.Making,
		Summary: "make a tunnel from the arguments of ssh or autossh",
		About: `
Options that mean nothing to a tunnel are left out (-N, -f, -v, autossh's -M). Options for things that
a tunnel cannot do are an error. The tunnel starts at once, and whenever the daemon starts. Options of
holdfast come before NAME or right after it.

On a terminal and without arguments it asks for the destination, the purpose, the port and when to
start. It shows the file, and the ssh command that does the same. After a yes it makes the tunnel and
starts it. Tab completes the hosts of ssh_config. Ctrl-C at any question ends it, and nothing is
stored.

A tunnel of the system (--system) runs as the account that --user names, with the keys and the ~/.ssh
of that account. The account holdfast exists for this. On a terminal it asks for the account.
Otherwise a tunnel without --user runs as root.`,
		Examples: []verb.Example{
			{Command: "holdfast add web -L 9090:localhost:9090 me@host", Does: "port 9090 here leads to port 9090 of host"},
			{Command: "holdfast add --on-demand db -L 5432:db.internal:5432 me@gateway", Does: "a database behind a gateway; SSH connects when somebody needs it"},
		},
		Setup: verb.Plain(func(s *session.Session, args []string) error { return add(s, up, args) }),
		OwnFlags: []verb.Word{
			{Word: "--on-demand", Does: "make the SSH connection when somebody connects to one of its ports"},
			{Word: "--manual", Does: "start it only with holdfast up"},
			{Word: "--user", Does: "the account that a tunnel of the system runs as: holdfast, root, or another one"},
		},
		Words: verb.NewNameThenHost,
	}
}

// add makes a tunnel from ssh's arguments. Holdfast's own flags have two dashes, which none of ssh's
// have, and come before NAME or right after it.
func add(s *session.Session, up func(*session.Session, string) error, args []string) error {
	name := ""
	own := s.FlagSet("add")
	onDemand := own.Bool("on-demand", false, "")
	manual := own.Bool("manual", false, "")
	owner := own.String("user", "", "")
	for len(args) > 0 && (name == "" || strings.HasPrefix(args[0], "--")) {
		switch arg := args[0]; {
		case strings.HasPrefix(arg, "--"), arg == "-h":
			var err error
			if args, err = flags.Take(own, args); err != nil {
				return err
			}
		case strings.HasPrefix(arg, "-"):
			return advice.Misuse{Message: fmt.Sprintf("%s: the tunnel's NAME comes first", arg)}
		default:
			name, args = arg, args[1:]
		}
	}
	start := tunnelfile.StartAuto
	switch {
	case *onDemand && *manual:
		return advice.Misuse{Message: "--on-demand or --manual, not both"}
	case *onDemand:
		start = tunnelfile.StartOnDemand
	case *manual:
		start = tunnelfile.StartManual
	}
	_, atTerminal := answer.AtTerminal(s)
	switch {
	case *owner != "" && !s.System:
		return advice.Misuse{Message: "--user is for the system's tunnels (--system); your own tunnels run as you"}
	case len(args) > 0:
		return fromArguments(s, name, start, *owner, args)
	case name != "":
		return advice.Misuse{Message: "no destination: after NAME give what would follow ssh, as in -L 9090:localhost:9090 me@host"}
	case atTerminal && !s.JSON:
		return byAsking(s, up)
	}
	return advice.Misuse{Message: "no NAME: give the tunnel a name, then what would follow ssh"}
}

// fileOf is the text of a tunnel file that does what ssh would do with the arguments.
func fileOf(start tunnelfile.StartMode, sshArguments []string) (string, error) {
	content, err := tunnelfile.FromSSHArguments(sshArguments)
	if long, ok := errors.AsType[tunnelfile.LongOptionError](err); ok {
		return "", advice.Misuse{Message: long.Error() + "; options of holdfast come before NAME or right after it"}
	}
	if err != nil {
		return "", advice.Misuse{Message: err.Error()}
	}
	if start == tunnelfile.StartAuto {
		return content, nil
	}
	return tunnelfile.Set(content, tunnelfile.SectionTunnel, "Start", []string{string(start)})
}

func fromArguments(s *session.Session, name string, start tunnelfile.StartMode, owner string, sshArguments []string) error {
	// People paste the whole line.
	if program := sshArguments[0]; (program == "ssh" || program == "autossh") && len(sshArguments) > 1 {
		sshArguments = sshArguments[1:]
	}
	content, err := fileOf(start, sshArguments)
	if err != nil {
		return err
	}
	if err := mustForward(s, name, content); err != nil {
		return err
	}
	if s.System {
		if content, err = withOwner(s, name, owner, content); err != nil {
			return err
		}
	}
	client, err := s.Daemon()
	if err != nil {
		return err
	}
	if err := client.AddTunnel(s.Ctx, name, content); err != nil {
		return err
	}
	if err := s.Wrote(client, name); err != nil {
		return err
	}
	s.SayStart(name, start)
	return nil
}

// mustForward refuses a tunnel that has no forwards. A tunnel file without forwards takes those that
// ssh_config has for its destination, so these count too.
func mustForward(s *session.Session, name, content string) error {
	t, problems := tunnelfile.Parse(name, "", content)
	if len(problems) > 0 || len(t.Forwards) > 0 {
		return nil // the daemon reports them when it stores the file
	}
	r, err := config.Resolve(s.Ctx, config.Of(t))
	if err != nil || len(r.Forwards) > 0 {
		return nil // an error in ssh_config is reported for the tunnel itself
	}
	return advice.Misuse{Message: fmt.Sprintf("%s would forward nothing: add -L, -R or -D, as in -L 9090:localhost:9090 %s", name, t.Destination)}
}

// usualOwner is the account for the system's tunnels. It is created by sysusers.d(5).
const usualOwner = "holdfast"

// withOwner sets User= in the text of a system tunnel. Without --user it asks on a terminal; elsewhere
// it leaves the tunnel root's and prints a hint.
func withOwner(s *session.Session, name, owner, content string) (string, error) {
	if agent, ok := answer.AtTerminal(s); ok && owner == "" && !s.JSON {
		reply, err := agent.Ask(s.Ctx, "", "other", fmt.Sprintf("Which account should %s run as: holdfast, root, or another one? [%s]", name, usualOwner), true)
		if err != nil {
			return "", advice.Misuse{Message: "no account is named: give --user holdfast, or --user root"}
		}
		owner = cmp.Or(strings.TrimSpace(reply), usualOwner)
	}
	if owner == "" {
		s.Out.Hint(name + " runs as root, because --user is missing; holdfast set " + name + " Service.User=" + usualOwner + " changes that")
		return content, nil
	}
	if _, err := user.Lookup(owner); err != nil {
		return "", fmt.Errorf("--user %s: %w", owner, err)
	}
	return tunnelfile.Set(content, tunnelfile.SectionService, "User", []string{owner})
}
