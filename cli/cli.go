// Package cli is the command line: what each verb of holdfast asks of the daemon, and
// what it says to people and to scripts.
//
// It decides nothing about tunnels: it talks to the daemon by dbusapi, and reads files only
// for show, export and import. The one thing it asks of servers is their host keys, for trust. Verbs return errors; print.go is the one file that prints, and Main the one
// place that makes an exit status of an error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
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
	Demo func(ctx context.Context, args []string, color bool) error
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

// verb is one word after holdfast.
type verb struct {
	name, args, does string
	run              func(s *session, args []string) error
}

// verbs in the order help shows them.
func verbs() []verb {
	return []verb{
		{"add", "NAME SSH-ARGUMENTS…", "make a tunnel from what would follow ssh: -L 9090:localhost:9090 me@host", (*session).add},
		{"list", "[NAME…]", "one line each", (*session).list},
		{"status", "[NAME…]", "all there is to know; --watch follows, --waybar is for bars", (*session).status},
		{"up", "NAME…|--all", "start, and wait until it is up", (*session).up},
		{"down", "NAME…|--all", "stop, until up", (*session).down},
		{"restart", "NAME…|--all", "stop and start", (*session).restart},
		{"reconnect", "NAME…|--all", "a new SSH connection, made before the old one is let go", (*session).reconnect},
		{"set", "NAME KEY=VALUE…", "change keys in its file; comments and order stay", (*session).set},
		{"edit", "NAME", "open its file in your editor", (*session).edit},
		{"show", "NAME…|--changes NAME [FILE|-]", "print its file and drop-ins, or what another text would change", (*session).show},
		{"remove", "NAME…", "stop it and delete its file", (*session).remove},
		{"explain", "NAME [--all]", "every setting in force, and where it came from", (*session).explainTunnel},
		{"check", "[NAME…]", "what would keep it from staying up, here and on the server, each with its mend", (*session).check},
		{"trust", "NAME", "show the server's host keys, and record them on a yes", (*session).trust},
		{"import", "[--yes|--dry-run] [FILE…|-]", "tunnels kept in ssh_config, units and scripts; shows first, asks once", (*session).importTunnels},
		{"export", "NAME [--format=FORMAT]", "what does the same without Holdfast: ssh, autossh, systemd, or one tunnel file", (*session).export},
		{"logs", "NAME [-f] [-n N]", "its journal", (*session).logs},
		{"top", "[NAME…] [-d SECONDS] [-n N]", "what goes through them, live", (*session).top},
		{"history", "[NAME…] [--since TIME]", "outages and availability, from the journal", (*session).history},
		{"metrics", "", "OpenMetrics of all tunnels, for a scraper", (*session).metrics},
		{"demo", "", "a throw-away server, a tunnel to it, a fault, a recovery, in a minute", (*session).demo},
		{"completion", "bash|zsh|fish", "completions for your shell; source them", (*session).completion},
		{"version", "", "of this program and of the daemon", (*session).version},
		{"help", "", "this text", (*session).help},
	}
}

// otherWords is what people try, and the verb they mean.
var otherWords = map[string]string{
	"start": "up", "doctor": "check", "diagnose": "check", "test": "check", "stop": "down", "ls": "list", "rm": "remove", "delete": "remove", "cat": "show",
	"log": "logs", "journal": "logs", "st": "status", "create": "add", "new": "add", "reload": "restart",
}

// run runs the verb that the arguments name.
func (s *session) run(args []string) error {
	args, err := s.globalFlags(args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		s.out.help(verbs())
		return errMisused
	}
	word, args := args[0], args[1:]
	switch word {
	case "askpass": // for ssh, not for people
		return s.askpass(args)
	case "complete": // for shells
		return s.complete(args)
	case "-h", "--help":
		return s.help(nil)
	case "--version":
		return s.version(nil)
	}
	for _, v := range verbs() {
		if v.name == word {
			s.verb = word
			err := v.run(s, args)
			if errors.Is(err, errHelp) {
				s.out.usage(v)
				return nil
			}
			var misuse advice.Misuse
			if errors.As(err, &misuse) && misuse.Usage == "" {
				misuse.Usage = "holdfast " + v.name + " " + v.args
				return misuse
			}
			return err
		}
	}
	if strings.HasPrefix(word, "-") {
		return advice.Misuse{Message: "no such flag: " + word, Usage: "holdfast help"}
	}
	if meant, ok := otherWords[word]; ok {
		return advice.Misuse{Message: fmt.Sprintf("no verb %q", word), Usage: "holdfast " + meant}
	}
	return advice.Misuse{Message: fmt.Sprintf("no verb %q", word), Usage: "holdfast help"}
}

// globalFlags takes the flags that stand before the verb.
func (s *session) globalFlags(args []string) ([]string, error) {
	for len(args) > 0 {
		switch args[0] {
		case "--json", "-json":
			s.json = true
		case "--system", "-system":
			s.system = true
		default:
			return args, nil
		}
		args = args[1:]
	}
	return args, nil
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

func (s *session) help(args []string) error {
	s.out.help(verbs())
	return nil
}

func (s *session) demo(args []string) error {
	return s.Demo(s.ctx, args, s.out.look.Color)
}
